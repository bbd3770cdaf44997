"""Folding one partition: from the decoded events of a fetch to contributions, raw rows and refusals.

Everything here depends only on smaller positions of the partition and on the registrations in force at a record's append
time (law 3). A fetch is folded in two calls, and every look-up of a call comes before its first change:

  prepare ──▶ Prepared: judged, remembered, what it adds       StoreUnavailable: as if it had not been called
  apply   ──▶ added to the pane table, clocks moved            StoreUnavailable: nothing added; the same Prepared again

Until `apply` has succeeded, `prepare` of the same records gives the Prepared it gave before, so that a caller may repeat
both with the same list. Another list in between is an error of the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from surveillance.arrays import NOT_SENT_MS, Bool, Codes, Hashes, Int
from surveillance.events.batch import Coded, EventBatch, Kind, Reject
from surveillance.events.partitioning import partition_of
from surveillance.ingest.accumulate import Compact, Rows, compact, deltas
from surveillance.ingest.axes import cell_codes
from surveillance.ingest.cells import CellTable, Group
from surveillance.ingest.classify import STORED, Classified, Classifier, Disposition
from surveillance.ingest.contributions.contribution import MICRO, Contribution
from surveillance.ingest.contributions.of_actions import action_contributions
from surveillance.ingest.contributions.of_events import (
    beat_contributions,
    clock_contributions,
    event_contributions,
    lowest_contributions,
    span_contributions,
)
from surveillance.ingest.contributions.of_filtered import filtered_contributions
from surveillance.ingest.contributions.of_inferences import InferenceFacts, inference_contributions
from surveillance.ingest.contributions.of_labels import label_contributions
from surveillance.ingest.contributions.of_refusals import refused_clocks
from surveillance.ingest.distinct import distinct
from surveillance.ingest.encounters import EncounterIndex
from surveillance.ingest.entries import ledger_entries, refused_rows
from surveillance.ingest.field_use import action_reports, in_field_use, outcome_reports
from surveillance.ingest.join import Inferences, Joined
from surveillance.ingest.outcome_join import OutcomeJoin
from surveillance.ingest.pane_table import Delta, PaneTable
from surveillance.ingest.raw import raw_rows, replayed
from surveillance.ingest.watermark import PartitionClock
from surveillance.panes import statistics
from surveillance.panes.plan import DAY_AXIS, DEVICE_AXES, Plan
from surveillance.panes.rows import PaneKey
from surveillance.registry import Registry
from surveillance.store.protocol import RawRows
from surveillance.store.raw_columns import joined, newest, take
from surveillance.times import DAY_MS

_SLACK_MS = DAY_MS // 24
"""Broker time may step back when a partition's leader moves to another broker: by less than this."""
_TOKENS_KEPT_MS = 8 * DAY_MS
"""Encounter tokens are kept at least this long, whatever is registered when they are looked at."""
_MOST_DAY_CELLS = 50_000
"""A table of day cells is left behind when it is larger: every day brings new ones, and old days do not come again."""

_DAY_BITS = 23

