"""Monitors that are a function of the sums of one window: minimum sample, maturity, accumulation, pooling, estimate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from surveillance.evaluation.newest_labels import NewestLabels, labels_in, newest_labels
from surveillance.evaluation.reaching_back import LONGEST_EXTENSION_MS, gather_back, reach_back
from surveillance.evaluation.rollups import Measure
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.window_sums import WindowSums
from surveillance.evaluation.windowed import WindowedMonitor, scope_with_feature
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


class _Read(NamedTuple):
    """A series, where its sums are read, what tells the size of a scope's sample, and the scopes of the table's groups."""

    series: Series
    sums: WindowSums
    size: Measure
    scopes: list[Scope]

    def scopes_of(self, codes: Sequence[int]) -> Sequence[Scope]:
        groups = self.sums.table.groups
        self.scopes.extend(scope_with_feature(self.series, group) for group in groups[len(self.scopes) :])
        return self.scopes if len(codes) == len(groups) else [self.scopes[code] for code in codes]


class _Maturity(NamedTuple):
    """Whether labels are complete or old enough; `from_ms` = watermark that made them old enough, where they are not complete."""

    reached: bool
    from_ms: int | None = None


class _Answer(NamedTuple):
    """What a scope reports that is pooled to a parent."""

    pooled_to: Scope
    counts: list[int]
    finding: Finding
    mature: _Maturity


class SumsMonitor(WindowedMonitor):
    """Judges one monitor of one subject by the estimator of its metric type."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        super().__init__(subject, monitor)
        self._estimator = ESTIMATORS[monitor.metric.type]
        self._needed = subject.plan.manifest.minimum_sample_of(monitor)
        self._parents: dict[tuple[str, Axes], WindowSums] = {}
        self._read = {
            id(sums): _Read(one, sums, self._size_of(one), []) for one, sums in zip(self.series, self._sums, strict=True)
        }
        self.zero_is_a_count = isinstance(monitor.metric, EventCount | Volume)

    def _size_of(self, series: Series) -> Measure:
        manifest, sizes = self.subject.plan.manifest, self._estimator.sizes
        return lambda counts: sizes(Request(manifest, series, (), counts, 0, 0))

    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        """Every scope of a series that has been seen before the window's end."""
        seen = sums.table.seen_before(end)
        if not seen:
            if not series.axes:
                yield self._empty(series, start, end)
            return
        read, pools = self._read[id(sums)], self._pools()
        scopes = read.scopes_of(seen)
        window = self._accumulated(read, seen, start, end)
        mature = self._maturity(series, window.counts, end, moment)
        request = Request(self.subject.plan.manifest, series, scopes, window.counts, start, end)
        newest = self._newest_labels(series, sums, seen, start, end)
        found = self._findings(request, sums, series.axes, _Placed(seen, window.starts), mature, newest)
        looked_at = window.reach if newest is None else np.minimum(window.reach, newest.reach)
        counts, starts, reach = (each.tolist() for each in (window.counts, window.starts, looked_at))
        for at, finding in enumerate(found):
            pooled = self._pooled(series, scopes[at], start, end, moment) if pools and _is_small(finding) else None
            pooled_to, counted, answer, ripe = pooled or (None, counts[at], finding, mature[at])
            yield Judged(
                series,
                scopes[at],
                starts[at],
                answer,
                tuple(counted),
                ripe.reached,
                pooled_to,
                extended=starts[at] != start,
                code=seen[at],
                mature_from_ms=ripe.from_ms,
                reach_ms=reach[at] if reach[at] < start else None,
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

    def _accumulated(self, read: _Read, seen: Sequence[int], start: int, end: int) -> _Window:
        """The window; scopes below their minimum extended backwards over whole earlier windows until they reach it."""
        sums, codes = read.sums, np.array(seen, np.int64)
        counts, starts = sums.of_all(start, end), np.full(len(seen), start, np.int64)
        if len(codes) < len(counts):
            counts = counts[codes]
        if not self._needed or self.size_ms is None or not self.accumulates():
            return _Window(counts, starts, starts)
        oldest = end - LONGEST_EXTENSION_MS
        earlier = range(start - self.size_ms, oldest - 1, -self.size_ms)
        small = reach_back(sums, read.size, self._needed, codes, read.size(counts), starts, earlier)
        gather_back(sums, counts, codes, start, starts)
        # A scope that found too little may find enough once older rows come, so all that was in reach is part of its result.
        return _Window(counts, starts, np.where(small, min(start, oldest), starts))

    def _newest_labels(self, series: Series, sums: WindowSums, seen: Sequence[int], start: int, end: int) -> NewestLabels | None:
        """What voids label-free estimates besides the labels of their own windows; a window that grows has all labels itself."""
        if statistics.LABEL_FREE not in series.read_beside or self.size_ms is None:
            return None
        labels = sums if series.statistic == statistics.LABEL_SCORES else self.beside[statistics.LABEL_SCORES, series.axes]
        return newest_labels(labels, [sums.table.groups[code] for code in seen], start, end)

    def _findings(
        self,
        request: Request,
        sums: WindowSums,
        axes: Axes,
        placed: _Placed,
        mature: Sequence[_Maturity],
        newest: NewestLabels | None = None,
    ) -> list[Finding]:
        beside = self._beside(request, sums, axes, placed, newest)
        return [
            finding._replace(beside={**(finding.beside or {}), **stands}) if stands else finding
            for finding, stands in zip(self._judged(request, mature), beside, strict=True)
        ]

    def _beside(
        self, request: Request, sums: WindowSums, axes: Axes, placed: _Placed, newest: NewestLabels | None
    ) -> Sequence[Mapping[str, Any] | None]:
        names = request.series.read_beside
        if not names:
            return [None] * len(request.scopes)
        groups, end = [sums.table.groups[code] for code in placed.codes], request.end_ms
        read = {name: self.beside.get((name, axes)) or self._parent_sums(name, axes) for name in names}
        found = {name: one.of_groups(groups, placed.starts, end) for name, one in read.items()}
        counts = {name: one for name, one in found.items() if one is not None}
        return beside(request, self._estimator, counts, newest)

    def _judged(self, request: Request, mature: Sequence[_Maturity]) -> list[Finding]:
        """Findings, but where the sample is too small or its labels are not complete."""
        needed, sizes = self._needed, self._estimator.sizes(request).tolist()
        found = self._estimator.findings(request)
        for at, (finding, n, ripe) in enumerate(zip(found, sizes, mature, strict=True)):
            if n >= needed and ripe.reached:
                continue
            outcome = finding.outcome
            if isinstance(outcome, Insufficient) and outcome.reason is Reason.UNKNOWN_REFERENCE:
                continue
            small = n < needed
            found[at] = Finding(
                Insufficient(Reason.BELOW_MINIMUM_N, n, needed) if small else Insufficient(Reason.IMMATURE_LABELS, n)
            )
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
                return _Answer(parent, pooled[0].tolist(), found, mature[0])
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
    return inferences, labels_in(counts)
