"""Monitors judged once per observation period: trend tests and run rules.

Every period that ended is judged when the watermark passes its end; a late row judges its period and all later ones again.
What is found depends on rows alone, never on when they came.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np

from detectors.estimate import Estimate, Insufficient, Reason
from detectors.poisson_trend import poisson_trend
from detectors.proportion import proportion
from detectors.run_rules import needs_centre, points_needed, run_rule_hits
from surveillance.arrays import Float, Int
from surveillance.evaluation.chart_standard import standard_of, totals_of
from surveillance.evaluation.evidence import Evidence, Scope, estimate_body
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.mirror import Table
from surveillance.evaluation.periods import Period, ended_periods, zone_of
from surveillance.evaluation.revision_through import RevisionThrough
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.windowed import scope_with_feature
from surveillance.manifest.metrics_safety import RunRule, TrendTest
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.plan import Series
from surveillance.panes.statistics import Safety, Statistic
from surveillance.times import floor_to

_MATCHED = {"all": Safety.MATCHED, "serious": Safety.SERIOUS, "nonserious": Safety.NONSERIOUS}


class PeriodicMonitor(ABC):
    """Judges one periodic monitor of one subject; a subclass says what a scope's periods give."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        self.subject, self.monitor = subject, monitor
        self.series = [one for one in subject.plan.series if one.monitor is monitor]
        read = [subject.panes_of(one.statistic, one.statistic_axes) for one in self.series]
        self._tables = [table for table, _ in read]
        self._dirty = [table.subscribe() for table in self._tables]
        self._revision = RevisionThrough([subject.panes_of(statistics.SPAN, ()), *read])
        self._zone = zone_of(subject.plan.manifest.regulatory.time_zone)
        self._ended: list[Period] = []
        self._judged_end: int | None = None
        self._first: int | None = None
        self._partial: set[int] = set()

    @property
    def is_cumulative(self) -> bool:
        """Each of its evaluations stands as it is."""
        return False

    @property
    @abstractmethod
    def length_ms(self) -> int | None:
        """Length of a period; None = calendar months."""

    @abstractmethod
    def reach(self, ended: Sequence[Period]) -> int:
        """How many of these periods, the newest among them, its finding rests on."""

    @abstractmethod
    def finding(self, scope: Scope, periods: Sequence[Period], counts: Int) -> tuple[int, Finding]:
        """Start of the window of the newest of these periods, and what it gives; `counts` has shape (periods, length)."""

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of every period that has ended, or was revised, since the last call."""
        first, superseded = self.subject.first_event_pane(), self.subject.superseded_ms
        if first is None:
            return
        until = moment.watermark_ms if superseded is None else min(moment.watermark_ms, superseded)
        changed = min((pane for reader in self._dirty for pane, _ in reader), default=until)
        for reader in self._dirty:
            reader.clear()
        judged = self._judged_end if first == self._first else None
        self._extend(first, until)
        completed = {end for end in self._partial if end <= moment.complete_ms}
        for at, period in enumerate(self._ended):
            is_new = judged is None or period.end_ms > judged
            if is_new or changed < period.end_ms or period.end_ms in completed:
                yield from self._at(self._ended[: at + 1], moment)
        self._first = first
        self._judged_end = self._ended[-1].end_ms if self._ended else None
        self._partial = {one.end_ms for one in self._ended if one.end_ms > moment.complete_ms}

    def _extend(self, first: int, until: int) -> None:
        """Bring the periods that have ended up to date; they begin with the one that holds the manifest's first event."""
        if first != self._first:
            self._ended = []
        begins = self._ended[-1].end_ms if self._ended else first
        self._ended += ended_periods(begins, until, self.length_ms, self._zone)

    def _at(self, ended: Sequence[Period], moment: Moment) -> Iterator[Evidence]:
        end, judged = ended[-1].end_ms, []
        for series, table in zip(self.series, self._tables, strict=True):
            judged += list(self._scopes(series, table, ended[-self.reach(ended) :]))
        yield from evidence_of(self.subject, self.monitor, end, judged, moment, self._revision.to(end))

    def _scopes(self, series: Series, table: Table, periods: Sequence[Period]) -> Iterator[Judged]:
        seen = table.seen_before(periods[-1].end_ms)
        statistic = self.subject.plan.statistic(series.statistic)
        sums = np.stack([_sums(table, period, statistic) for period in periods])
        if not seen and not series.axes:
            yield self._judged(series, "", periods, np.zeros((len(periods), statistic.length), np.int64))
        for code in seen:
            yield self._judged(series, table.groups[code], periods, sums[:, code])

    def _judged(self, series: Series, group: str, periods: Sequence[Period], counts: Int) -> Judged:
        scope = scope_with_feature(series, group)
        start, finding = self.finding(scope, periods, counts)
        return Judged(series, scope, start, finding, tuple(counts[-1].tolist()))


