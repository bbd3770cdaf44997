"""Ledger entries of a fetch: where every event went, and what was refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from surveillance.arrays import Codes, Int, Small
from surveillance.events import declared
from surveillance.events.batch import EventBatch, Reject
from surveillance.events.reasons import counted_as
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.cells import CellTable, Group
from surveillance.ingest.classify import Classified, Disposition
from surveillance.ingest.contributions.contribution import Contribution
from surveillance.panes import statistics
from surveillance.panes.groups import group_text
from surveillance.panes.statistics import Statistic
from surveillance.times import DAY_MS

_LEDGER_AXES = ("disposition", "reason")
_NAMES = {Disposition.COUNTED: "counted", Disposition.DUPLICATE: "duplicate", Disposition.LATE: "late"}
LEDGER_STATISTIC = Statistic(statistics.LEDGER, 1, DAY_MS, (_LEDGER_AXES,))


def ledger_entries(batch: EventBatch, disposition: Small, refused: Sequence[Reject], cells: CellTable) -> Contribution:
    """One entry for each event, by broker time; `row` numbers records here, because refused events have no row."""
    record = np.searchsorted(batch.record_offsets, batch.offset)
    entries: list[tuple[Int, Codes, Int]] = []
    for kind, name in _NAMES.items():
        row = np.flatnonzero(disposition == kind)
        cell = cells.code(Group("", "", group_text(_LEDGER_AXES, (name, ""))))
        entries.append((record[row], np.full(len(row), cell, np.int32), batch.broker_ms[row]))
    reasons = [counted_as(one.reason, declared.paths()) for one in refused]
    codes = cells.codes([Group("", "", group_text(_LEDGER_AXES, ("quarantined", reason))) for reason in reasons])
    at = np.searchsorted(batch.record_offsets, np.array([one.offset for one in refused], np.int64))
    entries.append((at, codes, np.array([one.broker_ms for one in refused], np.int64)))
    row, cell_column, times_ms = (np.concatenate(column) for column in zip(*entries, strict=True))
    order = np.argsort(row, kind="stable")
    return Contribution(LEDGER_STATISTIC, row[order], cell_column[order], times_ms[order], [Increments(0)], by_record=True)


def refused_rows(batch: EventBatch, classified: Classified) -> Iterator[Reject]:
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
