"""Raw rows: what is kept of an event, and how the order-dependent state is read back from them after a restart.

`packed` columns: 0 score in micro-units with the flag and field-use bits; 1 grade of a label; 2 label or action bit, with
what was said of verification and of treatment; 3 hash of the original coordinates of an event that the service produced
again; 4 for an action that says its time since the alert 1 + that time, else zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surveillance.arrays import Bool, Codes, Hashes, Int
from surveillance.coded_texts import CodedTexts
from surveillance.events.batch import Coded, EventBatch, Kind
from surveillance.ingest.cells import CellTable, Group
from surveillance.ingest.classify import ORIGIN_COLUMN, STORED, Classified, Disposition
from surveillance.ingest.field_use import event_times
from surveillance.ingest.join import FIELD_USE_BIT, FLAGGED_BIT, Inferences, Reports
from surveillance.store.protocol import RawRows

PACKED_COLUMNS = 5
_SCORE, _GRADE, _REPORT = range(ORIGIN_COLUMN)
_SINCE_ALERT = 4
_VERIFIED_SHIFT, _TREATED_SHIFT = 8, 10
_WITH_SUBJECT = (Kind.INFERENCE, Kind.OUTCOME, Kind.ALERT_ACTION)

Tokens = tuple[Hashes, Int, Bool]


def raw_rows(
    batch: EventBatch, classified: Classified, inferences: Inferences, reports: tuple[Reports, Reports], cells: CellTable
) -> RawRows:
    """The rows of a fetch that are kept: everything but what was refused, stands elsewhere or came twice by our own hand."""
    n = len(batch)
    packed = np.zeros((n, PACKED_COLUMNS), np.int64)
    packed[:, ORIGIN_COLUMN] = classified.origins.view(np.int64)
    packed[inferences.row, _SCORE] = (
        inferences.score_micro + inferences.flagged * FLAGGED_BIT + inferences.field_use * FIELD_USE_BIT
    )
    packed[:, _REPORT] = -1
    for said in reports:
        packed[said.row, _GRADE] = said.grade
        around = (said.verified + 1 << _VERIFIED_SHIFT) + (said.treated << _TREATED_SHIFT)
        packed[said.row, _REPORT] = said.value.astype(np.int64) + around
        packed[said.row, _SINCE_ALERT] = np.maximum(-said.when_ms, 0)
    subject, subject_id, token = _subjects(batch)
    rows = np.flatnonzero(np.isin(classified.disposition, STORED))
    picked = rows.tolist()
    digests = tuple(one.digest for one in classified.registrations)
    event_id = batch.envelope.ids("event_id")
    return RawRows(
        partition=batch.partition,
        offset=batch.offset[rows],
        index=batch.index[rows],
        broker_ms=batch.broker_ms[rows],
        event_ms=batch.event_ms[rows],
        kind=batch.kind[rows],
        disposition=classified.disposition[rows],
        tenant=_texts(batch.envelope.text("tenant"), rows),
        device_id=_texts(batch.envelope.text("device_id"), rows),
        release_id=_texts(batch.envelope.text("release_id"), rows),
        manifest_digest=CodedTexts(classified.registration[rows], digests),
        event_id=[event_id.text[at] for at in picked],
        subject_id=[subject_id[at] for at in picked],
        event=event_id.hash[rows],
        subject=subject[rows],
        token=token[rows],
        cell=_cell_texts(n, inferences, cells).rows(rows),
        packed=packed[rows],
        payload=[batch.payloads[at] for at in picked],
    )


def _subjects(batch: EventBatch) -> tuple[Hashes, Sequence[str], Hashes]:
    subject, token = np.zeros(len(batch), np.uint64), np.zeros(len(batch), np.uint64)
    text = [""] * len(batch)
    for kind in _WITH_SUBJECT:
        columns = batch.kinds[kind]
        ids = columns.ids("inference_id")
        subject[columns.rows] = ids.hash
        for row, value in zip(columns.rows.tolist(), ids.text, strict=True):
            text[row] = value
    columns = batch.kinds[Kind.INFERENCE]
    token[columns.rows] = columns.ids("encounter_token").hash
    return subject, text, token


def _texts(coded: Coded, rows: Int) -> CodedTexts:
    return CodedTexts.of((*coded.values, "")).rows(coded.codes[rows])


def _cell_texts(n: int, inferences: Inferences, cells: CellTable) -> CodedTexts:
    """Text of the cell of each row of the fetch, empty where it is no inference."""
    seen, inverse = np.unique(inferences.cell, return_inverse=True)
    codes = np.zeros(n, np.int32)
    codes[inferences.row] = inverse + 1
    return CodedTexts.of(("", *(cells.cells[code].text for code in seen.tolist()))).rows(codes)


def replayed(rows: RawRows, cells: CellTable) -> tuple[Inferences, Reports, Reports, Tokens]:
    """The counted inferences, outcomes, actions and encounter tokens of raw rows, as folding saw them."""
    counted = rows.disposition == Disposition.COUNTED
    packed = rows.packed
    at = np.flatnonzero(counted & (rows.kind == Kind.INFERENCE))
    score = packed[at, _SCORE]
    flagged, field_use = (score & FLAGGED_BIT) != 0, (score & FIELD_USE_BIT) != 0
    inferences = Inferences(
        row=at,
        key=rows.subject[at],
        event_ms=rows.event_ms[at],
        score_micro=score & (FLAGGED_BIT - 1),
        flagged=flagged,
        field_use=field_use,
        cell=_cells(rows, at, cells),
    )
    used = at[field_use]
    tokens = (rows.token[used], rows.event_ms[used], flagged[field_use])
    return inferences, _reports(rows, counted, Kind.OUTCOME), _reports(rows, counted, Kind.ALERT_ACTION), tokens


def _cells(rows: RawRows, at: Int, cells: CellTable) -> Codes:
    """Cell of each of these inferences; one look-up for each that differs."""
    columns = (rows.tenant, rows.manifest_digest, rows.cell)
    combined = np.zeros(len(at), np.int64)
    for column in columns:
        combined = combined * len(column.values) + column.codes[at]
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    groups = [Group(*(column[int(row)] for column in columns)) for row in at[first]]
    return cells.codes(groups)[inverse]


def _reports(rows: RawRows, counted: Bool, kind: Kind) -> Reports:
    report = rows.packed[:, _REPORT]
    at = np.flatnonzero(counted & (rows.kind == kind) & (report >= 0))
    said = report[at]
    since_alert = rows.packed[at, _SINCE_ALERT] if rows.packed.shape[1] > _SINCE_ALERT else np.zeros(len(at), np.int64)
    return Reports(
        row=at,
        key=rows.subject[at],
        grade=rows.packed[at, _GRADE],
        value=(said & 0xFF).astype(np.uint8),
        verified=(said >> _VERIFIED_SHIFT & 3) - 1,
        treated=said >> _TREATED_SHIFT & 1,
        when_ms=np.where(since_alert > 0, -since_alert, event_times(rows.event_ms, at)),
    )
