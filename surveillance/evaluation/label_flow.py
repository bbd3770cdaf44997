"""`bernoulli_cusum`: labels folded in the order of base panes, each into the pane of its arrival or of its day's maturity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from detectors.bernoulli_cusum import false_alert_parameters, fold, miss_parameters, weights
from detectors.estimate import Estimate, Insufficient, Reason
from surveillance.arrays import Int
from surveillance.evaluation.chart import Chart, ChartState
from surveillance.evaluation.day_maturity import DayMaturity
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.revision_through import RevisionThrough
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.windowed import scope_with_feature
from surveillance.manifest.metrics_performance import BernoulliCusum
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.groups import group_text, scope_of
from surveillance.panes.plan import DAY_AXIS, Series
from surveillance.panes.statistics import FLOW, SPAN, Flow
from surveillance.times import DAY_MS, floor_to

_TRIALS = {
    "miss": (Flow.POSITIVES_UNFLAGGED, Flow.POSITIVES_FLAGGED),
    "false_alert": (Flow.NEGATIVES_FLAGGED, Flow.NEGATIVES_UNFLAGGED),
    "override": (Flow.ACTIONED,),
}
_EVENTS = {"miss": Flow.POSITIVES_UNFLAGGED, "false_alert": Flow.NEGATIVES_FLAGGED, "override": Flow.OVERRIDDEN}


@dataclass(frozen=True, slots=True)
class _Placed:
    """Counts of one arrival pane and day, with the panes in which they fold and count as mature (None = not yet)."""

    counts: Int
    cases: int | None
    mature: int | None


@dataclass(slots=True)
class _Scope:
    """One scope's chart, what was placed into it by day and arrival pane, and how far it was reported."""

    chart: Chart = field(default_factory=Chart)
    placed: dict[int, dict[int, _Placed]] = field(default_factory=dict)
    arrived: Int = field(default_factory=lambda: np.zeros(len(Flow), np.int64))
    partial: set[int] = field(default_factory=set)
    """Panes reported while a partition had not reached their end."""
    waiting_ends: list[int] = field(default_factory=list)
    """Ends at which it was said that nothing has folded yet."""
    waiting_for: Reason | None = None


