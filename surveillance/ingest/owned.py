"""A partition as its owner holds it: loaded from the store, folded, and written back in the order that keeps it exact.

Write order: raw rows, quarantine and reroutes acknowledged, panes, progress; only then may an offset be committed. The
partitions of an owner are written together, because an insert costs the engine as much as some thousands of rows.

A fetch is folded by `take`, or by `prepare` and `apply`. On StoreUnavailable nothing of it counts yet and the same records
may come again, now or after a flush: a flush writes what was applied, and nothing of what was only prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from surveillance.arrays import NOT_SENT_MS, Hashes, Int
from surveillance.events.batch import EventBatch, Kind, Reject
from surveillance.ingest.outcome_join import JOIN_HORIZON_MS
from surveillance.ingest.pane_table import PaneTable
from surveillance.ingest.partition import PartitionFold, Prepared
from surveillance.ingest.watermark import PartitionClock
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.registry import Registry
from surveillance.store.protocol import Progress, Quarantined, RawRows, Store
from surveillance.times import DAY_MS

_ROWS_KEPT_MS = 4 * DAY_MS
"""Panes younger than this are read when a partition is taken over; older ones when something late touches them."""
_EVENTS_KEPT_MS = JOIN_HORIZON_MS + DAY_MS
"""Raw rows younger than this are read when a partition is taken over: an inference within the join's horizon arrived up to
the clock skew before its event time, its early labels before that."""
_ROWS_PER_INSERT = 20_000
"""Raw rows of one insert, fewer than this and one fetch more: bounds the memory of a flush."""


@dataclass(frozen=True, slots=True)
class LogPartition:
    """Where a partition stands: the log's identity, its topic, and how many partitions it has."""

    log_id: str
    topic: str
    partition: int
    partitions: int


Acknowledge = Callable[[Sequence[Quarantined], Sequence[tuple[EventBatch, int]]], None]
"""Sends refused events, and events of other partitions (batch, row), and returns when they are acknowledged."""


class OwnedPartition:
    """One partition: its fold, its progress, and what `flush` has not written yet."""

    def __init__(self, at: LogPartition, store: Store, registry: Registry) -> None:
        self.at, self._store = at, store
        progress = store.read_progress(at.log_id).get(at.partition)
        self.offset = -1 if progress is None else progress.offset
        self.stopped = "" if progress is None else progress.stopped
        since_ms = NOT_SENT_MS if progress is None else _since(progress, _ROWS_KEPT_MS)
        table = PaneTable(
            self._read_panes,
            stored_version=store.max_pane_version(at.log_id, at.partition),
            rows=store.read_panes(at.log_id, partition=at.partition, since_ms=since_ms),
            rows_since_ms=since_ms,
        )
        self.fold = PartitionFold(at.partition, at.partitions, registry, table, self._find_raw)
        if progress is not None:
            self.fold.clock = PartitionClock(progress.watermark_ms, progress.partition_ms)
            self._restore(progress)
        self.raw: list[RawRows] = []
        self.refused: list[Reject] = []
        self.elsewhere: list[tuple[EventBatch, int]] = []
        self.changed: list[PaneRow] = []
        self.moved = False

    def _restore(self, progress: Progress) -> None:
        since_ms = _since(progress, max(_EVENTS_KEPT_MS, self.fold.registry.longest_retransmit_ms() + DAY_MS))
        kinds = [int(kind) for kind in Kind]
        chunks = self._store.read_raw(
            self.at.log_id, self.at.partition, last_offset=progress.offset, since_ms=since_ms, kinds=kinds, ids=False
        )
        self.fold.restore(chunks, since_ms=since_ms, before=progress.offset + 1)

    def take(self, batch: EventBatch) -> Prepared:
        """Fold a fetch. Raises StoreUnavailable: the same records may come again."""
        prepared = self.prepare(batch)
        for _ in self.apply(prepared):
            pass
        return prepared

    def prepare(self, batch: EventBatch) -> Prepared:
        """Fold a fetch as far as its facts. Raises StoreUnavailable: the same records may come again."""
        return self.fold.prepare(batch)

    def apply(self, prepared: Prepared, record_slices: Int | None = None) -> Iterator[int]:
        """Add it to the panes as `PartitionFold.apply` does; from here on it is part of the next flush.

        Raises StoreUnavailable: the same Prepared may come again.
        """
        slices = self.fold.apply(prepared, record_slices)
        self.raw.append(prepared.raw)
        self.refused += prepared.refused
        self.elsewhere += [(prepared.batch, row) for row in prepared.elsewhere.tolist()]
        if len(prepared.batch.record_offsets):
            self.offset = int(prepared.batch.record_offsets[-1])
            self.moved = True
        return slices

    @property
    def waiting_rows(self) -> int:
        """Raw rows not written yet."""
        return sum(len(rows) for rows in self.raw)

    def flush(self, acknowledge: Acknowledge) -> list[PaneRow]:
        """Write everything applied so far; the rows written. Raises StoreUnavailable: nothing is lost, it may be called again."""
        return flush([self], self._store, acknowledge)

    def stop(self, why: str) -> None:
        """The partition no longer moves; the next flush says so in its progress."""
        self.stopped, self.moved = why, True

    def go_on(self) -> None:
        """The partition moves again."""
        self.stopped, self.moved = "", True

    @property
    def progress(self) -> Progress:
        clock = self.fold.clock
        return Progress(self.at.partition, self.offset, clock.watermark_ms, clock.partition_ms, self.stopped)

    def _read_panes(self, keys: Sequence[PaneKey]) -> Sequence[PaneRow]:
        return self._store.read_panes(self.at.log_id, keys=keys)

    def _find_raw(self, event: Hashes | None, subject: Hashes | None, before: int) -> RawRows:
        return self._store.find_raw(self.at.log_id, self.at.partition, event=event, subject=subject, before=before)