def _sums(table: Table, period: Period, statistic: Statistic) -> Int:
    """Counts of every group over the panes that begin in the period, shape (groups, length)."""
    start, end = (-floor_to(-ms, statistic.pane_ms) for ms in period)
    return table.sums(start, end, statistic.pane_ms, statistic.length)


class TrendMonitor(PeriodicMonitor):
    """`trend_test`: counts per uses of an observation period of `looks` months, looked at after each month (MDR Art. 88)."""

    @property
    def metric(self) -> TrendTest:
        metric = self.monitor.metric
        assert isinstance(metric, TrendTest)
        return metric

    @property
    def length_ms(self) -> int | None:
        return None

    def reach(self, ended: Sequence[Period]) -> int:
        return (len(ended) - 1) % self.metric.looks + 1

    def finding(self, scope: Scope, periods: Sequence[Period], counts: Int) -> tuple[int, Finding]:
        sums = counts.sum(axis=0)
        n, uses = int(sums[_MATCHED[self.metric.counts]]), int(sums[Safety.USES])
        frequency = self.metric.baseline_frequency_per_1000
        outcome = poisson_trend([n], [uses], frequency_per_1000=frequency, level=self.monitor.interval.level)[0]
        p = outcome.p if isinstance(outcome, Estimate) else None
        share = proportion([sums[Safety.SERIOUS]], [sums[Safety.MATCHED]], method="wilson", level=self.monitor.interval.level)[0]
        beside = {"serious_share": estimate_body(share)} if isinstance(share, Estimate) else None
        return periods[0].start_ms, Finding(outcome, p=p, looks=self.metric.looks, beside=beside)


class RunRuleMonitor(PeriodicMonitor):
    """`run_rule`: a pattern that ends at the newest period; the value is that period's point."""

    @property
    def metric(self) -> RunRule:
        metric = self.monitor.metric
        assert isinstance(metric, RunRule)
        return metric

    @property
    def length_ms(self) -> int | None:
        return None if self.metric.period == "month" else self.metric.period

    def reach(self, ended: Sequence[Period]) -> int:
        return points_needed(self.metric.rule)

    def finding(self, scope: Scope, periods: Sequence[Period], counts: Int) -> tuple[int, Finding]:
        totals, n = self._points(counts)
        start = periods[-1].start_ms
        if n[-1] <= 0:
            return start, Finding(Insufficient(Reason.NO_EXPOSURE))
        points = np.where(n > 0, totals / np.where(n > 0, n, 1), np.nan)
        centred = self._centred(scope, points, n, [one.end_ms for one in periods])
        if centred is None:
            return start, Finding(Insufficient(Reason.UNKNOWN_REFERENCE, int(n[-1])))
        hit = bool(run_rule_hits(centred, self.metric.rule)[-1])
        value = float(points[-1])
        return start, Finding(Estimate(value, value, value, int(n[-1]), f"nelson_rule_{self.metric.rule}"), hit=hit)

    def _points(self, counts: Int) -> tuple[Float, Int]:
        chart = self.metric.chart
        if chart is not None:
            return totals_of(self.subject.plan.manifest, chart, counts)
        return counts[:, _MATCHED[self.metric.counts]].astype(np.float64), counts[:, Safety.USES]

    def _centred(self, scope: Scope, points: Float, n: Int, ends: Sequence[int]) -> Float | None:
        """Points in standard deviations, each by its own season; as they are for rules that do not ask where they lie."""
        metric = self.metric
        if not needs_centre(metric.rule):
            return points
        if metric.mean is not None and metric.sd is not None:
            return np.asarray((points - metric.mean) / metric.sd, np.float64)
        if metric.chart is None:
            return None
        found = []
        for point, size, end_ms in zip(points, np.maximum(n, 1), ends, strict=True):
            standard = standard_of(self.subject.plan.manifest, metric.chart, scope, end_ms)
            if standard is None:
                return None
            found.append((point - standard.mean) / (standard.sd if standard.of_windows else standard.sd / np.sqrt(size)))
        return np.array(found, np.float64)
