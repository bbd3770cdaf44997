"""`bernoulli_cusum`: labels folded in the order of base panes, each into the pane of its arrival or of its day's maturity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from detectors.bernoulli_cusum import false_alert_parameters, fold, miss_parameters, weights
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from surveillance.arrays import Int
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.mirror import Table, merged
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.windowed import scope_with_feature
from surveillance.manifest.metrics_performance import BernoulliCusum
from surveillance.manifest.model_labels import LabelLatency
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.groups import group_text, scope_of
from surveillance.panes.plan import DAY_AXIS
from surveillance.panes.statistics import FLOW, Flow
from surveillance.times import DAY_MS, floor_to

_LABELS = (Flow.NEGATIVES_UNFLAGGED, Flow.POSITIVES_UNFLAGGED, Flow.NEGATIVES_FLAGGED, Flow.POSITIVES_FLAGGED)


class DayMaturity:
    """The base pane in which the labels of each UTC day first were complete enough, over all scopes; never undone."""

    def __init__(self, table: Table, pane_ms: int, latency: LabelLatency | None) -> None:
        self._table, self._pane_ms, self._latency = table, pane_ms, latency
        self._changed = table.subscribe()
        self._by_day: dict[int, dict[int, Int]] = {}
        self.pane: dict[int, int] = {}

    def update(self, end_ms: int) -> set[int]:
        """Take up changed panes; returns the days whose first maturity, as of panes that end by `end_ms`, is new or has moved."""
        days = {day for day in self._by_day if day not in self.pane}
        for pane in self._changed:
            for code, counts in self._table.panes[pane].items():
                day = int(scope_of(self._table.groups[code])[DAY_AXIS])
                self._by_day.setdefault(day, {})[pane] = counts
                days.add(day)
        self._changed.clear()
        moved = set()
        for day in days:
            first = self._first_mature(day, end_ms)
            if first is not None and self.pane.get(day) != first:
                self.pane[day] = first
                moved.add(day)
        return moved

    def _first_mature(self, day: int, end_ms: int) -> int | None:
        maturity = self._latency.maturity if self._latency is not None else None
        if maturity is None:
            return None
        day_end = (day + 1) * DAY_MS
        found = []
        if maturity.or_age_ms is not None:
            found.append(floor_to(day_end + maturity.or_age_ms, self._pane_ms))
        if maturity.coverage_min is not None:
            inferences = labelled = 0
            for pane, counts in sorted(self._by_day[day].items()):
                # A running day cannot mature: its pane is the day's first pane after its end at the earliest.
                if pane >= day_end and inferences and labelled >= maturity.coverage_min * inferences:
                    found.append(day_end)
                    break
                inferences += int(counts[Flow.INFERENCES_UNFLAGGED] + counts[Flow.INFERENCES_FLAGGED])
                labelled += int(sum(counts[column] for column in _LABELS))
                if pane >= day_end and inferences and labelled >= maturity.coverage_min * inferences:
                    found.append(pane)
                    break
            else:
                if inferences and labelled >= maturity.coverage_min * inferences:
                    found.append(day_end)
        first = min(found, default=None)
        return first if first is not None and first + self._pane_ms <= end_ms else None


_NOT_YET = -(2**62)


@dataclass(slots=True)
class _Chart:
    """One scope's chart. `cases` and `mature` = counts by the pane they fold in and count as mature in; `waiting` panes are
    beyond the last fold."""

    cases: dict[int, Int] = field(default_factory=dict)
    mature: dict[int, Int] = field(default_factory=dict)
    waiting_cases: set[int] = field(default_factory=set)
    waiting_mature: set[int] = field(default_factory=set)
    folded_to: int = _NOT_YET
    s: float = 0.0
    n: int = 0
    coverage: Int = field(default_factory=lambda: np.zeros(len(Flow), np.int64))
    emitted_to: int = _NOT_YET

    def put(self, pane: int, counts: Int, *, mature: bool) -> None:
        """Add counts to a pane; a pane that was folded already makes the chart fold again from the start."""
        panes, waiting = (self.mature, self.waiting_mature) if mature else (self.cases, self.waiting_cases)
        known = panes.get(pane)
        panes[pane] = counts.copy() if known is None else known + counts
        waiting.add(pane)
        if pane <= self.folded_to and counts.any():
            self.folded_to, self.s, self.n, self.coverage = _NOT_YET, 0.0, 0, np.zeros(len(Flow), np.int64)
            self.waiting_cases, self.waiting_mature = set(self.cases), set(self.mature)

    def absorb(self, pane: int) -> None:
        """Count what is mature up to a pane."""
        reached = [at for at in self.waiting_mature if at <= pane]
        for at in reached:
            self.coverage = self.coverage + self.mature[at]
        self.waiting_mature.difference_update(reached)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Counts of one arrival pane and day, with the panes in which they fold and count as mature (None = not yet)."""

    counts: Int
    cases: int | None
    mature: int | None