def flush(partitions: Iterable[OwnedPartition], store: Store, acknowledge: Acknowledge) -> list[PaneRow]:
    """Write everything that partitions of one log have applied so far; the rows written.

    Raises StoreUnavailable: nothing is lost, it may be called again.
    """
    moved = [one for one in partitions if one.moved]
    if not moved:
        return []
    log_id = moved[0].at.log_id
    for several in _inserts(moved):
        store.write_raw(log_id, *(rows for _, rows in several))
        for one, rows in several:
            one.raw = [waiting for waiting in one.raw if waiting is not rows]
            one.fold.stored(rows)
    quarantined = [_quarantined(one.at, refused) for one in moved for refused in one.refused]
    store.write_quarantine(log_id, quarantined)
    acknowledge(quarantined, [strayed for one in moved for strayed in one.elsewhere])
    for one in moved:
        one.refused, one.elsewhere = [], []
    changed = [(one, one.fold.table.changed()) for one in moved]
    store.write_panes(log_id, [row for _, panes in changed for row in panes])
    for one, panes in changed:
        one.fold.table.mark_stored(panes)
        one.changed += panes
    store.write_progress(log_id, *(one.progress for one in moved))
    written = [row for one in moved for row in one.changed]
    for one in moved:
        one.changed, one.moved = [], False
        one.fold.expire()
    return written


def _inserts(partitions: Iterable[OwnedPartition]) -> Iterator[list[tuple[OwnedPartition, RawRows]]]:
    """The raw rows not written yet, as many at a time as one insert takes."""
    several: list[tuple[OwnedPartition, RawRows]] = []
    for one, rows in [(owner, waiting) for owner in partitions for waiting in owner.raw]:
        several.append((one, rows))
        if sum(len(chunk) for _, chunk in several) >= _ROWS_PER_INSERT:
            yield several
            several = []
    if several:
        yield several


def _since(progress: Progress, kept_ms: int) -> int:
    return max(NOT_SENT_MS, progress.partition_ms - kept_ms)


def _quarantined(at: LogPartition, one: Reject) -> Quarantined:
    return Quarantined(
        tenant=one.tenant,
        topic=at.topic,
        partition=at.partition,
        offset=one.offset,
        index=one.index,
        broker_ms=one.broker_ms,
        reason=one.reason,
        detail=one.detail,
        sha256=one.sha256,
        payload=one.payload,
    )
