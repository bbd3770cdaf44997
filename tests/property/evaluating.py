"""A stream with trouble in it as workers stored it portion by portion, and an evaluator with its outbox that may die anywhere.

What is stored of each portion stands still, so a test may let evaluators live through the same portions in other ways.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from streams.evaluation_service import EvaluationService
from streams.outbox import Outbox
from streams.producer import Message, NotAcknowledged
from surveillance.errors import StoreUnavailable
from surveillance.evaluation.global_clock import LogShape
from surveillance.incidents.judged_state import read_judged
from surveillance.incidents.lines import Line
from surveillance.panes.rows import PaneRow
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Progress, Store
from tests.property.deciding import HOUR_MS, MINUTE_MS, event, inference, monitor, release, tick
from tests.property.folding import Died, LogRecord, Owner, accept_all, log_of, registration

LOG_ID = "log"
WRITES = ("append", "write_status")


def documents() -> list[dict[str, Any]]:
    """Two manifests whose monitors open, escalate, resolve and ask for a pause and a rollback.

    What an incident goes through does not depend on when it was decided: cooldown is a day, or runs on the time of beats.
    """
    abstained = {"investigate": {"ci_lower_above": 0.4}, "pause": {"ci_lower_above": 0.5}}
    watched = [
        monitor("abstained", {"type": "rate", "numerator": "abstained", "denominator": "inferences"}, abstained, window="w1h",
                by=["site"], persistence={"k": 1, "of": 1, "clear_after": 1, "cooldown": "P1D"}),
        monitor("identity", {"type": "identity_mismatch", "fields": ["model_digest"]},
                {"pause": {"ge": 1}, "rollback_or_field_safety": {"ge": 2}}, window="w1h",
                persistence={"cooldown": "P1D"}),
        monitor("silent", {"type": "heartbeat_gap"}, {"pause": {"missed": 6}}, by=["device"],
                persistence={"clear_after": 1, "cooldown": "PT0S"}),
    ]  # fmt: skip
    first = release(*watched, triggers=["identity:rollback_or_field_safety"])
    return [first, first | {"manifest_id": "rm-b", "release": first["release"] | {"release_id": "rel-b"}}]


def digests() -> list[str]:
    return [registration(document).digest for document in documents()]


def registry() -> Registry:
    return Registry(registration(document) for document in documents())


def lines_of_a_day() -> list[bytes]:
    """Hours that abstain more or less, some of another model; a device that falls silent and is heard again."""
    lines: list[bytes] = []
    for hour, (abstains, wrong) in enumerate(
        [(0, 0), (10, 0), (12, 1), (0, 4), (0, 0), (10, 0), (0, 0), (0, 0), (0, 2), (12, 0), (0, 0), (0, 0)]
    ):
        for at in range(12):
            at_ms, name = hour * HOUR_MS + at * 5 * MINUTE_MS, "ab"[at % 2]
            told = {"release_id": f"rel-{name}", "device_id": f"d-{name}", "abstained": at < abstains}
            other = {"model_digest": "sha256:" + "9" * 64} if at < wrong else {}
            lines.append(inference(f"{hour}-{at}", at_ms, 0.3, **told, **other))
            if at % 2 or hour not in (5, 6, 7, 9, 10):
                lines.append(heartbeat(f"{hour}-{at}", at_ms + 1, release_id=f"rel-{name}", device_id=f"d-{name}"))
    return [*lines, tick(12 * HOUR_MS)]


def heartbeat(number: object, at_ms: int, **fields: Any) -> bytes:
    counts = {"uptime_s": 1, "inferences_since_last": 1, "errors_since_last": 0, "buffer_depth": 0}
    return event("heartbeat", number, at_ms, releases=[], **counts, **fields)


@dataclass(frozen=True)
class Portion:
    """What a flush of a worker wrote, as far as an evaluator reads it."""

    rows: Sequence[PaneRow]
    progress: Progress

    def store(self, store: Store, log_id: str = LOG_ID) -> None:
        store.write_panes(log_id, self.rows)
        store.write_progress(log_id, self.progress)


@lru_cache
def portions(records_each: int = 75) -> Sequence[Portion]:
    """The day, in flushes that are hours long: several windows of a monitor close at once."""
    return flushed(log_of(lines_of_a_day()), records_each)


def flushed(records: Sequence[LogRecord], records_each: int) -> Sequence[Portion]:
    store = MemoryStore()
    worker, found = Owner(store, LOG_ID, registry()), []
    while worker.owned.offset + 1 < len(records):
        worker.step(records, records_each, flush=False)
        rows = worker.owned.flush(accept_all)
        found.append(Portion(rows, store.read_progress(LOG_ID)[0]))
    return found


@dataclass
class Knife:
    """Strikes at the n-th call that changes anything outside the process, before or after it took effect: kills it, refuses the
    call once, or lets something else happen meanwhile."""

    at: int | None = None
    after: bool = False
    away: bool = False
    meanwhile: Callable[[], None] | None = None
    calls: int = 0

    def fall(self, act: Any, failure: type[Exception]) -> Any:
        self.calls += 1
        if self.calls != self.at:
            return act()
        if self.meanwhile is not None:
            self.meanwhile()
            return act()
        if self.after:
            act()
        raise failure("away") if self.away else Died


class CutStore:
    """A store under a knife."""

    def __init__(self, store: Store, knife: Knife) -> None:
        self._store, self._knife = store, knife

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in WRITES:
            return method
        return lambda *args, **options: self._knife.fall(lambda: method(*args, **options), StoreUnavailable)


@dataclass
class CutSender:
    """A broker under a knife; `sent` is what stands in its topics."""

    knife: Knife
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    def send_all(self, messages: Sequence[Message], within_s: float | None = None) -> None:
        lines = [(message.topic, message.value) for message in messages]
        self.knife.fall(lambda: self.sent.extend(lines), NotAcknowledged)

    def of(self, topic: str) -> list[Line]:
        return [json.loads(value) for name, value in self.sent if name == topic]


class Process:
    """An evaluator process: its service and its outbox on one store; `live` restarts it when it is killed."""

    def __init__(self, store: Store, sender: CutSender, knife: Knife, owned: Collection[str] | None = None) -> None:
        self.store, self._sender, self._knife, self.owned = store, sender, knife, owned
        self._watermark = -(2**62)
        self.start()

    def start(self) -> None:
        """All memory is lost."""
        front: Any = CutStore(self.store, self._knife)
        outbox = Outbox(front, LOG_ID, self._sender, "incidents", "triggers")
        service = EvaluationService(
            front, registry(), LOG_ID, LogShape(1, None), lambda: self.owned, undelivered=outbox.look_back
        )
        self._service, self._outbox = service, outbox

    def step(self) -> None:
        self._outbox.deliver(self._service.step())

    def live(self) -> None:
        """A step that comes to its end, whatever it takes; the watermark never goes back."""
        while True:
            try:
                self.step()
                break
            except Died:
                self.start()
            except StoreUnavailable:
                continue
        reached = max((one.watermark_ms for one in read_judged(self.store, LOG_ID).values()), default=self._watermark)
        assert reached >= self._watermark
        self._watermark = reached


@dataclass(frozen=True)
class Outcome:
    """What evaluators left behind."""

    status: list[str]
    lines: list[Line]
    triggers: list[Line]
    delivered: list[Line]
    delivered_triggers: list[Line]


def outcome_of(store: Store, sender: CutSender) -> Outcome:
    bodies = [json.loads(one.body) for one in store.history("incident_events") if one.key.startswith(f"{LOG_ID}|")]
    triggers = [json.loads(one.body) for one in store.newest("triggers") if one.key.startswith(f"{LOG_ID}|")]
    status = [row.body for row in store.read_status(LOG_ID) if row.key[0] != "0"]
    lines = [body["line"] for body in bodies]
    assert sorted(map(text, (one for body in bodies for one in body["triggers"]))) == sorted(map(text, triggers))
    return Outcome(status, lines, triggers, sender.of("incidents"), sender.of("triggers"))


def text(line: Line) -> str:
    return json.dumps(line, sort_keys=True)


def everything_is_delivered(found: Outcome) -> bool:
    """Stored lines and triggers stand in the topics, nothing else does, and a trigger id has one content."""
    same = {text(one) for one in found.delivered} == {text(one) for one in found.lines}
    asked = {text(one) for one in found.delivered_triggers}
    ids = {one["trigger_id"] for one in found.delivered_triggers}
    return same and asked == {text(one) for one in found.triggers} and len(ids) == len(asked)


def undisturbed() -> tuple[Outcome, int]:
    """One evaluator that lives through every portion, and how many calls changed something outside of it."""
    store, knife = MemoryStore(), Knife()
    sender = CutSender(knife)
    process = Process(store, sender, knife)
    for portion in portions():
        portion.store(store)
        process.live()
    return outcome_of(store, sender), knife.calls
