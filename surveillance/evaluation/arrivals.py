"""`label_arrivals_vs_expected`: labels that arrived in a window against the manifest's latency curve.

Expected = inferences x expected coverage x the curve's increase within the window, over all earlier inferences of the
scope; each base pane stands for its middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from detectors.estimate import Insufficient, Outcome, Reason
from detectors.label_arrivals import expected_arrivals, latency_curve
from detectors.negative_binomial import count_ratio
from surveillance.arrays import Int
from surveillance.evaluation.judging import Judged, Moment, Subject
from surveillance.evaluation.mirror import Table, merged, places_of
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.window_sums import WindowSums
from surveillance.evaluation.windowed import WindowedMonitor, scope_with_feature
from surveillance.manifest.model_labels import LabelLatency
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.plan import Series
from surveillance.panes.statistics import Arrival
from surveillance.times import HOUR_MS


class _Grid:
    """Counts of a table as a dense array (columns, groups, panes), brought up to date row by row."""

    def __init__(self, table: Table, pane_ms: int) -> None:
        self._table, self._pane_ms = table, pane_ms
        self._changed = table.subscribe()
        self.first_ms = 0
        self.counts: Int = np.zeros((len(Arrival), 0, 0), np.int64)

    def update(self) -> None:
        first = self._table.earliest
        if first is None or not self._changed:
            return
        end = max(pane for pane, _ in self._changed) + self._pane_ms
        _, groups, panes = self.counts.shape
        if first != self.first_ms or len(self._table.groups) > groups or self._column(end) > panes:
            self._rebuild(first)
        counts = np.array(list(self._changed.values()))
        changed = places_of(self._changed)
        self.counts[:, changed[:, 1], (changed[:, 0] - self.first_ms) // self._pane_ms] = counts.T
        self._changed.clear()

    def _rebuild(self, first_ms: int) -> None:
        """Room for twice as many panes and groups, so that growing is rare."""
        self.first_ms, panes = first_ms, self._table.panes
        columns = self._column(max(panes) + self._pane_ms)
        self.counts = np.zeros((len(Arrival), 2 * len(self._table.groups), 2 * columns), np.int64)
        self._changed.update(self._table.everything())

    def _column(self, at_ms: int) -> int:
        return (at_ms - self.first_ms) // self._pane_ms

    def column(self, start_ms: int, end_ms: int) -> slice:
        """Index range of the panes of [start, end)."""
        return slice(max(0, self._column(start_ms)), max(0, self._column(end_ms)))


class ArrivalsMonitor(WindowedMonitor):
    """A windowed monitor whose expectation reaches back over all earlier inferences."""

    reads_all_before = True

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        super().__init__(subject, monitor)
        self._grids = {id(sums): _Grid(sums.table, sums.pane_ms) for sums in self._sums}

    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        table, pane_ms = sums.table, sums.pane_ms
        grid = self._grids[id(sums)]
        grid.update()
        seen = table.seen_before(end)
        latency = self.subject.plan.manifest.baselines.label_latency
        if not seen:
            if not series.axes:
                yield Judged(series, (), start, Finding(Insufficient(Reason.NO_EXPOSURE)), ())
            return
        before, inside = grid.column(grid.first_ms, end), grid.column(start, end)
        chosen = slice(len(seen)) if len(seen) == len(table.groups) else seen
        inferences, labelled = (grid.counts[column][chosen, before] for column in (Arrival.INFERENCES, Arrival.LABELLED))
        observed = grid.counts[Arrival.ARRIVALS][chosen, inside].sum(axis=1)
        counts = np.stack([inferences.sum(axis=1), observed, labelled.sum(axis=1)], axis=1)
        middles = (grid.first_ms + (np.arange(inferences.shape[1]) + 0.5) * pane_ms) / HOUR_MS
        outcomes = self._outcomes(latency, inferences, middles, observed, start, end)
        covered = self._mature_coverage(grid, seen, end, latency)
        for code, outcome, coverage, counted in zip(seen, outcomes, covered, counts.tolist(), strict=True):
            finding = Finding(outcome, p=getattr(outcome, "p", None), coverage=coverage)
            yield Judged(series, scope_with_feature(series, table.groups[code]), start, finding, tuple(counted))

    def revision(self, reach: int, end: int) -> dict[int, int]:
        return merged(sums.table.largest_version for sums in self._sums)

    def _outcomes(
        self, latency: LabelLatency | None, inferences: Int, middles: np.ndarray, observed: Int, start: int, end: int
    ) -> list[Outcome]:
        if (
            latency is None
            or latency.p50_h is None
            or latency.p95_h is None
            or latency.p99_h is None
            or latency.expected_coverage is None
        ):
            return [Insufficient(Reason.UNKNOWN_REFERENCE)] * len(observed)
        expected = expected_arrivals(
            inferences,
            middles,
            window_start_h=start / HOUR_MS,
            window_end_h=end / HOUR_MS,
            coverage=latency.expected_coverage,
            curve=latency_curve(latency.p50_h, latency.p95_h, latency.p99_h),
        )
        return count_ratio(observed, expected, dispersion=latency.dispersion or 1.0, level=self.monitor.interval.level)

    def _mature_coverage(self, grid: _Grid, seen: Sequence[int], end: int, latency: LabelLatency | None) -> list[float | None]:
        """Of each group labelled over inferences of the newest mature window that holds inferences; None where there is none."""
        found: list[float | None] = [None] * len(seen)
        if latency is None or self.size_ms is None:
            return found
        maturity, window = latency.maturity, end
        searching, codes = np.arange(len(seen)), np.array(seen, np.int64)
        while window > grid.first_ms and len(searching):
            inside = grid.column(window - self.size_ms, window)
            inferences, labelled = (
                grid.counts[column][codes[searching], inside].sum(axis=1) for column in (Arrival.INFERENCES, Arrival.LABELLED)
            )
            mature = inferences > 0
            if maturity.or_age_ms is None or end < window + maturity.or_age_ms:
                mature &= labelled >= maturity.coverage_min * inferences if maturity.coverage_min is not None else False
            for at in np.flatnonzero(mature).tolist():
                found[searching[at]] = int(labelled[at]) / int(inferences[at])
            searching = searching[~mature]
            window -= self.slide_ms
        return found
