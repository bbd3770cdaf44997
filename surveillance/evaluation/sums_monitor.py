"""Monitors that are a function of the sums of one window: minimum sample, maturity, accumulation, pooling, estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from detectors.estimate import Estimate, Insufficient, Reason
from surveillance.arrays import Int
from surveillance.evaluation.estimators.beside import beside
from surveillance.evaluation.estimators.request import Request
from surveillance.evaluation.estimators.table import ESTIMATORS
from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.judging import Judged, Moment, Subject
from surveillance.evaluation.mirror import Axes
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.window_sums import WindowSums
from surveillance.evaluation.windowed import LONGEST_EXTENSION_MS, WindowedMonitor, scope_with_feature
from surveillance.manifest.metric_kind import Labelled
from surveillance.manifest.metrics_operation import Volume
from surveillance.manifest.metrics_safety import EventCount
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.groups import group_text
from surveillance.panes.plan import Series


class _Window(NamedTuple):
    """Counts of each scope, shape (scopes, length), where its window starts, and where all that was looked at starts."""

    counts: Int
    starts: Int
    reach: Int


class _Placed(NamedTuple):
    """Codes of the scopes' groups in their table, and where the window of each starts."""

    codes: Sequence[int]
    starts: Int


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


class SumsMonitor(WindowedMonitor):
    """Judges one monitor of one subject by the estimator of its metric type."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        super().__init__(subject, monitor)
        self._estimator = ESTIMATORS[monitor.metric.type]
        self._needed = subject.plan.manifest.minimum_sample_of(monitor)
        self._parents: dict[tuple[str, Axes], WindowSums] = {}
        self.zero_is_a_count = isinstance(monitor.metric, EventCount | Volume)

    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        """Every scope of a series that has been seen before the window's end."""
        table = sums.table
        seen = [code for code in range(len(table.groups)) if table.first_pane[code] < end]
        if not seen:
            if not series.axes:
                yield self._empty(series, start, end)
            return
        scopes = [scope_with_feature(series, table.groups[code]) for code in seen]
        window = self._accumulated(series, sums, seen, scopes, start, end)
        mature = self._maturity(series, window.counts, end, moment)
        request = Request(self.subject.plan.manifest, series, scopes, window.counts, start, end)
        for at, finding in enumerate(self._findings(request, sums, series.axes, _Placed(seen, window.starts), mature)):
            own = _Answer(None, window.counts[at], finding, mature[at])
            if _is_small(finding) and self._pools():
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

    def accumulates(self) -> bool:
        return super().accumulates() and not self._estimator.compares

    def _pools(self) -> bool:
        return self.subject.plan.manifest.strata.below_min == "pool_to_parent" and not self._estimator.compares

    def _empty(self, series: Series, start: int, end: int) -> Judged:
        scope = scope_with_feature(series, "")
        if self._needed:
            return Judged(series, scope, start, Finding(Insufficient(Reason.BELOW_MINIMUM_N, 0, self._needed)), ())
        if isinstance(self.monitor.metric, EventCount):
            return Judged(series, scope, start, Finding(Estimate(0.0, 0.0, 0.0, 0, "count")), ())
        return Judged(series, scope, start, Finding(Insufficient(Reason.NO_EXPOSURE)), ())

    def _accumulated(
        self, series: Series, sums: WindowSums, seen: Sequence[int], scopes: Sequence[Scope], start: int, end: int
    ) -> _Window:
        """The window; scopes below their minimum extended backwards over whole earlier windows until they reach it."""
        codes = np.array(seen, np.int64)
        counts, starts = sums.of_all(start, end)[codes], np.full(len(seen), start, np.int64)
        needed, size = self._needed, self.size_ms
        if not needed or size is None or not self.accumulates():
            return _Window(counts, starts, starts)
        earliest = np.array([sums.table.first_pane[code] for code in seen])
        wider, back = counts.copy(), start
        sizes = self._estimator.sizes
        manifest = self.subject.plan.manifest
        small = sizes(Request(manifest, series, scopes, counts, start, end)) < needed
        while end - (back - size) <= LONGEST_EXTENSION_MS and (searching := small & (earliest < back)).any():
            at = np.flatnonzero(searching)
            back -= size
            wider[at] += sums.of(codes[at], back, back + size)
            searched = Request(manifest, series, [scopes[index] for index in at.tolist()], wider[at], back, end)
            reached = at[sizes(searched) >= needed]
            counts[reached], starts[reached], small[reached] = wider[reached], back, False
        # A scope that found too little may find enough once older rows come, so all that was in reach is part of its result.
        return _Window(counts, starts, np.where(small, min(start, end - LONGEST_EXTENSION_MS), starts))

    def _findings(
        self, request: Request, sums: WindowSums, axes: Axes, placed: _Placed, mature: Sequence[_Maturity]
    ) -> list[Finding]:
        beside = self._beside(request, sums, axes, placed)
        return [
            replace(finding, beside={**(finding.beside or {}), **stands}) if stands else finding
            for finding, stands in zip(self._judged(request, mature), beside, strict=True)
        ]

    def _beside(self, request: Request, sums: WindowSums, axes: Axes, placed: _Placed) -> Sequence[Mapping[str, Any] | None]:
        names = request.series.read_beside
        if not names:
            return [None] * len(request.scopes)
        groups, end = [sums.table.groups[code] for code in placed.codes], request.end_ms
        read = {name: self.beside.get((name, axes)) or self._parent_sums(name, axes) for name in names}
        found = {name: one.of_groups(groups, placed.starts, end) for name, one in read.items()}
        counts = {name: one for name, one in found.items() if one is not None}
        return beside(request, self._estimator, counts)

    def _judged(self, request: Request, mature: Sequence[_Maturity]) -> list[Finding]:
        """Findings, but where the sample is too small or its labels are not complete."""
        needed, sizes = self._needed, self._estimator.sizes(request)
        found = []
        for at, finding in enumerate(self._estimator.findings(request)):
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
            request = Request(self.subject.plan.manifest, series, [parent], pooled, start, end)
            found = self._findings(request, sums, axes, _Placed([code], np.array([start])), mature)[0]
            if not _is_small(found):
                return _Answer(parent, pooled[0], found, mature[0])
        return None

    def _parent_sums(self, statistic: str, axes: Axes) -> WindowSums:
        if (statistic, axes) not in self._parents:
            self._parents[statistic, axes] = self.sums_of(statistic, axes)
        return self._parents[statistic, axes]


def _is_small(finding: Finding) -> bool:
    return isinstance(finding.outcome, Insufficient) and finding.outcome.reason is Reason.BELOW_MINIMUM_N


def _coverage_counts(series: Series, counts: Int) -> tuple[Int, Int]:
    if series.statistic == statistics.LABELS:
        stride, label = len(statistics.Label), statistics.Label
        inferences = counts[:, label.INFERENCES] + counts[:, stride + label.INFERENCES]
        labelled = sum(counts[:, flag * stride + column] for flag in (0, 1) for column in (label.NEGATIVES, label.POSITIVES))
        return inferences, np.asarray(labelled, np.int64)
    if series.statistic == statistics.USE:
        return counts[:, statistics.Use.INFERENCES], counts[:, statistics.Use.LABELLED]
    head = statistics.LabelScoreHead
    inferences = counts[:, head.INFERENCES_UNFLAGGED] + counts[:, head.INFERENCES_FLAGGED]
    return inferences, counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].sum(axis=1)
