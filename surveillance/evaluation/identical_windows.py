"""`variance_ratio`: the variance of a window, and how many windows in a row hold the very same counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.judging import Judged, Moment, Subject
from surveillance.evaluation.sums_monitor import SumsMonitor
from surveillance.evaluation.window_sums import WindowSums
from surveillance.manifest.metrics_inputs import VarianceRatio
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.binning import bin_count, feature_distribution
from surveillance.panes.plan import Series


class VarianceMonitor(SumsMonitor):
    """Judges the variance by its window alone, and looks back over the monitor's own windows as far as they are identical."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        super().__init__(subject, monitor)
        metric = monitor.metric
        assert isinstance(metric, VarianceRatio)
        self._bins = bin_count(feature_distribution(subject.plan.manifest, metric.feature))
        wanted = [limit.identical_windows for limit in monitor.limits.by_level.values()]
        self._longest = max((number for number in wanted if number is not None), default=0)

    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        """Every scope of a series that has been seen before the window's end."""
        counts_runs = self._longest > 0 and self._bins > 0 and self.size_ms is not None
        for judged in super().scopes(series, sums, start, end, moment):
            yield self._with_run(judged, sums, end) if counts_runs and judged.code >= 0 else judged

    def _with_run(self, judged: Judged, sums: WindowSums, end: int) -> Judged:
        size = self.size_ms or 0
        newest = self._window(judged.code, sums, end)
        if not newest.any():
            return judged
        run, reach, ended = 1, end - size, end
        while run < self._longest:
            before = self._last_filled(judged.code, sums, ended - self.slide_ms)
            if before is None:
                # Rows of a window that is empty so far would begin the run there, or cut it.
                reach = min(reach, ended - self.slide_ms - size)
                break
            ended = before
            reach = ended - size
            if (self._window(judged.code, sums, ended) != newest).any():
                break
            run += 1
        finding = judged.finding._replace(identical=run)
        return judged._replace(finding=finding, reach_ms=min(reach, end - size if judged.reach_ms is None else judged.reach_ms))

    def _last_filled(self, code: int, sums: WindowSums, end: int) -> int | None:
        """The last end of the monitor's own windows, at or before `end`, whose window holds values; None where there is none."""
        size, panes = self.size_ms or 0, sums.table.panes
        while end > sums.table.first_pane[code]:
            if self._window(code, sums, end).any():
                return end
            earlier = max((pane for pane in panes if pane < end - size and self._filled(panes[pane].get(code))), default=None)
            if earlier is None:
                return None
            # The last window that the pane is in.
            end = min(end - self.slide_ms, (earlier + size) // self.slide_ms * self.slide_ms)
        return None

    def _filled(self, counts: Int | None) -> bool:
        return counts is not None and bool(counts[: self._bins].any())

    def _window(self, code: int, sums: WindowSums, end: int) -> Int:
        counts: Int = sums.of_one(code, end - (self.size_ms or 0), end)[: self._bins]
        return np.asarray(counts, np.int64)
