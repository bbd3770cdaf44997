"""Monitors judged in windows: tumbling, sliding, or cumulative from the manifest's first event.

New windows are judged when the watermark passes an end of the monitor's own windows, together with closed ones whose data
were revised or whose labels became mature since. Results depend on window sums alone, never on when rows came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from detectors.estimate import Insufficient, Reason
from surveillance.arrays import Int
from surveillance.evaluation.estimators import Request, findings, sample_sizes
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.mirror import Table, merged
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metric_kind import Labelled
from surveillance.manifest.metrics_performance import ProportionVsFloor
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.groups import scope_of
from surveillance.panes.plan import Series, parents
from surveillance.times import DAY_MS, floor_to

LONGEST_EXTENSION_MS = 28 * DAY_MS
_LABEL_FAMILIES = (statistics.LABELS, statistics.LABEL_SCORES)


class WindowedMonitor:
    """Judges one monitor of one subject; remembers only how far it has judged and what may still change."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        self.subject, self.monitor = subject, monitor
        self.series = [one for one in subject.plan.series if one.monitor is monitor]
        window = subject.plan.manifest.surveillance.window(monitor.window) if monitor.window else None
        self.size_ms = window.size_ms if window is not None else None
        self.slide_ms = window.slide_ms if window is not None else subject.plan.base_pane_ms
        self._dirty = [self._table(one).subscribe() for one in self.series]
        self._judged_end: int | None = None
        self._immature: set[int] = set()
        self._extended: dict[int, int] = {}

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of windows that have closed, changed or matured since the last call, ascending by end."""
        end = self._last_end(moment)
        first = self.subject.first_event_pane()
        if first is None or (end == self._judged_end and not moment.final):
            return
        begin = first + self.slide_ms - first % self.slide_ms
        previous = self._judged_end if self._judged_end is not None else begin - self.slide_ms
        fresh = range(previous + self.slide_ms, end + 1, self.slide_ms)
        revised = self._revised(previous) | self._matured(previous, moment)
        for ended in [*sorted(one for one in revised if begin <= one <= previous), *fresh]:
            if ended in fresh and ended != end and not self._has_data(ended):
                continue  # nothing in it and nothing before it: no scope could be conclusive
            yield from self._at(ended, first, moment)
        self._judged_end = max(end, previous)

    # which windows ----------------------------------------------------------------------------------------
    def _last_end(self, moment: Moment) -> int:
        end = floor_to(moment.watermark_ms, self.slide_ms)
        superseded = self.subject.superseded_ms
        if superseded is None:
            return end
        if self._is_labelled():
            latency = self.subject.plan.manifest.baselines.label_latency
            if latency is None or latency.maturity.or_age_ms is None:
                return end
            superseded += latency.maturity.or_age_ms
        return min(end, floor_to(superseded, self.slide_ms))

    def _is_labelled(self) -> bool:
        return isinstance(self.monitor.metric, Labelled) or self.monitor.metric.type == "label_arrivals_vs_expected"

    def _revised(self, previous: int) -> set[int]:
        changed = {pane for reader in self._dirty for pane in reader}
        for reader in self._dirty:
            reader.clear()
        if self.size_ms is None:
            return {previous} if any(pane < previous for pane in changed) else set()
        found: set[int] = set()
        for pane in changed:
            if pane < previous:
                first_end = floor_to(pane, self.slide_ms) + self.slide_ms
                found.update(range(first_end, min(pane + self.size_ms, previous) + 1, self.slide_ms))
        if changed and self._extended:
            found.update(end for end, start in self._extended.items() if any(start <= pane < end for pane in changed))
        return found

    def _matured(self, previous: int, moment: Moment) -> set[int]:
        age_ms = self._or_age_ms()
        if age_ms is None:
            return set()
        found = {end for end in self._immature if end <= previous and end + age_ms <= moment.watermark_ms}
        self._immature -= found
        return found

    def _or_age_ms(self) -> int | None:
        latency = self.subject.plan.manifest.baselines.label_latency
        return latency.maturity.or_age_ms if latency is not None else None

    def _has_data(self, end: int) -> bool:
        if self.size_ms is None:
            return True
        reach = LONGEST_EXTENSION_MS if self.subject.plan.manifest.strata.below_min == "accumulate" else self.size_ms
        for one in self.series:
            table, pane_ms = self._table(one), self.subject.pane_ms(one.statistic)
            start = end - max(reach, self.size_ms)
            if len(table.panes) < (end - start) // pane_ms:
                if any(start <= pane < end for pane in table.panes):
                    return True
            elif any(pane in table.panes for pane in range(floor_to(start, pane_ms), end, pane_ms)):
                return True
        return False

    # one window -------------------------------------------------------------------------------------------
    def _at(self, end: int, first: int, moment: Moment) -> Iterator[Evidence]:
        start = first if self.size_ms is None else end - self.size_ms
        judged = [one for series in self.series for one in self.scopes(series, start, end, moment)]
        revision = self.revision(min((one.start_ms for one in judged), default=start), end)
        judged = [one._replace(revision=revision) for one in judged]
        self._extended.pop(end, None)
        reach = min((one.start_ms for one in judged), default=start)
        if reach < start:
            self._extended[end] = reach
        if all(one.mature for one in judged):
            self._immature.discard(end)
        else:
            self._immature.add(end)
        yield from evidence_of(self.subject, self.monitor, end, judged, moment)

    def revision(self, start: int, end: int) -> dict[int, int]:
        """Revision of everything that a result at this window end rests on: multiplicity joins all scopes of a monitor."""
        read = [self._table(one).revision(start, end, self.subject.pane_ms(one.statistic)) for one in self.series]
        return merged(read)

    def scopes(self, series: Series, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        """Every scope of a series that has been seen before the window's end."""
        table, pane_ms, length = (
            self._table(series),
            self.subject.pane_ms(series.statistic),
            self.subject.length(series.statistic),
        )
        seen = [code for code in range(len(table.groups)) if table.first_pane[code] < end]
        if not series.axes and not seen:
            yield self._empty(series, start)
            return
        counts = table.sums(start, end, pane_ms, length)[seen]
        scopes = [scope_with_feature(series, table.groups[code]) for code in seen]
        starts = np.full(len(seen), start, np.int64)
        counts, starts = self._accumulated(series, table, counts, scopes, starts, seen, end)
        mature = self._maturity(series, counts, end, moment)
        for at, finding in enumerate(self._findings(series, scopes, counts, mature)):
            pooled_to, own_counts, own = None, counts[at], finding
            if _is_small(finding) and self.subject.plan.manifest.strata.below_min == "pool_to_parent":
                pooled_to, own_counts, own = self._pooled(series, scopes[at], start, end, moment, own_counts, finding)
            yield Judged(
                series=series,
                scope=scopes[at],
                start_ms=int(starts[at]),
                finding=own,
                counts=tuple(own_counts.tolist()),
                mature=bool(mature[at]),
                pooled_to=pooled_to,
                extended=int(starts[at]) != start,
            )

    def _empty(self, series: Series, start: int) -> Judged:
        needed = self._needed(series)
        nothing = Insufficient(Reason.BELOW_MINIMUM_N, 0, needed) if needed else Insufficient(Reason.NO_EXPOSURE)
        return Judged(series, scope_with_feature(series, ""), start, Finding(nothing), ())

    def _accumulated(
        self, series: Series, table: Table, counts: Int, scopes: Sequence[Scope], starts: Int, seen: Sequence[int], end: int
    ) -> tuple[Int, Int]:
        """Windows below their minimum, extended backwards over whole earlier windows until they reach it."""
        needed, size = self._needed(series), self.size_ms
        if not needed or size is None or self.subject.plan.manifest.strata.below_min != "accumulate":
            return counts, starts
        pane_ms, length = self.subject.pane_ms(series.statistic), counts.shape[1]
        original, original_starts = counts, starts
        counts, starts = counts.copy(), starts.copy()
        oldest = min((table.first_pane[code] for code in seen), default=end)
        sizes = self._sizes(series, scopes, counts)
        back = end - size
        while (sizes < needed).any() and back > oldest and end - (back - size) <= LONGEST_EXTENSION_MS:
            small = sizes < needed
            counts[small] += table.sums(back - size, back, pane_ms, length)[seen][small]
            starts[small] = back - size
            back -= size
            sizes = self._sizes(series, scopes, counts)
        short = sizes < needed  # not reached even so: the window is shown as it was declared
        counts[short], starts[short] = original[short], original_starts[short]
        return counts, starts

    def _findings(self, series: Series, scopes: Sequence[Scope], counts: Int, mature: np.ndarray) -> list[Finding]:
        request = Request(self.subject.plan.manifest, series, scopes, counts)
        needed, sizes = self._needed(series), sample_sizes(request)
        found = []
        for at, finding in enumerate(findings(request)):
            outcome, n = finding.outcome, int(sizes[at])
            unknown = isinstance(outcome, Insufficient) and outcome.reason is Reason.UNKNOWN_REFERENCE
            if not unknown and n < needed:
                finding = Finding(Insufficient(Reason.BELOW_MINIMUM_N, n, needed))
            elif not unknown and not mature[at]:
                finding = Finding(Insufficient(Reason.IMMATURE_LABELS, n))
            found.append(finding)
        return found

    def _maturity(self, series: Series, counts: Int, end: int, moment: Moment) -> np.ndarray:
        metric, latency = self.monitor.metric, self.subject.plan.manifest.baselines.label_latency
        everything = np.ones(len(counts), np.bool_)
        if not isinstance(metric, Labelled) or not metric.require_mature:
            return everything
        maturity = latency.maturity if latency is not None else None
        if maturity is not None and maturity.or_age_ms is not None and moment.watermark_ms >= end + maturity.or_age_ms:
            return everything
        if maturity is None or maturity.coverage_min is None:
            return ~everything
        inferences, labelled = _coverage_counts(series, counts)
        covered: np.ndarray = (inferences > 0) & (labelled >= maturity.coverage_min * inferences)
        return covered

    def _pooled(
        self, series: Series, scope: Scope, start: int, end: int, moment: Moment, counts: Int, finding: Finding
    ) -> tuple[Scope | None, Int, Finding]:
        for axes in parents(series.axes):
            table = self.subject.mirror.table(self.subject.table_key(series.statistic, axes))
            levels = {axis: level for axis, level in scope if axis in axes}
            code = next((at for at, text in enumerate(table.groups) if scope_of(text) == levels), None)
            if code is None:
                continue
            pooled = table.sums(start, end, self.subject.pane_ms(series.statistic), self.subject.length(series.statistic))[
                code : code + 1
            ]
            feature = tuple(pair for pair in scope if pair[0] == "feature")
            parent = tuple(sorted({*levels.items(), *feature}))
            found = self._findings(series, [parent], pooled, self._maturity(series, pooled, end, moment))[0]
            if not _is_small(found):
                return parent, pooled[0], found
        return None, counts, finding

    # sizes ------------------------------------------------------------------------------------------------
    def _table(self, series: Series) -> Table:
        return self.subject.mirror.table(self.subject.table_key(series.statistic, series.statistic_axes))

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
