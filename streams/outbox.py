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
from surveillance.incidents.reading import event_of, every_document, newest_triggers
from surveillance.store.protocol import Document, Store

_JSON = (CONTENT_TYPE, b"application/json")
_MARKS = "delivered"
"""Tenant of the marks, so that whoever reads the other documents of the service does not read them all."""


class Outbox:
    """Deliveries of one log, from the thread that judges."""

    def __init__(self, store: Store, log_id: str, sender: Sender, incidents: str, triggers: str) -> None:
        self._store, self._log_id, self._sender = store, log_id, sender
        self._topics = {"incident": (incidents, "incident_id"), "trigger": (triggers, "trigger_id")}
        self._waiting: dict[str, Line] = {}
        self._looks_back = True

    def look_back(self) -> None:
        """Lines may be stored that whoever stored them did not deliver: the next call of `deliver` sends them, too."""
        self._looks_back = True

    def deliver(self, decided: Sequence[Line]) -> None:
        """Send these lines, which are stored, and before them, at the first call, whatever a crash left undelivered.

        Raises StoreUnavailable (NotAcknowledged among them): nothing is lost, call it again.
        """
        self._waiting |= {_mark(line): line for line in decided}
        if self._looks_back:
            self._waiting = {_mark(line): line for line in self._left_over()} | self._waiting
            self._looks_back = False
        if self._waiting:
            self._sender.send_all([self._message(line) for line in self._waiting.values()], SEND_WITHIN_S)
            self._store.append("meta", [Document(_MARKS, "", mark, 0, 0, "{}") for mark in self._waiting])
            self._waiting = {}

    def _left_over(self) -> Iterator[Line]:
        """Stored lines without a mark: an incident's in their order, then the triggers."""
        marks = {one.key for one in self._store.newest("meta", tenant=_MARKS)}
        lines: list[Line] = [event_of(one).line for one in every_document(self._store, self._log_id)]
        lines += newest_triggers(self._store, self._log_id)
        return (line for line in lines if _mark(line) not in marks)

    def _message(self, line: Line) -> Message:
        topic, key = self._topics[line["kind"]]
        return Message(topic, str(line[key]).encode(), line_text(line).encode(), headers=(_JSON,))


def _mark(line: Line) -> str:
    """Identity of a delivery: the line itself, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()[:32]
