"""Folding one partition: from the decoded events of a fetch to contributions, raw rows and refusals.

Everything here depends only on smaller positions of the partition and on the registrations in force at a record's broker
time (law 3). `prepare` advances the order-dependent state; `apply` adds the contributions to the pane table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from surveillance.arrays import Bool, Codes, Hashes, Int
from surveillance.events.batch import Coded, EventBatch, Kind, Reject
from surveillance.events.partitioning import partition_of
from surveillance.ingest.accumulate import Compact, Increments, Rows, compact, deltas
from surveillance.ingest.axes import cell_codes
from surveillance.ingest.cells import CellTable, Group
from surveillance.ingest.classify import Classified, Classifier, Disposition
from surveillance.ingest.contributions import (
    MICRO,
    Contribution,
    InferenceFacts,
    action_contributions,
    beat_contributions,
    event_contributions,
    inference_contributions,
    label_contributions,
    span_contributions,
)
from surveillance.ingest.encounters import EncounterIndex
from surveillance.ingest.join import ACTION_BITS, Inferences, Joined, JoinIndex, Reports, grade_of
from surveillance.ingest.pane_table import Delta, PaneTable
from surveillance.ingest.raw import origin_hashes, raw_rows, replayed
from surveillance.ingest.watermark import PartitionClock
from surveillance.panes import statistics
from surveillance.panes.groups import group_text
from surveillance.panes.plan import DAY_AXIS, DEVICE_AXES, Plan
from surveillance.panes.rows import PaneKey
from surveillance.panes.statistics import Statistic
from surveillance.registry import Registration, Registry
from surveillance.store.protocol import RawRows
from surveillance.times import DAY_MS

JOIN_HORIZON_MS = 35 * DAY_MS
"""Inferences are kept in memory this long for their labels: longer than the longest shipped window, and most latencies."""
LONGEST_EVENT_AGE_MS = 8 * DAY_MS
"""Encounter tokens are kept this long: a day beyond a week of late events."""

FIELD_USE_MODES = ("active", "canary")
_LEDGER_AXES = ("disposition", "reason")
LEDGER_STATISTIC = Statistic(statistics.LEDGER, 1, DAY_MS, (_LEDGER_AXES,))

_MakeJoined = Callable[[Plan, Joined, Codes], Iterator[Contribution]]
FindRaw = Callable[[Hashes | None, Hashes | None, int], RawRows]
"""Raw rows by event hashes or by subject hashes, with offset below the given one."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a fetch adds. `record_watermark_ms` and `record_partition_ms` are the clocks after each record, shape (records,)."""

    batch: EventBatch
    contributions: Sequence[Contribution]
    raw: RawRows
    refused: Sequence[Reject]
    elsewhere: Int
    """Rows to be produced again to their own partition."""
    record_watermark_ms: Int
    record_partition_ms: Int
    rows_by_record: Int
    """Index of its record for each row of the batch."""
    invalid: int


