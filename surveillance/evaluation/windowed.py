"""Monitors judged in windows: tumbling, sliding, or cumulative from the manifest's first event.

New windows are judged when the watermark passes an end of the monitor's own windows, together with closed ones whose data
were revised or whose labels became mature since. Results depend on window sums alone, never on when rows came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from detectors.estimate import Insufficient, Reason
from surveillance.arrays import Int
from surveillance.evaluation.due_windows import ChangedRow, DueWindows
from surveillance.evaluation.estimators import Request, findings, sample_sizes
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.mirror import Axes, merged
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.window_sums import WindowSums
from surveillance.manifest.metric_kind import Labelled
from surveillance.manifest.metrics_performance import ProportionVsFloor
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.groups import group_text, scope_of
from surveillance.panes.plan import Series
from surveillance.times import DAY_MS, floor_to

LONGEST_EXTENSION_MS = 28 * DAY_MS


class _Window(NamedTuple):
    """Counts of each scope, shape (scopes, length), where its window starts, and where all that was looked at starts."""

    counts: Int
    starts: Int
    reach: Int


class _Maturity(NamedTuple):
    """Whether labels are complete or old enough; `from_ms` = watermark that made them old enough, where they are not complete."""

    reached: bool
    from_ms: int | None = None


class _Answer(NamedTuple):
    """What one scope reports: its own numbers, or those of a parent."""

    pooled_to: Scope | None
    counts: Int
    finding: Finding
    mature: _Maturity


class WindowedMonitor:
    """Judges one monitor of one subject."""

    reads_all_before = False
    """Whether a window's result rests on all earlier panes of its statistic."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        self.subject, self.monitor = subject, monitor
        self.series = [one for one in subject.plan.series if one.monitor is monitor]
        window = subject.plan.manifest.surveillance.window(monitor.window) if monitor.window else None
        self.size_ms = window.size_ms if window is not None else None
        self.slide_ms = window.slide_ms if window is not None else subject.plan.base_pane_ms
        latency = subject.plan.manifest.baselines.label_latency
        self._or_age_ms = latency.maturity.or_age_ms if latency is not None else None
        self._sums = [self._sums_of(one.statistic, one.statistic_axes) for one in self.series]
        self._parents: dict[tuple[str, Axes], WindowSums] = {}
        self._dirty = [sums.table.subscribe() for sums in self._sums]
        self._windows = DueWindows(self.size_ms, self.slide_ms, or_age_ms=self._or_age_ms, reads_all_before=self.reads_all_before)

    @property
    def is_cumulative(self) -> bool:
        """Whether it is one window that grows, judged at its newest end only."""
        return self.size_ms is None and not self.reads_all_before

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of windows that have closed, changed, matured or become complete since the last call, ascending by end."""
        end, first = self._last_end(moment), self.subject.first_event_pane()
        if first is None or (end == self._windows.newest_end and not moment.final):
            return
        again, fresh = self._windows.due(first, end, self._changed(), moment)
        for ended in again:
            yield from self._at(ended, first, moment)
        for ended in fresh:
            # A window with nothing in it and nothing before it can be conclusive for no scope.
            if ended == end or self._has_data(ended):
                yield from self._at(ended, first, moment)

    def _changed(self) -> list[ChangedRow]:
        changed = [ChangedRow(number, *row) for number, reader in enumerate(self._dirty) for row in reader]
        for reader in self._dirty:
            reader.clear()
        return changed

    # which windows ----------------------------------------------------------------------------------------
    def _last_end(self, moment: Moment) -> int:
        end = floor_to(moment.watermark_ms, self.slide_ms)
        superseded = self.subject.superseded_ms
        if superseded is None:
            return end
        if self._is_labelled():
            if self._or_age_ms is None:
                return end
            superseded += self._or_age_ms
        return min(end, floor_to(superseded, self.slide_ms))

    def _is_labelled(self) -> bool:
        return isinstance(self.monitor.metric, Labelled) or self.monitor.metric.type == "label_arrivals_vs_expected"

    def _has_data(self, end: int) -> bool:
        if self.size_ms is None:
            return True
        reach = LONGEST_EXTENSION_MS if self._accumulates() else self.size_ms
        start = end - max(reach, self.size_ms)
        return any(True for sums in self._sums for _ in sums.table.inside(start, end, sums.pane_ms))

    def _accumulates(self) -> bool:
        return self.subject.plan.manifest.strata.below_min == "accumulate"

    # one window -------------------------------------------------------------------------------------------
    def _at(self, end: int, first: int, moment: Moment) -> Iterator[Evidence]:
        start = first if self.size_ms is None else end - self.size_ms
        judged: list[Judged] = []
        reach: dict[tuple[int, int], int] = {}
        for number, (series, sums) in enumerate(zip(self.series, self._sums, strict=True)):
            found = list(self.scopes(series, sums, start, end, moment))
            judged += found
            reach |= {(number, one.code): one.reach_ms for one in found if one.reach_ms is not None}
        revision = self.revision(min(reach.values(), default=start), end)
        mature = all(one.mature for one in judged)
        self._windows.judged(end, reach=reach, mature=mature, partial=moment.complete_ms < end)
        yield from evidence_of(self.subject, self.monitor, end, [one._replace(revision=revision) for one in judged], moment)

    def revision(self, reach: int, end: int) -> dict[int, int]:
        """Revision of everything that a result at this window end rests on: multiplicity joins all scopes of a monitor."""
        read = [sums.revision(reach, end) for sums in self._sums]
        return merged(read if self.size_ms is not None else [*read, self.subject.first_event_revision()])

    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        """Every scope of a series that has been seen before the window's end."""
        table = sums.table
        seen = [code for code in range(len(table.groups)) if table.first_pane[code] < end]
        if not seen:
            if not series.axes:
                yield self._empty(series, start)
            return
        scopes = [scope_with_feature(series, table.groups[code]) for code in seen]
        window = self._accumulated(series, sums, seen, scopes, start, end)
        mature = self._maturity(series, window.counts, end, moment)
        for at, finding in enumerate(self._findings(series, scopes, window.counts, mature)):
            own = _Answer(None, window.counts[at], finding, mature[at])
            if _is_small(finding) and self.subject.plan.manifest.strata.below_min == "pool_to_parent":
                own = self._pooled(series, scopes[at], start, end, moment) or own
            yield Judged(
                series=series,
                scope=scopes[at],
                start_ms=int(window.starts[at]),
                finding=own.finding,
                counts=tuple(own.counts.tolist()),
                mature=own.mature.reached,
                mature_from_ms=own.mature.from_ms,
                pooled_to=own.pooled_to,
                extended=int(window.starts[at]) != start,
                code=seen[at],
                reach_ms=int(window.reach[at]) if window.reach[at] < start else None,
            )

    def _empty(self, series: Series, start: int) -> Judged:
        needed = self._needed(series)
        nothing = Insufficient(Reason.BELOW_MINIMUM_N, 0, needed) if needed else Insufficient(Reason.NO_EXPOSURE)
        return Judged(series, scope_with_feature(series, ""), start, Finding(nothing), ())

    def _accumulated(
        self, series: Series, sums: WindowSums, seen: Sequence[int], scopes: Sequence[Scope], start: int, end: int
    ) -> _Window:
        """The window; scopes below their minimum extended backwards over whole earlier windows until they reach it."""
        counts, starts = sums.of_all(start, end)[seen], np.full(len(seen), start, np.int64)
        needed, size = self._needed(series), self.size_ms
        if not needed or size is None or not self._accumulates():
            return _Window(counts, starts, starts)
        earliest = np.array([sums.table.first_pane[code] for code in seen])
        wider, back = counts.copy(), start
        small = self._sizes(series, scopes, counts) < needed
        while end - (back - size) <= LONGEST_EXTENSION_MS and (searching := small & (earliest < back)).any():
            at = np.flatnonzero(searching)
            back -= size
            wider[at] += sums.of([seen[index] for index in at.tolist()], back, back + size)
            reached = at[self._sizes(series, [scopes[index] for index in at.tolist()], wider[at]) >= needed]
            counts[reached], starts[reached], small[reached] = wider[reached], back, False
        # A scope that found too little may find enough once older rows come, so all that was in reach is part of its result.
        return _Window(counts, starts, np.where(small, min(start, end - LONGEST_EXTENSION_MS), starts))

    def _findings(self, series: Series, scopes: Sequence[Scope], counts: Int, mature: Sequence[_Maturity]) -> list[Finding]:
        request = Request(self.subject.plan.manifest, series, scopes, counts)
        needed, sizes = self._needed(series), sample_sizes(request)
        found = []
        for at, finding in enumerate(findings(request)):
            outcome, n = finding.outcome, int(sizes[at])
            unknown = isinstance(outcome, Insufficient) and outcome.reason is Reason.UNKNOWN_REFERENCE
            if not unknown and n < needed:
                finding = Finding(Insufficient(Reason.BELOW_MINIMUM_N, n, needed))
            elif not unknown and not mature[at].reached:
                finding = Finding(Insufficient(Reason.IMMATURE_LABELS, n))
            found.append(finding)
        return found

    def _maturity(self, series: Series, counts: Int, end: int, moment: Moment) -> list[_Maturity]:
        metric, latency = self.monitor.metric, self.subject.plan.manifest.baselines.label_latency
        if not isinstance(metric, Labelled) or not metric.require_mature:
            return [_Maturity(True)] * len(counts)
        maturity = latency.maturity if latency is not None else None
        by_age = _Maturity(False)
        if maturity is not None and maturity.or_age_ms is not None and moment.watermark_ms >= end + maturity.or_age_ms:
            by_age = _Maturity(True, end + maturity.or_age_ms)
        if maturity is None or maturity.coverage_min is None:
            return [by_age] * len(counts)
        inferences, labelled = _coverage_counts(series, counts)
        covered = (inferences > 0) & (labelled >= maturity.coverage_min * inferences)
        return [_Maturity(True) if complete else by_age for complete in covered.tolist()]

    def _pooled(self, series: Series, scope: Scope, start: int, end: int, moment: Moment) -> _Answer | None:
        """The answer of the nearest parent that reaches the minimum, None where none does."""
        for axes in series.parents:
            sums = self._parent_sums(series.statistic, axes)
            levels = {axis: level for axis, level in scope if axis in axes}
            code = sums.table.code_of(group_text(list(levels), list(levels.values())))
            if code is None:
                continue
            pooled = sums.of_all(start, end)[code : code + 1]
            feature = tuple(pair for pair in scope if pair[0] == "feature")
            parent = tuple(sorted({*levels.items(), *feature}))
            mature = self._maturity(series, pooled, end, moment)
            found = self._findings(series, [parent], pooled, mature)[0]
            if not _is_small(found):
                return _Answer(parent, pooled[0], found, mature[0])
        return None

    def _parent_sums(self, statistic: str, axes: Axes) -> WindowSums:
        if (statistic, axes) not in self._parents:
            self._parents[statistic, axes] = self._sums_of(statistic, axes)
        return self._parents[statistic, axes]

    # sizes ------------------------------------------------------------------------------------------------
    def _sums_of(self, statistic: str, axes: Axes) -> WindowSums:
        table = self.subject.mirror.table(self.subject.table_key(statistic, axes))
        described = self.subject.plan.statistic(statistic)
        return WindowSums(table, described.pane_ms, described.length, cumulative=self.size_ms is None)

    def _sizes(self, series: Series, scopes: Sequence[Scope], counts: Int) -> Int:
        return sample_sizes(Request(self.subject.plan.manifest, series, scopes, counts))

    def _needed(self, series: Series) -> int:
        if self.monitor.min_n is not None:
            return self.monitor.min_n
        metric = self.monitor.metric
        if metric.opens_at_once or metric.ignores_min_sample:
            return 0
        sample = self.subject.plan.manifest.strata.min_sample
        if isinstance(metric, ProportionVsFloor):
            return {"sensitivity": sample.positives, "specificity": sample.labelled}.get(metric.event, sample.inferences)
        return sample.labelled if isinstance(metric, Labelled) else sample.inferences


def scope_with_feature(series: Series, group: str) -> Scope:
    """Scope of a stored group, with the key `feature` where the monitor has one series per feature."""
    levels = dict(scope_of(group))
    if series.feature is not None:
        levels["feature"] = series.feature
    return tuple(sorted(levels.items()))


def _is_small(finding: Finding) -> bool:
    return isinstance(finding.outcome, Insufficient) and finding.outcome.reason is Reason.BELOW_MINIMUM_N


def _coverage_counts(series: Series, counts: Int) -> tuple[Int, Int]:
    if series.statistic == statistics.LABELS:
        stride, label = len(statistics.Label), statistics.Label
        inferences = counts[:, label.INFERENCES] + counts[:, stride + label.INFERENCES]
        labelled = sum(counts[:, flag * stride + column] for flag in (0, 1) for column in (label.NEGATIVES, label.POSITIVES))
        return inferences, np.asarray(labelled, np.int64)
    head = statistics.LabelScoreHead
    inferences = counts[:, head.INFERENCES_UNFLAGGED] + counts[:, head.INFERENCES_FLAGGED]
    return inferences, counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].sum(axis=1)
