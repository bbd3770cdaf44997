"""What counts in field statistics: events in field use, and what outcomes and actions among them report."""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Bool, Int
from surveillance.events.batch import EventBatch, Kind
from surveillance.ingest.join import ACTION_BITS, Reports, grade_of
from surveillance.panes.log_bins import LONGEST_DELAY_MS

FIELD_USE_MODES = ("active", "canary")
VERIFIED = ("routine", "random_sample")
"""Verifications by which a label was ascertained whatever the call was."""


def in_field_use(batch: EventBatch) -> Bool:
    """Rows whose mode enters field statistics; not sent = active."""
    mode = batch.envelope.text("mode")
    used = np.array([value in FIELD_USE_MODES for value in mode.values] + [True], np.bool_)
    return used[mode.codes]


def outcome_reports(batch: EventBatch, where: Bool) -> Reports:
    """The outcomes among these rows."""
    columns = batch.kinds[Kind.OUTCOME]
    pick = np.flatnonzero(where[columns.rows])
    kind, verification = columns.text("label_kind"), columns.text("verification")
    revision = np.nan_to_num(columns.number("revision")[pick], nan=1.0).astype(np.int64)
    said = np.array([int(value in VERIFIED) for value in verification.values] + [-1], np.int64)
    return Reports(
        row=columns.rows[pick],
        key=columns.ids("inference_id").hash[pick],
        grade=grade_of([kind.values[code] for code in kind.codes[pick].tolist()], revision),
        value=columns.number("label")[pick].astype(np.uint8),
        verified=said[verification.codes[pick]],
        treated=(columns.number("treated_before_label")[pick] == 1.0).astype(np.int64),
        when_ms=np.zeros(len(pick), np.int64),
    )


def action_reports(batch: EventBatch, where: Bool) -> Reports:
    """The alert actions among these rows."""
    columns = batch.kinds[Kind.ALERT_ACTION]
    pick = np.flatnonzero(where[columns.rows])
    action = columns.text("action")
    bits = np.array([ACTION_BITS[value] for value in action.values] + [0], np.uint8)
    nothing = np.zeros(len(pick), np.int64)
    latency_ms = np.minimum(columns.number("latency_from_alert_ms")[pick], LONGEST_DELAY_MS)
    sent = np.isfinite(latency_ms)
    when_ms = np.where(
        sent, -1 - np.rint(np.where(sent, latency_ms, 0.0)).astype(np.int64), event_times(batch.event_ms, columns.rows[pick])
    )
    return Reports(
        row=columns.rows[pick],
        key=columns.ids("inference_id").hash[pick],
        grade=nothing,
        value=bits[action.codes[pick]],
        verified=nothing,
        treated=nothing,
        when_ms=when_ms,
    )


def event_times(event_ms: Int, row: Int) -> Int:
    """Event times as `Reports.when_ms` says them: below zero stands something else, and nothing was alerted before 1970."""
    return np.maximum(event_ms[row], 0)
