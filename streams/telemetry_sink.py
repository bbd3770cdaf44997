"""The production sink: fetched records of owned partitions through decoding and folding into the store.

assign ──▶ loaded ──fold──▶ folded ──flush──▶ stored (raw, quarantine, panes, progress) ──▶ the consumer may commit
             ▲                │
             └── revoke ◀─────┘ whatever is not stored is folded again by the next owner
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from time import monotonic

import numpy as np

from streams.metrics import Metrics
from streams.sink import LOG_START, REFUSED_HEADER, STOPPED, Record
from surveillance.errors import QuarantineLimit, StoreUnavailable
from surveillance.events import declared
from surveillance.events.batch import EventBatch
from surveillance.events.decode import TimeSource, decode
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import NAMELESS, counted_as
from surveillance.ingest.classify import Disposition
from surveillance.ingest.owned import Acknowledge, LogPartition, OwnedPartition, flush
from surveillance.ingest.partition import Prepared
from surveillance.ingest.quarantine_limit import QuarantinePolicy, QuarantineState
from surveillance.registry import EVER_MS, IN_FORCE_DELAY_MS, Registry
from surveillance.store.protocol import Store

CLOCK_MARGIN_MS = 5_000
"""How far this machine's clock and the broker's may be apart before a registration could be read too late."""
QUARANTINE_STOP, GAP_STOP = "quarantine_limit", "ledger_gap"


@dataclass(frozen=True, slots=True)
class SinkPolicy:
    """Bounds of a sink. `waiting_rows` raw rows at most wait for a flush; panes that close are flushed this often at most."""

    limits: DecodeLimits = field(default_factory=DecodeLimits)
    quarantine: QuarantinePolicy = field(default_factory=QuarantinePolicy)
    waiting_rows: int = 200_000
    closed_pane_flush_s: float = 0.25


def always() -> int:
    """Registrations are complete up to any time: where they do not come over a log."""
    return 2**62


class TelemetrySink:
    """A `PartitionSink`. All calls come from one thread.

    `registrations_ms` = broker time up to which every registration is known; records are not folded before those that may
    govern them are. `flushed` is called after each flush.
    """

    def __init__(
        self,
        log: LogPartition,
        store: Store,
        registry: Registry,
        acknowledge: Acknowledge,
        *,
        time_source: TimeSource,
        header_key: bytes | None,
        policy: SinkPolicy | None = None,
        registrations_ms: Callable[[], int] = always,
        flushed: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
    ) -> None:
        self._log, self._store, self._registry, self._acknowledge = log, store, registry, acknowledge
        self._time_source, self._header_key, self._policy = time_source, header_key, policy or SinkPolicy()
        self._registrations_ms, self._flushed, self._metrics = registrations_ms, flushed, metrics
        self._owned: dict[int, OwnedPartition] = {}
        self._quarantine: dict[int, QuarantineState] = {}
        self._unapplied: dict[int, Prepared] = {}
        # A person looked at what stopped these there, and started a worker: from there they go on.
        self._may_resume = {one.partition: one.offset for one in store.read_progress(log.log_id).values() if one.stopped}
        self._flushed_at = monotonic()
        self._flushed_panes: dict[int, int] = {}

    # assignment ---------------------------------------------------------------------------------------------
    def assign(self, partitions: Collection[int]) -> Mapping[int, int]:
        self._owned, self._unapplied = {}, {}
        self._quarantine = {partition: QuarantineState(self._policy.quarantine) for partition in partitions}
        opened = {p: OwnedPartition(replace(self._log, partition=p), self._store, self._registry) for p in sorted(partitions)}
        self._owned = opened
        self._flushed_panes = {partition: self._pane(owned) for partition, owned in opened.items()}
        return {partition: self._wanted(partition, owned) for partition, owned in opened.items()}

    def _wanted(self, partition: int, owned: OwnedPartition) -> int:
        if owned.stopped.startswith(QUARANTINE_STOP) and self._may_resume.get(partition) != owned.offset:
            return STOPPED
        return LOG_START if owned.offset < 0 else owned.offset + 1

    def revoke(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self._owned.pop(partition, None)
            self._unapplied.pop(partition, None)

    def gap(self, partition: int, wanted: int, log_start: int, log_end: int) -> None:
        if partition in self._owned:
            where = f"offset {wanted} is wanted, the log holds {log_start} to {log_end}"
            self._owned[partition].stop(f"{GAP_STOP}: {where}")

    # folding ------------------------------------------------------------------------------------------------
    def fold(self, partition: int, records: Sequence[Record]) -> None:
        owned = self._owned[partition]
        if owned.stopped:
            owned.go_on()
        self._await_registrations(records)
        self._apply(partition, owned)
        for run in self._runs([record for record in records if record.offset > owned.offset]):
            self._unapplied[partition] = owned.prepare(self._decoded(partition, run))
            self._apply(partition, owned)

    def _apply(self, partition: int, owned: OwnedPartition) -> None:
        """Add what is prepared. It may have been left over by a store that did not answer; adding it again adds nothing."""
        prepared = self._unapplied.get(partition)
        if prepared is not None:
            for _ in owned.apply(prepared):
                pass
            del self._unapplied[partition]
            if self._metrics is not None:
                _count(self._metrics, prepared)
            self._limit_quarantine(partition, owned, prepared)

    def _await_registrations(self, records: Sequence[Record]) -> None:
        """A registration is in force 60 s after its broker time, so those of this time at the latest must be known."""
        if self._time_source == "append":
            needed_ms = max(record.timestamp for record in records) - IN_FORCE_DELAY_MS + CLOCK_MARGIN_MS
            if needed_ms > self._registrations_ms():
                raise StoreUnavailable("the releases topic is not read far enough yet")

    def _runs(self, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
        """Consecutive records under the same forbidden fields: what is forbidden depends on the registrations in force."""
        if not records:
            return
        if self._time_source == "header":
            yield records
            return
        times = np.fromiter((record.timestamp for record in records), np.int64, len(records))
        epoch = np.searchsorted(self._registry.boundaries(), times, side="right")
        borders = [0, *(np.flatnonzero(np.diff(epoch)) + 1).tolist(), len(records)]
        yield from (records[start:end] for start, end in pairwise(borders))

    def _decoded(self, partition: int, records: Sequence[Record]) -> EventBatch:
        forbidden = self._registry.forbidden(records[-1].timestamp if self._time_source == "append" else EVER_MS)
        batch = decode(
            records,
            partition=partition,
            limits=self._policy.limits,
            forbidden=forbidden,
            time_source=self._time_source,
            header_key=self._header_key,
        )
        return _with_refusals_named(batch, records)

    def _limit_quarantine(self, partition: int, owned: OwnedPartition, prepared: Prepared) -> None:
        exceeded = self._quarantine[partition].exceeded_by(valid=len(prepared.raw), invalid=prepared.invalid)
        if exceeded is not None:
            limit = QuarantineLimit(partition, owned.offset, *exceeded)
            owned.stop(f"{QUARANTINE_STOP}: {limit}")
            raise limit

    # flushing -----------------------------------------------------------------------------------------------
    def flush_due(self) -> bool:
        if sum(owned.waiting_rows for owned in self._owned.values()) >= self._policy.waiting_rows:
            return True
        if monotonic() - self._flushed_at < self._policy.closed_pane_flush_s:
            return False
        return any(self._pane(owned) != self._flushed_panes.get(partition) for partition, owned in self._owned.items())

    def _pane(self, owned: OwnedPartition) -> int:
        """Number of the narrowest pane that the watermark is in."""
        widths = [one.plan.base_pane_ms for one in self._registry.all()]
        return owned.fold.clock.watermark_ms // min(widths, default=1)

    def flush(self, deadline_s: float | None) -> Mapping[int, int]:
        flush(self._owned.values(), self._store, self._acknowledge)
        self._flushed_panes = {partition: self._pane(owned) for partition, owned in self._owned.items()}
        self._flushed_at = monotonic()
        self._flushed()
        return {partition: owned.offset + 1 for partition, owned in self._owned.items()}


def _count(metrics: Metrics, prepared: Prepared) -> None:
    """A counter for each thing that may become of an event."""
    numbers = np.bincount(prepared.raw.disposition, minlength=len(Disposition))
    for disposition in Disposition:
        if numbers[disposition]:
            metrics.events.labels(disposition.name.lower()).inc(int(numbers[disposition]))
    metrics.events.labels("quarantined").inc(len(prepared.refused))
    metrics.events.labels("elsewhere").inc(len(prepared.elsewhere))
    for one in prepared.refused:
        metrics.quarantined.labels(counted_as(one.reason, declared.paths())).inc()
    metrics.unknown_fields.inc(prepared.batch.unknown_fields)


def _with_refusals_named(batch: EventBatch, records: Sequence[Record]) -> EventBatch:
    """Records whose batch was not unpacked stand for nothing that can be read; the reason is in their header."""
    refused: dict[int, str] = {}
    for record in records:
        if record.value is None and record.key is None:
            reason = (dict(record.headers).get(REFUSED_HEADER) or b"").decode("ascii", "replace")
            if reason in NAMELESS:
                refused[record.offset] = reason
    if not refused:
        return batch
    named = [replace(one, reason=refused[one.offset]) if one.offset in refused else one for one in batch.rejects]
    return replace(batch, rejects=named)