class PartitionFold:
    """The state of one partition between two records."""

    def __init__(self, partition: int, partitions: int, registry: Registry, table: PaneTable, find_raw: FindRaw) -> None:
        self.partition, self.partitions = partition, partitions
        self.registry, self.table, self.cells = registry, table, CellTable()
        self.clock = PartitionClock()
        self.classifier = Classifier(self._confirm)
        self.encounters, self.join = EncounterIndex(), JoinIndex()
        self._find_raw = find_raw
        self._pending: list[RawRows] = []
        self._forgotten_ms: int | None = None
        self._oldest_ms = 2**62

    # state ------------------------------------------------------------------------------------------------
    def restore(self, chunks: Iterable[RawRows], *, forgotten_ms: int | None) -> None:
        """Take up raw rows up to the stored progress, in order; rows before `forgotten_ms` (broker time) were left out."""
        self._forgotten_ms = forgotten_ms
        for rows in chunks:
            self.classifier.remember(rows.event, origin_hashes(rows), rows.broker_ms)
            inferences, outcomes, actions, tokens = replayed(rows, self.cells)
            self.encounters.fold(*tokens)
            self.join.fold(
                inferences, outcomes, actions, broker_ms=rows.broker_ms, verified_by_default=self._verified_by_default()
            )

    def expire(self) -> None:
        """Forget what is too old to be repeated or continued; labels of older inferences are looked up in the raw table."""
        now_ms = self.clock.partition_ms
        retransmit_ms = max(
            (one.plan.manifest.surveillance.telemetry.retransmit_window_ms for one in self.registry.all()), default=0
        )
        self.classifier.expire(now_ms - retransmit_ms)
        self.encounters.expire(now_ms - LONGEST_EVENT_AGE_MS)
        self.join.expire(now_ms - JOIN_HORIZON_MS)
        if now_ms - JOIN_HORIZON_MS > self._oldest_ms:
            self._forgotten_ms = now_ms - JOIN_HORIZON_MS

    def stored(self, rows: RawRows) -> None:
        """These raw rows are acknowledged by the store, and need no longer be kept for look-ups."""
        self._pending = [pending for pending in self._pending if pending is not rows]

    def _confirm(self, key: Hashes, text: Sequence[str], before: int) -> Bool:
        """Whether events with these very ids stand before: a collision of hashes must not drop an event."""
        found: dict[int, set[str]] = {}
        wanted = np.unique(key)
        for rows in [*self._pending, self._find_raw(wanted, None, before)]:
            for at in np.flatnonzero(np.isin(rows.event, wanted)):
                found.setdefault(int(rows.event[at]), set()).add(rows.event_id[int(at)])
        return np.fromiter(
            (event_id in found.get(int(code), ()) for code, event_id in zip(key, text, strict=True)), np.bool_, len(key)
        )

    def _verified_by_default(self) -> Bool:
        known = {one.digest: _verified_default(one) for one in self.registry.all()}
        return np.fromiter((known.get(cell.manifest_digest, False) for cell in self.cells.cells), np.bool_, len(self.cells.cells))

    # folding ----------------------------------------------------------------------------------------------
    def prepare(self, batch: EventBatch) -> Prepared:
        """Judge the events of a fetch and work out what they add; the order-dependent state is then beyond them."""
        classified = self.classifier.classify(batch, self.registry, self._elsewhere(batch))
        self._oldest_ms = min(self._oldest_ms, int(batch.event_ms.min(initial=self._oldest_ms)))
        disposition = classified.disposition
        counted = disposition == Disposition.COUNTED
        tenants = batch.envelope.text("tenant")
        field_use = _field_use(batch)
        contributions = list(self._events(batch, classified, tenants, counted, field_use))
        inferences, encounter_facts = self._inferences(batch, classified, tenants, counted, field_use)
        contributions += encounter_facts
        outcomes, acted = _outcomes(batch, counted & field_use), _actions(batch, counted & field_use)
        labels, actions = self._joined(batch, inferences, outcomes, acted)
        contributions += self._of_joined(labels, classified, label_contributions)
        contributions += self._of_joined(actions, classified, action_contributions)
        refused = [*batch.rejects, *_refused(batch, classified)]
        contributions += self._ledger(batch, disposition, refused)
        watermark_ms, partition_ms = self.clock.advance(batch, counted, self.registry)
        raw = raw_rows(batch, classified, inferences, outcomes, acted, classified.origins, self.cells)
        self._pending.append(raw)
        return Prepared(
            batch=batch,
            contributions=contributions,
            raw=raw,
            refused=refused,
            elsewhere=np.flatnonzero(disposition == Disposition.ELSEWHERE),
            record_watermark_ms=watermark_ms,
            record_partition_ms=partition_ms,
            rows_by_record=np.searchsorted(batch.record_offsets, batch.offset).astype(np.int64),
            invalid=len(refused),
        )

    def apply(self, prepared: Prepared, record_slices: Int | None = None) -> Iterator[int]:
        """Add a fetch to the pane table slice by slice, yielding each slice's number when it is in.

        `record_slices` numbers the slice of each record, ascending; without it the fetch is one slice. While stored rows
        may hold records of this fetch already, every record is a slice of its own (law 2).
        """
        records = len(prepared.batch.record_offsets)
        if record_slices is None:
            record_slices = np.zeros(records, np.int64)
        applied = record_slices
        if records and int(prepared.batch.record_offsets[0]) <= self.table.stored_version:
            applied = np.arange(records, dtype=np.int64)
        by_slice = self._deltas(prepared, applied)
        slice_of = dict(zip(applied.tolist(), record_slices.tolist(), strict=True))
        current: int | None = None
        for number in sorted({*by_slice, *applied.tolist()}):
            if current is not None and slice_of[number] != current:
                yield current
            current = slice_of[number]
            self.table.apply(by_slice.get(number, ()))
        if current is not None:
            yield current

    def _deltas(self, prepared: Prepared, record_slices: Int) -> dict[int, list[Delta]]:
        """One delta per slice and row: a label that an inference brings in shares its record, so their sum is applied at once."""
        found: dict[int, dict[PaneKey, Delta]] = {}
        numbered: dict[tuple[int, int, int, int], Compact] = {}
        offsets = prepared.batch.record_offsets
        for one in prepared.contributions:
            if not len(one.row):
                continue
            # Statistics that share rows and pane width share the numbering, which is the dear part.
            shape = (id(one.row), id(one.cells), id(one.times_ms), one.statistic.pane_ms)
            if shape not in numbered:
                record = prepared.rows_by_record[one.row] if one.statistic is not LEDGER_STATISTIC else one.row
                coded = Rows(record_slices[record], offsets[record], one.cells, one.times_ms)
                numbered[shape] = compact(coded, one.statistic.pane_ms)
            for number, delta in deltas(one.statistic, numbered[shape], one.increments, self.cells, self.partition):
                rows = found.setdefault(number, {})
                other = rows.get(delta.key)
                rows[delta.key] = (
                    delta if other is None else Delta(delta.key, max(delta.offset, other.offset), delta.counts + other.counts)
                )
        return {number: list(rows.values()) for number, rows in found.items()}

    # what the events of a fetch add -------------------------------------------------------------------------
    def _elsewhere(self, batch: EventBatch) -> Bool:
        away = np.zeros(len(batch), np.bool_)
        if self.partitions > 1:
            device = batch.envelope.text("device_id")
            home = np.fromiter((partition_of(value, self.partitions) for value in device.values), np.int64, len(device.values))
            away = home[device.codes] != self.partition
            away[list(batch.origins)] = False
        return away

    def _events(
        self, batch: EventBatch, classified: Classified, tenants: Coded, counted: Bool, field_use: Bool
    ) -> Iterator[Contribution]:
        arrived = np.isin(classified.disposition, (Disposition.COUNTED, Disposition.DUPLICATE, Disposition.LATE)) & field_use
        for number, registration in enumerate(classified.registrations):
            plan, mine = registration.plan, classified.registration == number
            row = np.flatnonzero(mine & arrived)
            if len(row) and any(plan.of_family(statistics.EVENTS)):
                cells = cell_codes(batch.envelope, row, (tenants.codes[row], tenants.values), plan, plan.event_axes, self.cells)
                duplicate = classified.disposition[row] == Disposition.DUPLICATE
                yield from event_contributions(plan, row, cells, batch.event_ms[row], duplicate)
            row = np.flatnonzero(mine & counted)
            if len(row):
                cells = cell_codes(batch.envelope, row, (tenants.codes[row], tenants.values), plan, (), self.cells)
                yield from span_contributions(plan, row, cells, batch.event_ms[row])
            row = np.flatnonzero(mine & counted & field_use)
            if len(row):
                cells = cell_codes(batch.envelope, row, (tenants.codes[row], tenants.values), plan, DEVICE_AXES, self.cells)
                yield from beat_contributions(plan, row, cells, batch.broker_ms[row], batch.kind[row] == Kind.HEARTBEAT)

    def _inferences(
        self, batch: EventBatch, classified: Classified, tenants: Coded, counted: Bool, field_use: Bool
    ) -> tuple[Inferences, list[Contribution]]:
        columns = batch.kinds[Kind.INFERENCE]
        pick = np.flatnonzero(counted[columns.rows])
        row = columns.rows[pick]
        in_use, event_ms = field_use[row], batch.event_ms[row]
        score = columns.number("score")[pick]
        score_micro = np.rint(score * MICRO).astype(np.int64)
        flagged = columns.number("alert_raised")[pick] == 1.0
        cells = np.zeros(len(row), np.int32)
        for number, registration in enumerate(classified.registrations):
            mine = np.flatnonzero(classified.registration[row] == number)
            if len(mine):
                coded = (tenants.codes[row[mine]], tenants.values)
                cells[mine] = cell_codes(
                    columns, pick[mine], coded, registration.plan, registration.plan.inference_axes, self.cells
                )
        opens, onset = np.zeros(len(row), np.bool_), np.zeros(len(row), np.bool_)
        used = np.flatnonzero(in_use)
        token = columns.ids("encounter_token").hash[pick]
        opens[used], onset[used] = self.encounters.fold(token[used], event_ms[used], flagged[used])
        contributions: list[Contribution] = []
        for number, registration in enumerate(classified.registrations):
            mine = np.flatnonzero(in_use & (classified.registration[row] == number))
            if not len(mine):
                continue
            facts = InferenceFacts(
                row=row[mine],
                pick=pick[mine],
                columns=columns,
                cells=cells[mine],
                day_cells=self._day_cells(cells[mine], event_ms[mine]),
                event_ms=event_ms[mine],
                broker_ms=batch.broker_ms[row[mine]],
                score=score[mine],
                score_micro=score_micro[mine],
                flagged=flagged[mine],
                opens=opens[mine],
                onset=onset[mine],
                release_differs=classified.release_differs[row[mine]],
            )
            contributions += inference_contributions(registration.plan, facts)
        key = columns.ids("inference_id").hash[pick]
        return Inferences(row, key, event_ms, score_micro, flagged, in_use, cells), contributions

    def _joined(self, batch: EventBatch, inferences: Inferences, outcomes: Reports, actions: Reports) -> tuple[Joined, Joined]:
        self._recall(np.concatenate([outcomes.key, actions.key]), batch)
        return self.join.fold(
            inferences, outcomes, actions, broker_ms=batch.broker_ms, verified_by_default=self._verified_by_default()
        )

    def _recall(self, key: Hashes, batch: EventBatch) -> None:
        """Take inferences that have left memory back from the raw table, with all that was said of them."""
        if self._forgotten_ms is None or not len(key):
            return
        wanted = np.unique(key)
        wanted = wanted[~self.join.knows(wanted)]
        if not len(wanted):
            return
        rows = self._find_raw(None, wanted, int(batch.record_offsets[0]))
        if not len(rows):
            return
        self.join.forget_waiting(wanted.tolist())
        inferences, outcomes, actions, _ = replayed(rows, self.cells)
        self.join.fold(inferences, outcomes, actions, broker_ms=rows.broker_ms, verified_by_default=self._verified_by_default())

    def _of_joined(self, joined: Joined, classified: Classified, make: _MakeJoined) -> list[Contribution]:
        found: list[Contribution] = []
        digests = np.array([cell.manifest_digest for cell in self.cells.cells])[joined.cell] if len(joined.cell) else np.zeros(0)
        for digest in np.unique(digests).tolist():
            registration = self.registry.get(digest)
            mine = joined.field_use & (digests == digest)
            if registration is not None and mine.any():
                chosen = Joined(*(getattr(joined, field)[mine] for field in Joined.__slots__))
                found += make(registration.plan, chosen, self._day_cells(chosen.cell, chosen.event_ms))
        return found

    def _day_cells(self, cells: Codes, event_ms: Int) -> Codes:
        day = event_ms // DAY_MS
        combined = cells.astype(np.int64) * 100_000 + day
        distinct, inverse = np.unique(combined, return_inverse=True)
        groups = []
        for code in distinct.tolist():
            tenant, digest, text = self.cells.cells[code // 100_000]
            groups.append(Group(tenant, digest, "&".join(filter(None, (f"{DAY_AXIS}={code % 100_000}", text)))))
        return self.cells.codes(groups)[inverse]

    def _ledger(self, batch: EventBatch, disposition: np.ndarray, refused: Sequence[Reject]) -> list[Contribution]:
        """Where every event went: rows here are records, because refused events have no row."""
        record = np.searchsorted(batch.record_offsets, batch.offset)
        names = {Disposition.COUNTED: "counted", Disposition.DUPLICATE: "duplicate", Disposition.LATE: "late"}
        entries: list[tuple[Int, Codes, Int]] = []
        for kind, name in names.items():
            row = np.flatnonzero(disposition == kind)
            cell = self.cells.code(Group("", "", group_text(_LEDGER_AXES, (name, ""))))
            entries.append((record[row], np.full(len(row), cell, np.int32), batch.broker_ms[row]))
        cells = self.cells.codes([Group("", "", group_text(_LEDGER_AXES, ("quarantined", one.reason))) for one in refused])
        at = np.searchsorted(batch.record_offsets, np.array([one.offset for one in refused], np.int64))
        entries.append((at, cells, np.array([one.broker_ms for one in refused], np.int64)))
        row, cell_column, times_ms = (np.concatenate(column) for column in zip(*entries, strict=True))
        order = np.argsort(row, kind="stable")
        return [Contribution(LEDGER_STATISTIC, row[order], cell_column[order], times_ms[order], [Increments(0)])]


def _verified_default(registration: Registration) -> bool:
    latency = registration.plan.manifest.baselines.label_latency
    return latency is not None and latency.verification_default in VERIFIED


VERIFIED = ("routine", "random_sample")


def _field_use(batch: EventBatch) -> Bool:
    mode = batch.envelope.text("mode")
    used = np.array([value in FIELD_USE_MODES for value in mode.values] + [True], np.bool_)  # not sent = active
    return used[mode.codes]


def _outcomes(batch: EventBatch, counted: Bool) -> Reports:
    columns = batch.kinds[Kind.OUTCOME]
    pick = np.flatnonzero(counted[columns.rows])
    kind, verification = columns.text("label_kind"), columns.text("verification")
    revision = np.nan_to_num(columns.number("revision")[pick], nan=1.0).astype(np.int64)
    said = np.array([int(value in VERIFIED) for value in verification.values] + [-1], np.int64)
    return Reports(
        row=columns.rows[pick],
        key=columns.ids("inference_id").hash[pick],
        grade=grade_of([kind.values[code] for code in kind.codes[pick].tolist()], revision),
        value=columns.number("label")[pick].astype(np.uint8),
        verified=said[verification.codes[pick]],
    )


def _actions(batch: EventBatch, counted: Bool) -> Reports:
    columns = batch.kinds[Kind.ALERT_ACTION]
    pick = np.flatnonzero(counted[columns.rows])
    action = columns.text("action")
    bits = np.array([ACTION_BITS[value] for value in action.values] + [0], np.uint8)
    nothing = np.zeros(len(pick), np.int64)
    return Reports(columns.rows[pick], columns.ids("inference_id").hash[pick], nothing, bits[action.codes[pick]], nothing)


def _refused(batch: EventBatch, classified: Classified) -> Iterator[Reject]:
    """Events that decoded, but that no manifest or no clock lets count."""
    tenant, device = batch.envelope.text("tenant"), batch.envelope.text("device_id")
    for at in np.flatnonzero(classified.disposition == Disposition.QUARANTINED).tolist():
        payload = batch.payloads[at]
        yield Reject(
            offset=int(batch.offset[at]),
            index=int(batch.index[at]),
            broker_ms=int(batch.broker_ms[at]),
            reason=classified.reason[at],
            detail="",
            sha256=hashlib.sha256(payload).hexdigest(),
            payload=payload,
            tenant=tenant.values[tenant.codes[at]],
            device_id=device.values[device.codes[at]],
            event_ms=int(batch.event_ms[at]),
        )