_MakeJoined = Callable[[Plan, Joined, Codes], Iterator[Contribution]]
_Step = tuple[int, Sequence[Delta]]
FindRaw = Callable[[Hashes | None, Hashes | None, int], RawRows]
"""Raw rows by event hashes or by subject hashes, with offset below the given one. May raise StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a fetch adds. `record_watermark_ms` and `record_partition_ms` are the clocks after each record, shape (records,)."""

    batch: EventBatch
    contributions: Sequence[Contribution]
    day_cells: CellTable
    """The cells of `FLOW`; those of the other statistics are the partition's."""
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
    """The state of one partition between two records. Memory is bounded by its horizons and by the groups that exist."""

    def __init__(self, partition: int, partitions: int, registry: Registry, table: PaneTable, find_raw: FindRaw) -> None:
        self.partition, self.partitions = partition, partitions
        self.registry, self.table, self.cells = registry, table, CellTable()
        self.clock = PartitionClock()
        self.classifier = Classifier(lambda event, before: self._found(event, None, before))
        self.encounters = EncounterIndex()
        self.join = OutcomeJoin(registry, self.cells, lambda subject, before: self._found(None, subject, before))
        self._find_raw = find_raw
        self._day_table = CellTable()
        self._pending: list[RawRows] = []
        self._unapplied: Prepared | None = None

    # state ------------------------------------------------------------------------------------------------
    def restore(self, chunks: Iterable[RawRows], *, since_ms: int, before: int) -> None:
        """Take up raw rows with offset < `before`, in order; rows of earlier broker time than `since_ms` were left out.

        `clock` is set before. Raises StoreUnavailable: this fold is of no use then.
        """
        for rows in chunks:
            self.classifier.remember(rows)
            inferences, outcomes, actions, tokens = replayed(rows, self.cells)
            self.encounters.fold(*tokens)
            self.join.restore(rows, inferences, outcomes, actions)
        self.classifier.expire(since_ms)
        self.join.expire(self.clock.partition_ms)
        self.join.restored(before)

    def expire(self) -> None:
        """Forget what is too old to be repeated or continued; what memory no longer knows is looked up in the raw table.

        Tokens alone cannot be looked up. They are kept as long as an event may be late under any registration.
        """
        now_ms = self.clock.partition_ms - _SLACK_MS
        self.classifier.expire(now_ms - self.registry.longest_retransmit_ms())
        self.encounters.expire(now_ms - max(_TOKENS_KEPT_MS, self.registry.longest_lateness_ms()))
        self.join.expire(self.clock.partition_ms)

    def stored(self, rows: RawRows) -> None:
        """These raw rows are acknowledged by the store, and need no longer be kept for look-ups."""
        self._pending = [pending for pending in self._pending if pending is not rows]

    def _found(self, event: Hashes | None, subject: Hashes | None, before: int) -> RawRows:
        """Raw rows below the offset, stored or waiting to be."""
        chunks = [self._find_raw(event, subject, before)]
        for rows in self._pending:
            hit = np.zeros(len(rows), np.bool_)
            for column, wanted in ((rows.event, event), (rows.subject, subject)):
                hit |= np.isin(column, wanted) if wanted is not None else False
            chunks.append(take(rows, np.flatnonzero(hit & (rows.offset < before))))
        return newest(joined(self.partition, chunks))

    # folding ----------------------------------------------------------------------------------------------
    def prepare(self, batch: EventBatch) -> Prepared:
        """Judge the events of a fetch and work out what they add; see the module's docstring. Raises StoreUnavailable."""
        if self._unapplied is not None:
            if not np.array_equal(self._unapplied.batch.record_offsets, batch.record_offsets):
                raise RuntimeError("another fetch, while the one before is prepared and not applied")
            return self._unapplied
        field_use = in_field_use(batch)
        classified = self.classifier.classify(batch, self.registry, self._elsewhere(batch))
        counted = classified.disposition == Disposition.COUNTED
        reports = outcome_reports(batch, counted & field_use), action_reports(batch, counted & field_use)
        forgotten = self.join.look_up(batch, counted, *reports)
        # From here on nothing is read and nothing can fail.
        self.classifier.take(batch, classified)
        if len(self._day_table.cells) > _MOST_DAY_CELLS:
            self._day_table = CellTable()
        tenants = batch.envelope.text("tenant")
        contributions = list(self._events(batch, classified, tenants, counted, field_use))
        contributions += self._clocks(batch, classified, tenants, field_use)
        contributions += self._filtered(batch, classified, tenants, counted, field_use)
        inferences, facts = self._inferences(batch, classified, tenants, counted, field_use)
        contributions += facts
        for labels, actions in self.join.fold(batch, inferences, reports, forgotten):
            contributions += self._of_joined(labels, label_contributions)
            contributions += self._of_joined(actions, action_contributions)
        refused = [*batch.rejects, *refused_rows(batch, classified)]
        contributions.append(ledger_entries(batch, classified.disposition, refused, self.cells))
        watermark_ms, partition_ms = self.clock.after(batch, counted, self.registry)
        raw = raw_rows(batch, classified, inferences, reports, self.cells)
        self._pending.append(raw)
        self._unapplied = Prepared(
            batch=batch,
            contributions=contributions,
            day_cells=self._day_table,
            raw=raw,
            refused=refused,
            elsewhere=np.flatnonzero(classified.disposition == Disposition.ELSEWHERE),
            record_watermark_ms=watermark_ms,
            record_partition_ms=partition_ms,
            rows_by_record=np.searchsorted(batch.record_offsets, batch.offset).astype(np.int64),
            invalid=len(refused),
        )
        return self._unapplied

    def apply(self, prepared: Prepared, record_slices: Int | None = None) -> Iterator[int]:
        """Add a fetch to the pane table slice by slice: the iterator gives the number of each slice when it is in.

        `record_slices` numbers the slice of each record, ascending; without it the fetch is one slice. While stored rows
        may hold records of this fetch already, every record is applied by itself (law 2). Raises StoreUnavailable before
        there is an iterator; an iterator must be used up.
        """
        records = len(prepared.batch.record_offsets)
        if record_slices is None:
            record_slices = np.zeros(records, np.int64)
        by_slice = self._deltas(prepared, record_slices)
        self.table.fetch(delta.key for found in by_slice.values() for delta in found)
        step_of = record_slices
        if records and int(prepared.batch.record_offsets[0]) <= self.table.stored_version:
            step_of = np.arange(records, dtype=np.int64)
            by_slice = self._deltas(prepared, step_of)
        if records:
            self.clock = PartitionClock(int(prepared.record_watermark_ms[-1]), int(prepared.record_partition_ms[-1]))
        self._unapplied = None
        slices = dict(zip(step_of.tolist(), record_slices.tolist(), strict=True))
        return self._applied([(slices[step], by_slice.get(step, ())) for step in sorted(slices)])

    def _applied(self, steps: Sequence[_Step]) -> Iterator[int]:
        for at, (number, found) in enumerate(steps):
            self.table.apply(found)
            if at + 1 == len(steps) or steps[at + 1][0] != number:
                yield number

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
                record = one.row if one.by_record else prepared.rows_by_record[one.row]
                coded = Rows(record_slices[record], offsets[record], one.cells, one.times_ms)
                numbered[shape] = compact(coded, one.statistic.pane_ms)
            cells = prepared.day_cells if one.statistic.family == statistics.FLOW else self.cells
            for number, delta in deltas(one.statistic, numbered[shape], one.increments, cells, self.partition):
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
        arrived = np.isin(classified.disposition, STORED) & field_use
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
            beats = batch.kinds[Kind.HEARTBEAT]
            pick = np.flatnonzero((mine & counted & field_use)[beats.rows])
            if len(pick) and any(plan.of_family(statistics.LOWEST)):
                row = beats.rows[pick]
                cells = cell_codes(batch.envelope, row, (tenants.codes[row], tenants.values), plan, DEVICE_AXES, self.cells)
                yield from lowest_contributions(plan, row, cells, batch.broker_ms[row], beats, pick)

    def _filtered(
        self, batch: EventBatch, classified: Classified, tenants: Coded, counted: Bool, field_use: Bool
    ) -> Iterator[Contribution]:
        """What monitors of events count that a filter names."""
        for number, registration in enumerate(classified.registrations):
            plan = registration.plan
            if not any(plan.of_family(statistics.SAFETY)):
                continue
            mine = (classified.registration == number) & counted & field_use
            for kind, columns in batch.kinds.items():
                pick = np.flatnonzero(mine[columns.rows])
                if len(pick):
                    row = columns.rows[pick]
                    coded = (tenants.codes[row], tenants.values)
                    cells = cell_codes(columns, pick, coded, plan, plan.safety_axes, self.cells)
                    yield from filtered_contributions(plan, kind, row, pick, cells, batch.event_ms[row], columns)

    def _clocks(self, batch: EventBatch, classified: Classified, tenants: Coded, field_use: Bool) -> Iterator[Contribution]:
        """What every event says of its sender's clock, refused ones included; not again of one that came from quarantine."""
        if not any(any(one.plan.of_family(statistics.CLOCKS)) for one in self.registry.all()):
            return
        heard = field_use & ~np.isin(classified.disposition, (Disposition.ELSEWHERE, Disposition.ECHO))
        heard[[row for row, origin in batch.origins.items() if origin[1] == self.partition]] = False
        sent_ms = batch.envelope.time_ms("sent_time")
        said_ms = np.where(sent_ms == NOT_SENT_MS, batch.event_ms, sent_ms)
        for number, registration in enumerate(classified.registrations):
            plan, row = registration.plan, np.flatnonzero(heard & (classified.registration == number))
            if len(row):
                cells = cell_codes(batch.envelope, row, (tenants.codes[row], tenants.values), plan, plan.clock_axes, self.cells)
                yield from clock_contributions(plan, row, cells, batch.broker_ms[row], said_ms[row])
        yield from refused_clocks(batch, self.registry, self.cells)

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

    def _of_joined(self, joined_rows: Joined, make: _MakeJoined) -> list[Contribution]:
        found: list[Contribution] = []
        digests = [cell.manifest_digest for cell in self.cells.cells]
        seen = sorted({digests[code] for code in np.unique(joined_rows.cell).tolist()})
        number_of = {digest: number for number, digest in enumerate(seen)}
        digest_of = np.array([number_of.get(digest, -1) for digest in digests], np.int64)[joined_rows.cell]
        for digest, number in number_of.items():
            registration = self.registry.get(digest)
            mine = joined_rows.field_use & (digest_of == number)
            if registration is not None and mine.any():
                chosen = Joined(*(getattr(joined_rows, field)[mine] for field in Joined.__slots__))
                found += make(registration.plan, chosen, self._day_cells(chosen.cell, chosen.event_ms))
        return found

    def _day_cells(self, cells: Codes, event_ms: Int) -> Codes:
        day = event_ms // DAY_MS
        first, inverse = distinct((cells.astype(np.int64) << _DAY_BITS) + day)  # days of the years 0001 to 9999, signed
        groups = []
        for cell, number in zip(cells[first].tolist(), day[first].tolist(), strict=True):
            tenant, digest, text = self.cells.cells[cell]
            groups.append(Group(tenant, digest, "&".join(filter(None, (f"{DAY_AXIS}={number}", text)))))
        return self._day_table.codes(groups)[inverse]
