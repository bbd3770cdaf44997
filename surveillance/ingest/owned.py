"""A partition as its owner holds it: loaded from the store, folded, and written back in the order that keeps it exact.

Write order: raw rows, quarantine and reroutes acknowledged, panes, progress; only then may an offset be committed.

A fetch is folded by `take`, or by `prepare` and `apply`. On StoreUnavailable nothing of it counts yet and the same records
may come again, now or after a flush: a flush writes what was applied, and nothing of what was only prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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
    """One partition: its fold, what is not written yet, and its progress."""

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
        self._raw: list[RawRows] = []
        self._refused: list[Reject] = []
        self._elsewhere: list[tuple[EventBatch, int]] = []
        self._changed: list[PaneRow] = []
        self._moved = False

    def _restore(self, progress: Progress) -> None:
        since_ms = _since(progress, max(_EVENTS_KEPT_MS, self.fold.registry.longest_retransmit_ms() + DAY_MS))
        kinds = [int(kind) for kind in Kind]
        chunks = self._store.read_raw(
            self.at.log_id, self.at.partition, last_offset=progress.offset, since_ms=since_ms, kinds=kinds
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
        self._raw.append(prepared.raw)
        self._refused += prepared.refused
        self._elsewhere += [(prepared.batch, row) for row in prepared.elsewhere.tolist()]
        if len(prepared.batch.record_offsets):
            self.offset = int(prepared.batch.record_offsets[-1])
            self._moved = True
        return slices

    @property
    def waiting_rows(self) -> int:
        """Raw rows not written yet."""
        return sum(len(rows) for rows in self._raw)

    def flush(self, acknowledge: Acknowledge) -> list[PaneRow]:
        """Write everything applied so far; the rows written. Raises StoreUnavailable: nothing is lost, it may be called again."""
        if not self._moved:
            return []
        log_id = self.at.log_id
        while self._raw:
            self._store.write_raw(log_id, self._raw[0])
            self.fold.stored(self._raw.pop(0))
        quarantined = [_quarantined(self.at, one) for one in self._refused]
        self._store.write_quarantine(log_id, quarantined)
        acknowledge(quarantined, self._elsewhere)
        self._refused, self._elsewhere = [], []
        changed = self.fold.table.changed()
        self._store.write_panes(log_id, changed)
        self.fold.table.mark_stored(changed)
        self._changed += changed
        self._store.write_progress(log_id, self.progress)
        self._moved = False
        self.fold.expire()
        written, self._changed = self._changed, []
        return written

    def stop(self, why: str) -> None:
        """The partition no longer moves; the next flush says so in its progress."""
        self.stopped, self._moved = why, True

    def go_on(self) -> None:
        """The partition moves again."""
        self.stopped, self._moved = "", True

    @property
    def progress(self) -> Progress:
        clock = self.fold.clock
        return Progress(self.at.partition, self.offset, clock.watermark_ms, clock.partition_ms, self.stopped)

    def _read_panes(self, keys: Sequence[PaneKey]) -> Sequence[PaneRow]:
        return self._store.read_panes(self.at.log_id, keys=keys)

    def _find_raw(self, event: Hashes | None, subject: Hashes | None, before: int) -> RawRows:
        return self._store.find_raw(self.at.log_id, self.at.partition, event=event, subject=subject, before=before)


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
