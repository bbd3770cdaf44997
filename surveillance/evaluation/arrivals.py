"""`label_arrivals_vs_expected`: labels that arrived in a window against the manifest's latency curve.

Expected = inferences x expected coverage x the curve's increase within the window, over all earlier inferences of the
scope; each base pane stands for its middle.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors.estimate import Insufficient, Outcome, Reason
from detectors.label_arrivals import expected_arrivals, latency_curve
from detectors.negative_binomial import count_ratio
from surveillance.arrays import Float, Int
from surveillance.evaluation.judging import Judged, Moment, Subject
from surveillance.evaluation.mirror import merged
from surveillance.evaluation.row_log import RowLog, Rows
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.window_sums import WindowSums
from surveillance.evaluation.windowed import WindowedMonitor, scope_with_feature
from surveillance.manifest.model_labels import LabelLatency
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.plan import Series
from surveillance.panes.statistics import Arrival
from surveillance.times import HOUR_MS


class ArrivalsMonitor(WindowedMonitor):
    """A windowed monitor whose expectation reaches back over all earlier inferences."""

    reads_all_before = True

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        super().__init__(subject, monitor)
        self._logs = {id(sums): RowLog(sums.table, len(Arrival)) for sums in self._sums}

    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        table, rows = sums.table, self._logs[id(sums)].rows()
        seen = np.array(table.seen_before(end), np.int64)
        if not len(seen):
            if not series.axes:
                yield Judged(series, (), start, Finding(Insufficient(Reason.NO_EXPOSURE)), ())
            return
        assert table.earliest is not None
        before, groups = rows.between(table.earliest, end), len(table.groups)
        observed = rows.between(start, end).sums(Arrival.ARRIVALS, groups)
        inferences, labelled = (before.sums(column, groups) for column in (Arrival.INFERENCES, Arrival.LABELLED))
        expected = self._expected(before, groups, sums.pane_ms, start, end)
        counts = np.stack([inferences, observed, labelled], axis=1)[seen].tolist()
        outcomes, covered = self._outcomes(observed[seen], expected, seen), self._mature_coverage(before, seen, end)
        for code, outcome, coverage, counted in zip(seen.tolist(), outcomes, covered, counts, strict=True):
            lacks = Reason.IMMATURE_LABELS if coverage is None else None
            finding = Finding(outcome, p=getattr(outcome, "p", None), coverage=coverage, lacks=lacks)
            yield Judged(series, scope_with_feature(series, table.groups[code]), start, finding, tuple(counted))

    def revision(self, reach: int, end: int) -> dict[int, int]:
        return merged(sums.table.largest_version for sums in self._sums)

    @property
    def _latency(self) -> LabelLatency | None:
        return self.subject.plan.manifest.baselines.label_latency

    def _expected(self, before: Rows, groups: int, pane_ms: int, start: int, end: int) -> Float | None:
        """Labels expected in [start, end) of each group, shape (groups,); None where the manifest does not say."""
        latency = self._latency
        if (
            latency is None
            or latency.p50_h is None
            or latency.p95_h is None
            or latency.p99_h is None
            or latency.expected_coverage is None
        ):
            return None
        first_ms = int(before.pane_ms[0])
        pane = (before.pane_ms - first_ms) // pane_ms
        return expected_arrivals(
            before.counts[:, Arrival.INFERENCES],
            pane,
            before.code,
            pane_mid_h=(first_ms + (np.arange(pane[-1] + 1) + 0.5) * pane_ms) / HOUR_MS,
            cells=groups,
            window_start_h=start / HOUR_MS,
            window_end_h=end / HOUR_MS,
            coverage=latency.expected_coverage,
            curve=latency_curve(latency.p50_h, latency.p95_h, latency.p99_h),
        )

    def _outcomes(self, observed: Int, expected: Float | None, seen: Int) -> list[Outcome]:
        latency = self._latency
        if expected is None or latency is None:
            return [Insufficient(Reason.UNKNOWN_REFERENCE)] * len(observed)
        return count_ratio(observed, expected[seen], dispersion=latency.dispersion or 1.0, level=self.monitor.interval.level)

    def _mature_coverage(self, before: Rows, seen: Int, end: int) -> list[float | None]:
        """Of each group labelled over inferences of the newest mature window that holds inferences; None where there is none."""
        found: list[float | None] = [None] * len(seen)
        latency = self._latency
        if latency is None or self.size_ms is None:
            return found
        maturity, window, searching, groups = latency.maturity, end, np.arange(len(seen)), int(seen[-1]) + 1
        while window > before.pane_ms[0] and len(searching):
            inside = before.between(window - self.size_ms, window)
            inferences, labelled = (
                inside.sums(column, groups)[seen[searching]] for column in (Arrival.INFERENCES, Arrival.LABELLED)
            )
            mature = inferences > 0
            if maturity.or_age_ms is None or end < window + maturity.or_age_ms:
                mature &= labelled >= maturity.coverage_min * inferences if maturity.coverage_min is not None else False
            for at in np.flatnonzero(mature).tolist():
                found[searching[at]] = int(labelled[at]) / int(inferences[at])
            searching = searching[~mature]
            window -= self.slide_ms
        return found