class CusumMonitor:
    """Judges one chart monitor of one subject: a chart per scope, refolded only from the pane that was corrected."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        metric = monitor.metric
        assert isinstance(metric, BernoulliCusum)
        self.subject, self.monitor, self.metric = subject, monitor, metric
        self.pane_ms = subject.plan.base_pane_ms
        self.latency = subject.plan.manifest.baselines.label_latency
        self.series = [one for one in subject.plan.series if one.monitor is monitor]
        by_day = subject.panes_of(FLOW, (DAY_AXIS,))
        self._days = DayMaturity(by_day[0], self.pane_ms, self.latency)
        read = [subject.panes_of(FLOW, tuple(sorted(one.statistic_axes))) for one in self.series]
        self._tables = [table for table, _ in read]
        # A chart rests on every pane before, and on the maturity of days over all scopes.
        self._revision = RevisionThrough([subject.panes_of(SPAN, ()), by_day, *read])
        self._changed = [table.subscribe() for table in self._tables]
        self._scopes: list[dict[str, _Scope]] = [{} if one.axes else {"": _Scope()} for one in self.series]
        self._judged_end: int | None = None
        self._first: int | None = None

    @property
    def is_cumulative(self) -> bool:
        """Each of its evaluations stands as it is."""
        return False

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of each base pane in which labels folded, or were corrected, since the last call."""
        end = self._last_end(moment)
        first = self.subject.first_event_pane()
        if first is None or (end == self._judged_end and not moment.final):
            return
        moved = self._days.update(end)
        found: dict[int, list[Judged]] = {}
        for at, series in enumerate(self.series):
            self._take(at, moved)
            for text, scope in sorted(self._scopes[at].items()):
                for ended, judged in self._judged(series, text, scope, end, first, moment):
                    found.setdefault(ended, []).append(judged)
        for ended, several in sorted(found.items()):
            yield from evidence_of(self.subject, self.monitor, ended, several, moment, self._revision.to(ended))
        self._judged_end, self._first = end, first

    def _last_end(self, moment: Moment) -> int:
        """The watermark, or for a superseded revision the pane in which the last day of its inferences matures by age."""
        superseded = self.subject.superseded_ms
        if superseded is None or self.latency is None or self.latency.maturity.or_age_ms is None:
            return floor_to(moment.watermark_ms, self.pane_ms)
        last_ms = floor_to(superseded + DAY_MS - 1, DAY_MS) + self.latency.maturity.or_age_ms + self.pane_ms
        return floor_to(min(moment.watermark_ms, last_ms), self.pane_ms)

    def _judged(
        self, series: Series, text: str, scope: _Scope, end: int, first: int, moment: Moment
    ) -> Iterator[tuple[int, Judged]]:
        """(window end, what is said there) of every pane of one scope that has something new to say."""
        levels = scope_with_feature(series, text)
        changed = scope.chart.fold_to(end, self.pane_ms, self._fold)
        for pane in [pane for pane in scope.partial if pane + self.pane_ms <= moment.complete_ms]:
            scope.partial.discard(pane)
            changed.setdefault(pane, scope.chart.state(pane))
        folded = scope.chart.last_pane
        if folded is not None and first != self._first:
            changed.setdefault(folded, scope.chart.state(folded))
        for pane, state in sorted(changed.items()):
            if moment.complete_ms < pane + self.pane_ms:
                scope.partial.add(pane)
            yield pane + self.pane_ms, Judged(series, levels, first, self._finding(state), (), withdrawn=state is None)
        if folded is not None:
            # A corrected label folds where the first one arrived, which may lie before the ends that waited for it.
            for ended in [ended for ended in scope.waiting_ends if ended > folded + self.pane_ms]:
                yield ended, Judged(series, levels, first, self._finding(None), (), withdrawn=True)
            scope.waiting_ends.clear()
            return
        waits = any(scope.arrived[column] for column in _TRIALS[self.metric.event])
        reason = Reason.IMMATURE_LABELS if waits else Reason.NO_EXPOSURE
        if scope.waiting_ends[-1:] != [end] or scope.waiting_for is not reason:
            scope.waiting_ends.append(end)
            scope.waiting_for = reason
            yield end, Judged(series, levels, first, Finding(Insufficient(reason)), ())

    # where labels fold ------------------------------------------------------------------------------------
    def _take(self, at: int, moved: set[int]) -> None:
        table, scopes = self._tables[at], self._scopes[at]
        for (pane, code), counts in self._changed[at].items():
            levels = dict(scope_of(table.groups[code]))
            day = int(levels.pop(DAY_AXIS))
            scope = scopes.setdefault(group_text(list(levels), list(levels.values())), _Scope())
            known = scope.placed.get(day, {}).get(pane)
            if known is None or (known.counts != counts).any():
                self._place(scope, day, pane, counts)
        self._changed[at].clear()
        for scope in scopes.values() if moved else ():
            for day in sorted(moved & scope.placed.keys()):
                for pane, known in list(scope.placed[day].items()):
                    self._place(scope, day, pane, known.counts)

    def _place(self, scope: _Scope, day: int, pane: int, counts: Int) -> None:
        """Put the counts that arrived in a pane for a day where they belong now, and take them from where they stood."""
        matured = self._days.pane.get(day)
        immediate = not self.metric.require_mature or self.metric.event == "override"
        mature = None if matured is None else max(pane, matured)
        known = scope.placed.setdefault(day, {}).get(pane)
        now = _Placed(counts.copy(), pane if immediate else mature, mature)
        scope.placed[day][pane] = now
        scope.arrived = scope.arrived + now.counts - (known.counts if known is not None else 0)
        for sign, one in ((-1, known), (1, now)):
            if one is not None and one.cases is not None:
                scope.chart.put_cases(one.cases, sign * one.counts)
            if one is not None and one.mature is not None:
                scope.chart.put_mature(one.mature, sign * one.counts)

    # folding ----------------------------------------------------------------------------------------------
    def _fold(self, before: ChartState, counts: Int) -> ChartState | None:
        trials = int(sum(counts[column] for column in _TRIALS[self.metric.event]))
        if not trials:
            return None
        w_event, w_nonevent = self._weights(before.mature)
        s = fold([before.s], [int(counts[_EVENTS[self.metric.event]])], [trials], [w_event], [w_nonevent])
        return before._replace(s=float(s[0]), n=before.n + trials)

    def _weights(self, mature: Int) -> tuple[float, float]:
        p0, p1 = self.metric.p0, self.metric.p1
        if self.metric.verification_correction == "begg_greenes" and self.metric.event != "override":
            v_unflagged, v_flagged = self._coverage(mature)
            correct = miss_parameters if self.metric.event == "miss" else false_alert_parameters
            p0, p1 = (float(correct([p], [v_unflagged], [v_flagged])[0]) for p in (p0, p1))
        w_event, w_nonevent = weights([p0], [p1])
        return float(w_event[0]), float(w_nonevent[0])

    def _coverage(self, counts: Int) -> tuple[float, float]:
        """Shares of unflagged and flagged inferences of mature days that are labelled, else what the manifest expects."""
        expected = self.latency.verification if self.latency is not None else None
        unflagged = int(counts[Flow.NEGATIVES_UNFLAGGED] + counts[Flow.POSITIVES_UNFLAGGED])
        flagged = int(counts[Flow.NEGATIVES_FLAGGED] + counts[Flow.POSITIVES_FLAGGED])
        found = []
        for labelled, inferences, fallback in (
            (unflagged, int(counts[Flow.INFERENCES_UNFLAGGED]), expected.unflagged if expected is not None else None),
            (flagged, int(counts[Flow.INFERENCES_FLAGGED]), expected.flagged if expected is not None else None),
        ):
            found.append(labelled / inferences if labelled and inferences else fallback or 1.0)
        return found[0], found[1]

    def _finding(self, state: ChartState | None) -> Finding:
        """A pane that a correction emptied has nothing to say any more; a chart that can see no miss is not good news."""
        if state is None:
            return Finding(Insufficient(Reason.NO_EXPOSURE))
        if self.metric.event == "miss" and state.sees_no_miss:
            return Finding(Insufficient(Reason.VERIFICATION_BIAS, state.n))
        return Finding(Estimate(state.s, state.s, state.s, state.n, "bernoulli_cusum"))
