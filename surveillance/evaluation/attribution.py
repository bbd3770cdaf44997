"""What a drift came from: the mix of the population or a change inside its strata, which field explains most, since when.

Read from the windows before the breach and from the window that caused the incident, as the rows are now. It says nothing
about limits and moves no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.change_point import change_point
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.explained_share import explained_share
from detectors.mix_decomposition import mix_share
from surveillance.arrays import Float, Int
from surveillance.evaluation.evidence import Evidence, reason_of
from surveillance.evaluation.judging import Subject
from surveillance.evaluation.mirror import Table
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.groups import scope_of
from surveillance.panes.plan import axis_source
from surveillance.panes.spread import is_mix_field, spread_axes, spread_fields, spread_statistic
from surveillance.times import DAY_MS, to_text

HISTORY_MS = 28 * DAY_MS
"""How far back the windows before a breach are read."""
_MOST_LEVELS = 50
"""Levels of a field that are told apart, the largest first; the rest are one."""
_REST = "(other levels)"


class _Split(NamedTuple):
    """Counts (levels, bins) of one field before the breach and in the window that caused the incident."""

    field: str
    levels: Sequence[str]
    before: Int
    after: Int


class _Period(NamedTuple):
    first_ms: int
    since_ms: int
    start_ms: int
    end_ms: int


def drift_attribution(subject: Subject, monitor: Monitor, evidence: Evidence, breached_since_ms: int) -> dict[str, Any] | None:
    """Public form of the attribution of an incident on this evidence; None for monitors that have none."""
    scope = dict(evidence.scope)
    feature = scope.pop("feature", None)
    name = spread_statistic(subject.plan.manifest, monitor, feature)
    if name is None or not any(one.id == name for one in subject.plan.statistics):
        return None
    fields = [field for field in spread_fields(subject.plan.manifest) if field not in scope]
    tables = [subject.mirror.table(subject.table_key(name, spread_axes(tuple(scope), field))) for field in fields]
    length = subject.plan.statistic(name).length
    since_ms = min(breached_since_ms, evidence.start_ms)
    period = _Period(since_ms - HISTORY_MS, since_ms, evidence.start_ms, evidence.end_ms)
    changed, earliest_ms = _changed(tables[0], fields[0], scope, period, length)
    # A breach is seen later than what caused it: rows since the change are no part of what was before.
    period = period._replace(since_ms=min(since_ms, earliest_ms))
    splits = [_split(table, field, scope, period, length) for table, field in zip(tables, fields, strict=True)]
    return _mix(subject, splits) | {"explained_by": _explained(splits), "change_point": changed}


def _split(table: Table, field: str, scope: Mapping[str, str], period: _Period, length: int) -> _Split:
    codes = {level: code for code, level in _levels(table, field, scope)}
    counted = {level: np.zeros((2, length), np.int64) for level in codes}
    for pane, groups in table.panes.items():
        side = 0 if period.first_ms <= pane < period.since_ms else 1 if period.start_ms <= pane < period.end_ms else None
        if side is not None:
            for level, code in codes.items():
                if code in groups:
                    counted[level][side] += groups[code]
    named = sorted(((level, sums) for level, sums in counted.items() if sums.any()), key=lambda one: (-one[1].sum(), one[0]))
    kept, rest = named[:_MOST_LEVELS], named[_MOST_LEVELS:]
    if rest:
        kept.append((_REST, np.sum([sums for _, sums in rest], axis=0)))
    sums = np.array([sums for _, sums in kept]) if kept else np.zeros((0, 2, length), np.int64)
    return _Split(field, [level for level, _ in kept], sums[:, 0], sums[:, 1])


def _levels(table: Table, field: str, scope: Mapping[str, str]) -> list[tuple[int, str]]:
    """Group codes inside the scope, with the level of the field."""
    found = []
    for code, text in enumerate(table.groups):
        levels = dict(scope_of(text))
        level = levels.pop(field)
        if levels == scope:
            found.append((code, level))
    return found


# what it came from ----------------------------------------------------------------------------------------
def _mix(subject: Subject, splits: Sequence[_Split]) -> dict[str, Any]:
    """Whether the mix of any field of the population explains more than half of the change, or surely none does."""
    manifest = subject.plan.manifest
    outcomes = [
        (split.field, mix_share(split.before, split.after))
        for split in splits
        if is_mix_field(axis_source(manifest, split.field)) and len(split.levels) > 1
    ]
    found = [(field, one) for field, one in outcomes if isinstance(one, Estimate)]
    if not found:
        refused = [one for _, one in outcomes if isinstance(one, Insufficient)]
        return {"kind": "undetermined", "mix": {"reason": (refused[0].reason if refused else Reason.NO_EXPOSURE).value}}
    field, most = max(found, key=lambda one: one[1].value)
    kind = "undetermined"
    if most.lower > 0.5:
        kind = "mix_shift"
    elif all(one.upper < 0.5 for _, one in found):
        kind = "within_stratum"
    return {"kind": kind, "mix": {"field": _public(field)} | _share(most)}


def _explained(splits: Sequence[_Split]) -> dict[str, Any]:
    """The level of any field that has most more of the change than of the rows, before and after taken together."""
    best: tuple[float, str, str, Estimate] | None = None
    refused: Outcome = Insufficient(Reason.NO_EXPOSURE)
    for split in splits:
        outcomes = explained_share(split.before, split.after) if len(split.levels) > 1 else []
        rows = _row_shares(split)
        for level, one, of_rows in zip(split.levels, outcomes, rows, strict=False):
            if isinstance(one, Insufficient):
                refused = one
            elif best is None or one.value - of_rows > best[0]:
                best = (one.value - of_rows, split.field, level, one)
    if best is None:
        return {"reason": reason_of(refused)}
    _, field, level, share = best
    return {"field": _public(field), "level": level} | _share(share) | {"n": share.n}


def _row_shares(split: _Split) -> list[float]:
    sides = [counts.sum(axis=1) / max(int(counts.sum()), 1) for counts in (split.before, split.after)]
    return np.mean(sides, axis=0).tolist() if len(split.levels) else []


def _share(estimate: Estimate) -> dict[str, Any]:
    return {"share": estimate.value, "lower": estimate.lower, "upper": estimate.upper}


def _public(field: str) -> str:
    return field.removeprefix("@")


# since when -----------------------------------------------------------------------------------------------
def _changed(table: Table, field: str, scope: Mapping[str, str], period: _Period, length: int) -> tuple[dict[str, Any], int]:
    """The change point in public form, and the start of the first pane that may have changed (the breach, where none is seen).

    The series is the bin shares of the panes, seen in the direction in which the window differs from what was before.
    """
    panes = sorted(pane for pane in table.panes if period.first_ms <= pane < period.end_ms)
    codes = [code for code, _ in _levels(table, field, scope)]
    split = _split(table, field, scope, period, length)
    before, after = split.before.sum(axis=0), split.after.sum(axis=0)
    if not before.sum() or not after.sum():
        return {"reason": Reason.NO_EXPOSURE.value}, period.since_ms
    pooled = (before + after) / (before + after).sum()
    direction = np.where(pooled > 0, (after / after.sum() - before / before.sum()) / np.where(pooled > 0, pooled, 1.0), 0.0)
    starts, series = _projected(table, panes, codes, direction)
    found = change_point(series)
    if isinstance(found, Insufficient):
        return {"reason": found.reason.value}, period.since_ms
    at, earliest, latest = (starts[int(index)] for index in (found.value, found.lower, found.upper))
    body = {"at": to_text(at), "earliest": to_text(earliest), "latest": to_text(latest), "method": found.method}
    return body, earliest


def _projected(table: Table, panes: Sequence[int], codes: Sequence[int], direction: Float) -> tuple[list[int], list[float]]:
    starts, series = [], []
    for pane in panes:
        groups = table.panes[pane]
        counts = np.sum([groups[code] for code in codes if code in groups], axis=0)
        total = float(np.sum(counts))
        if total:
            starts.append(pane)
            series.append(float(counts @ direction) / total)
    return starts, series
