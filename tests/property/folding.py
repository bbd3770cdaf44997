"""A log, its owners and what can happen to them: what the property tests of laws 1, 2, 3, 9 and 10 drive.

The records of a log stand still; what varies is how they are fetched, flushed, repeated, and where an owner dies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from surveillance.errors import StoreUnavailable
from surveillance.events.arrival import arrival_ms
from surveillance.events.batch import EventBatch
from surveillance.events.decode import decode
from surveillance.events.limits import DecodeLimits
from surveillance.ingest.ledger import Ledger
from surveillance.ingest.owned import LogPartition, OwnedPartition
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.parse import parse_manifest
from surveillance.panes.plan import plan_of
from surveillance.panes.rows import PaneKey
from surveillance.panes.statistics import LEDGER
from surveillance.registry import ALWAYS_MS, Registration, Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from tests.oracle.streams import HOUR_MS, START_MS, Scenario, generate
from tests.oracle.times import format_time

TOPIC = "pms.telemetry"
HEADER_KEY = b"a key of the tests"
Panes = dict[PaneKey, tuple[int, ...]]


class Died(Exception):
    """The owner was killed."""


@dataclass(frozen=True)
class LogRecord:
    """A record of the log; `timestamp` is the broker's append time, in ms."""

    offset: int
    timestamp: int
    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def registration(document: dict[str, Any], in_force_ms: int | None = None) -> Registration:
    """In force from `in_force_ms`, else from `effective_from`, else always."""
    manifest = parse_manifest(document)
    effective_ms = manifest.surveillance.effective_from_ms if in_force_ms is None else in_force_ms
    return Registration(plan_of(manifest, manifest_digest(document)), ALWAYS_MS if effective_ms is None else effective_ms)


@lru_cache(maxsize=64)
def scenario(seed: int, inferences: int = 60, hours: int = 8) -> Scenario:
    """A hostile but short stream; the second revision of its first manifest comes into force in the middle."""
    found = generate(seed, inferences=inferences, hours=hours)
    found.manifests[1]["surveillance"]["effective_from"] = format_time(START_MS + hours * HOUR_MS // 2)
    return found


@lru_cache(maxsize=64)
def registry_of(seed: int) -> Registry:
    """The manifests of a scenario, registered."""
    return Registry(registration(document) for document in scenario(seed).manifests)


def log_of(lines: Iterable[bytes]) -> list[LogRecord]:
    """One record for each line, appended when it arrived; a line that says no time arrived with the one before it."""
    records: list[LogRecord] = []
    for offset, line in enumerate(lines):
        found = arrival_ms(line)
        at_ms = found if found is not None else records[-1].timestamp if records else 0
        records.append(LogRecord(offset, at_ms, line))
    return records


def decoded(records: Sequence[LogRecord], *, partition: int = 0, forbidden: frozenset[str] = frozenset()) -> EventBatch:
    """A fetch, decoded as a worker does."""
    return decode(
        records, partition=partition, limits=DecodeLimits(), forbidden=forbidden, time_source="append", header_key=HEADER_KEY
    )


def owner(store: Store, log_id: str, registry: Registry, *, partition: int = 0, partitions: int = 1) -> OwnedPartition:
    """Somebody takes the partition over."""
    return OwnedPartition(LogPartition(log_id, TOPIC, partition, partitions), store, registry)


def accept_all(refused: object, elsewhere: object) -> None:
    """The broker acknowledges."""


def fold_straight(registry: Registry, records: Sequence[LogRecord]) -> MemoryStore:
    """The whole log in one fetch by one owner that never dies: what every other way must equal."""
    store = MemoryStore()
    only = owner(store, "straight", registry)
    only.take(decoded(records))
    only.flush(accept_all)
    return store


def panes_of(store: Store, log_id: str) -> Panes:
    """Counts by row."""
    return {row.key: tuple(row.counts.tolist()) for row in store.read_panes(log_id)}


def versioned_panes_of(store: Store, log_id: str) -> dict[PaneKey, tuple[int, tuple[int, ...]]]:
    """Version and counts by row: bit-equal stores agree in these."""
    return {row.key: (row.version, tuple(row.counts.tolist())) for row in store.read_panes(log_id)}


def ledger_of(store: Store, log_id: str) -> Ledger:
    """The ledger as the stored panes have it."""
    totals: dict[str, int] = {}
    for row in store.read_panes(log_id):
        if row.key.statistic == LEDGER:
            totals[row.key.group] = totals.get(row.key.group, 0) + int(row.counts[0])
    return Ledger.of_totals(totals)


WRITES = ("write_raw", "write_quarantine", "write_panes", "write_progress")
READS = ("read_raw", "find_raw", "read_panes", "max_pane_version", "read_progress")


@dataclass
class Trouble:
    """What befalls calls of a store: the n-th write kills the owner before or after it lands, or some calls fail."""

    dies_at_write: int | None = None
    after_it_landed: bool = False
    failing: dict[str, set[int]] = field(default_factory=dict)
    """Name of a method -> which of its calls raise StoreUnavailable; -1 = every one."""
    landed_first: bool = False
    """Failing writes reach the store all the same: only their acknowledgment is lost."""
    writes: int = 0
    calls: dict[str, int] = field(default_factory=dict)


class TroubledStore:
    """A store in front of which trouble happens; everything else is passed on."""

    def __init__(self, store: Store, trouble: Trouble) -> None:
        self._store, self.trouble = store, trouble

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in (*WRITES, *READS):
            return method
        return lambda *args, **options: self._call(name, method, args, options)

    def _call(self, name: str, method: Callable[..., Any], args: Any, options: Any) -> Any:
        trouble = self.trouble
        number = trouble.calls[name] = trouble.calls.get(name, 0) + 1
        if name in WRITES:
            trouble.writes += 1
            if trouble.writes == trouble.dies_at_write:
                if trouble.after_it_landed:
                    method(*args, **options)
                raise Died
        if trouble.failing.get(name, set()) & {number, -1}:
            if name in WRITES and trouble.landed_first:
                method(*args, **options)
            raise StoreUnavailable("the store is away")
        return method(*args, **options)


@dataclass
class Owner:
    """One owner of the only partition and the next offset it reads; it is replaced when it dies."""

    store: Store
    log_id: str
    registry: Registry
    owned: OwnedPartition = field(init=False)

    def __post_init__(self) -> None:
        self.take_over()

    def take_over(self) -> None:
        """All memory is lost; what the store has is read."""
        self.owned = owner(self.store, self.log_id, self.registry)

    def step(self, records: Sequence[LogRecord], count: int, flush: bool) -> None:
        """Fetch at most `count` records from where this owner stands, then flush or not."""
        start = self.owned.offset + 1
        fetched = records[start : start + count]
        if fetched:
            self.owned.take(decoded(fetched))
        if flush:
            self.owned.flush(accept_all)

    def finish(self, records: Sequence[LogRecord]) -> None:
        """Read to the end of the log and flush."""
        self.step(records, len(records), flush=True)


def again(record: LogRecord, **changes: Any) -> LogRecord:
    """The record with some fields changed."""
    return dataclasses.replace(record, **changes)
