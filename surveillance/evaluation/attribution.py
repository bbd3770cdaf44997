"""What a drift came from: the mix of the population or a change inside its strata, which field explains most, since when.

The fields are those of the rows (site, vendor, firmware, declared axes) and the version, told from what other releases count.

Read from the windows before the breach and from the window that caused the incident, as the rows are now. It says nothing
about limits and moves no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from surveillance.evaluation.moved_rows import Moved, moved_rows
from surveillance.evaluation.side_by_side import version_tables
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.groups import scope_of
from surveillance.panes.plan import axis_source
from surveillance.panes.spread import VERSION, is_mix_field, spread_axes, spread_fields, spread_statistic
from surveillance.times import DAY_MS, to_text

HISTORY_MS = 28 * DAY_MS
"""How far back the windows before a breach are read."""
_MOST_LEVELS = 50
"""Levels of a field that are told apart, the largest first; the rest are one."""
_REST = "(other levels)"
_DIGITS = 9
"""Shares that are equal to so many digits are the same rows."""


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
    found = _mix(subject, splits)
    splits.append(_of_versions(subject, name, scope, period, length))
    return found | {"explained_by": _explained(subject, splits), "change_point": changed}


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


def _of_versions(subject: Subject, name: str, scope: Mapping[str, str], period: _Period, length: int) -> _Split:
    """Releases that are in use side by side, or one after the other, as levels of one field."""
    counted: dict[str, Int] = {}
    for release_id, table, field in version_tables(subject, name, scope):
        split = _split(table, field, scope, period, length)
        sums = np.array([split.before.sum(axis=0), split.after.sum(axis=0)])
        counted[release_id] = counted.get(release_id, 0) + sums
    named = {release_id: sums for release_id, sums in counted.items() if sums.any()}
    both = np.array(list(named.values())) if named else np.zeros((0, 2, length), np.int64)
    return _Split(VERSION, list(named), both[:, 0], both[:, 1])


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
    outcomes = [(split.field, mix_share(split.before, split.after)) for split in splits if _is_mix(subject, split)]
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


def _is_mix(subject: Subject, split: _Split) -> bool:
    brings_levels = bool(((split.before.sum(axis=1) == 0) & (split.after.sum(axis=1) > 0)).any())
    source = axis_source(subject.plan.manifest, split.field)
    return len(split.levels) > 1 and is_mix_field(source, brings_levels=brings_levels)


class _Share(NamedTuple):
    """The part of the change that is put down to one level of a field, and the part of the rows in which that is no more than
    a change everywhere alike."""

    field: str
    level: str
    estimate: Estimate
    of_rows: float
    is_new: bool = False
    """The level was not there before."""

    @property
    def rank(self) -> tuple[float, bool]:
        """What it has more of the change than of the rows; of two levels that are the same rows, the new one goes first."""
        return round(self.estimate.value - self.of_rows, _DIGITS), self.is_new


def _explained(subject: Subject, splits: Sequence[_Split]) -> dict[str, Any]:
    """The level of any field that has most more of the change than of the rows."""
    found: list[_Share] = []
    refused: Outcome = Insufficient(Reason.NO_EXPOSURE)
    for split in splits:
        for one in _of_field(subject, split, splits) if len(split.levels) > 1 else []:
            if isinstance(one, Insufficient):
                refused = one
            else:
                found.append(one)
    if not found:
        return {"reason": reason_of(refused)}
    most = max(found, key=lambda one: one.rank)
    of = {"field": _public(most.field), "level": most.level}
    return of | _share(most.estimate) | {"n": most.estimate.n, "of_rows": most.of_rows}


def _of_field(subject: Subject, split: _Split, splits: Sequence[_Split]) -> Iterator[_Share | Insufficient]:
    """The shares of its levels. Equipment that lost rows to new equipment is another selection of what it was, and explains
    nothing; the new has the change of the rows that moved to it."""
    moved: Moved | Insufficient = Moved(split.before, np.zeros(len(split.levels), np.bool_), rest_changed=False)
    if _is_equipment(subject, split.field):
        others = [rows for one in splits if one.field != split.field for rows in zip(one.before, one.after, strict=True)]
        moved = moved_rows(split.before, split.after, others)
    if isinstance(moved, Insufficient):
        yield moved
        return
    # New equipment that came when nothing else changed has no rows of before to share the change with.
    of_rows = _row_shares(moved.before if moved.rest_changed else split.before, split.after)
    outcomes = explained_share(moved.before, split.after)
    for at, one in enumerate(outcomes):
        if isinstance(one, Insufficient):
            yield one
        elif not moved.lost[at]:
            yield _Share(split.field, split.levels[at], one, of_rows[at], is_new=not split.before[at].any())
    yield from _spread_further(subject, split)


def _spread_further(subject: Subject, split: _Split) -> list[_Share]:
    """Known equipment of which more is in use than before explains what its mix does: the level that has spread most."""
    if not _is_equipment(subject, split.field):
        return []
    mix = mix_share(split.before, split.after)
    if isinstance(mix, Insufficient) or mix.lower <= 0.5:
        return []
    had, has = (counts.sum(axis=1) / counts.sum() for counts in (split.before, split.after))
    most = int(np.argmax(has - had))
    if not had[most]:
        return []
    of_level = Estimate(mix.value, mix.lower, mix.upper, int(split.after[most].sum()), mix.method)
    return [_Share(split.field, split.levels[most], of_level, float(had[most]))]


def _is_equipment(subject: Subject, field: str) -> bool:
    return field == VERSION or axis_source(subject.plan.manifest, field).startswith("device_context.")


def _row_shares(before: Int, after: Int) -> list[float]:
    shares: list[float] = np.mean([counts.sum(axis=1) / max(int(counts.sum()), 1) for counts in (before, after)], axis=0).tolist()
    return shares


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