class CusumMonitor:
    """Judges one chart monitor of one subject: a chart per scope, refolded only where an earlier pane was corrected."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        metric = monitor.metric
        assert isinstance(metric, BernoulliCusum)
        self.subject, self.monitor, self.metric = subject, monitor, metric
        self.pane_ms = subject.plan.base_pane_ms
        self.latency = subject.plan.manifest.baselines.label_latency
        self.series = [one for one in subject.plan.series if one.monitor is monitor]
        self._day_table = subject.mirror.table(subject.table_key(FLOW, (DAY_AXIS,)))
        self._days = DayMaturity(self._day_table, self.pane_ms, self.latency)
        self._tables = [subject.mirror.table(subject.table_key(FLOW, tuple(sorted(one.statistic_axes)))) for one in self.series]
        self._changed = [table.subscribe() for table in self._tables]
        self._charts: list[dict[str, _Chart]] = [{} for _ in self.series]
        self._placed: list[dict[tuple[str, int], dict[int, _Placed]]] = [{} for _ in self.series]
        self._judged_end: int | None = None

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of each base pane in which labels folded since the last call."""
        end = floor_to(moment.watermark_ms, self.pane_ms)
        first = self.subject.first_event_pane()
        if first is None or (end == self._judged_end and not moment.final):
            return
        moved = self._days.update(end)
        found: dict[int, list[Judged]] = {}
        for at, series in enumerate(self.series):
            self._take(at, moved)
            for text, chart in sorted(self._charts[at].items()):
                for pane, outcome in self._folded(chart, end):
                    scope = scope_with_feature(series, text)
                    found.setdefault(pane + self.pane_ms, []).append(
                        Judged(series, scope, first, Finding(outcome), (), self._revision())
                    )
        for ended, judged in sorted(found.items()):
            yield from evidence_of(self.subject, self.monitor, ended, judged, moment)
        self._judged_end = end

    def _revision(self) -> dict[int, int]:
        """A chart rests on every pane before, and on the maturity of days over all scopes."""
        return merged(table.largest_version for table in (self._day_table, *self._tables))

    # where labels fold ------------------------------------------------------------------------------------
    def _take(self, at: int, moved: set[int]) -> None:
        table, placed = self._tables[at], self._placed[at]
        for pane in self._changed[at]:
            for code, counts in table.panes[pane].items():
                levels = dict(scope_of(table.groups[code]))
                day = int(levels.pop(DAY_AXIS))
                text = group_text(list(levels), list(levels.values()))
                known = placed.setdefault((text, day), {}).get(pane)
                if known is None or (known.counts != counts).any():
                    self._place(at, text, day, pane, counts)
        self._changed[at].clear()
        for text, day in [key for key in placed if key[1] in moved] if moved else ():
            for pane, known in list(placed[text, day].items()):
                self._place(at, text, day, pane, known.counts)

    def _place(self, at: int, text: str, day: int, pane: int, counts: Int) -> None:
        """Put the counts that arrived in a pane for a day where they belong now, and take them from where they stood."""
        chart = self._charts[at].setdefault(text, _Chart())
        matured = self._days.pane.get(day)
        immediate = not self.metric.require_mature or self.metric.event == "override"
        mature = None if matured is None else max(pane, matured)
        known = self._placed[at][text, day].get(pane)
        now = _Placed(counts.copy(), pane if immediate else mature, mature)
        self._placed[at][text, day][pane] = now
        for sign, one in ((-1, known), (1, now)):
            if one is not None and one.cases is not None:
                chart.put(one.cases, sign * one.counts, mature=False)
            if one is not None and one.mature is not None:
                chart.put(one.mature, sign * one.counts, mature=True)

    # folding ----------------------------------------------------------------------------------------------
    def _folded(self, chart: _Chart, end: int) -> Iterator[tuple[int, Outcome]]:
        for pane in sorted(pane for pane in chart.waiting_cases if pane + self.pane_ms <= end):
            chart.waiting_cases.discard(pane)
            trials, events = self._cases(chart.cases[pane])
            if not trials:
                continue
            w_event, w_nonevent = self._weights(chart, pane)
            chart.s = float(fold([chart.s], [events], [trials], [w_event], [w_nonevent])[0])
            chart.n, chart.folded_to = chart.n + trials, pane
            if pane >= chart.emitted_to:
                chart.emitted_to = pane
                yield pane, Estimate(chart.s, chart.s, chart.s, chart.n, "bernoulli_cusum")
        if chart.emitted_to == _NOT_YET and chart.cases:
            yield floor_to(end, self.pane_ms) - self.pane_ms, Insufficient(Reason.IMMATURE_LABELS)

    def _cases(self, counts: Int) -> tuple[int, int]:
        if self.metric.event == "miss":
            missed = int(counts[Flow.POSITIVES_UNFLAGGED])
            return missed + int(counts[Flow.POSITIVES_FLAGGED]), missed
        if self.metric.event == "false_alert":
            false = int(counts[Flow.NEGATIVES_FLAGGED])
            return false + int(counts[Flow.NEGATIVES_UNFLAGGED]), false
        return int(counts[Flow.ACTIONED]), int(counts[Flow.OVERRIDDEN])

    def _weights(self, chart: _Chart, pane: int) -> tuple[float, float]:
        p0, p1 = self.metric.p0, self.metric.p1
        if self.metric.verification_correction == "begg_greenes" and self.metric.event != "override":
            chart.absorb(pane)
            v_unflagged, v_flagged = self._coverage(chart.coverage)
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
