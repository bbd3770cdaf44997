"""What was decided, delivered: incident lines to `pms.incidents`, triggers to `pms.triggers`, each under its id.

The store is the outbox. A delivery is marked there once the broker has it, so after a crash only what is not marked is sent
again, under the same id; whoever reads the topics goes by their keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from streams.outlet import SEND_WITHIN_S, Sender
from streams.producer import Message
from surveillance.events.headers import CONTENT_TYPE
from surveillance.incidents.lines import Line, line_text
from surveillance.incidents.record import body_of
from surveillance.store.protocol import Document, Store

_JSON = (CONTENT_TYPE, b"application/json")
_MARK = "delivered|"


class Outbox:
    """Deliveries of one log, from the thread that judges."""

    def __init__(self, store: Store, log_id: str, sender: Sender, incidents: str, triggers: str) -> None:
        self._store, self._log_id, self._sender = store, log_id, sender
        self._topics = {"incident": (incidents, "incident_id"), "trigger": (triggers, "trigger_id")}
        self._waiting: list[Line] = []
        self._started = False

    def deliver(self, decided: Sequence[Line]) -> None:
        """Send these lines, which are stored, and at the first call whatever a crash left undelivered before them.

        Raises StoreUnavailable (NotAcknowledged among them): nothing is lost, call it again.
        """
        self._waiting += decided
        if not self._started:
            self._waiting = [*self._left_over(), *self._waiting]
            self._started = True
        if self._waiting:
            self._sender.send_all([self._message(line) for line in self._waiting], SEND_WITHIN_S)
            marks = dict.fromkeys(_mark(line) for line in self._waiting)
            self._store.append("meta", [Document("", "", mark, 0, 0, "{}") for mark in marks])
            self._waiting = []

    def _left_over(self) -> Iterator[Line]:
        """Stored lines without a mark: an incident's in their order, then the triggers."""
        marks = {one.key for one in self._store.newest("meta", tenant="") if one.key.startswith(_MARK)}
        for newest in self._of_log(self._store.newest("incident_events")):
            if _mark(body_of(newest)["line"]) not in marks:
                events = self._store.history("incident_events", tenant=newest.tenant, key=newest.key, since_ms=-(2**63))
                yield from (line for event in events if _mark(line := body_of(event)["line"]) not in marks)
        for trigger in self._of_log(self._store.newest("triggers")):
            asked: Line = json.loads(trigger.body)
            if _mark(asked) not in marks:
                yield asked

    def _of_log(self, documents: Sequence[Document]) -> Iterator[Document]:
        return (one for one in documents if one.key.startswith(f"{self._log_id}|"))

    def _message(self, line: Line) -> Message:
        topic, key = self._topics[line["kind"]]
        return Message(topic, str(line[key]).encode(), line_text(line).encode(), headers=(_JSON,))


def _mark(line: Line) -> str:
    """Identity of a delivery: the line itself, whatever the order of its keys."""
    return _MARK + hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()[:32]
