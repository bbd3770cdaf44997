"""`cusum` and `ewma`: the windows of a monitor folded in order, one chart per scope.

A chart keeps its state after each window end. A late row in a window takes back the states from there on, and every end
after it is judged again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping

import numpy as np

from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.normal_chart import fold_cusum, fold_ewma, of_tail
from surveillance.arrays import Float
from surveillance.evaluation.chart_standard import Standard, standard_of, totals_of, z_of
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Judged, Moment, Subject
from surveillance.evaluation.mirror import Axes
from surveillance.evaluation.revision_through import RevisionThrough
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.window_sums import WindowSums
from surveillance.evaluation.windowed import WindowedMonitor, scope_with_feature
from surveillance.manifest.metrics_inputs import NormalChart
from surveillance.manifest.model_monitors import Monitor
from surveillance.manifest.season import month_of
from surveillance.panes.plan import Series


class _Sides:
    """Both sides of a chart after each window end, ascending."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._values: list[Float] = []

    def before(self, end_ms: int) -> Float:
        """Those after the last end before this one, zeros before the first; what stood at this end or later is taken back."""
        at = bisect_left(self._ends, end_ms)
        del self._ends[at:], self._values[at:]
        return self._values[-1] if self._values else np.zeros(2)

    def put(self, end_ms: int, value: Float) -> None:
        self._ends.append(end_ms)
        self._values.append(value)


class NormalChartMonitor(WindowedMonitor):
    """Judges one chart of window means or shares of one subject."""

    reads_all_before = True

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        super().__init__(subject, monitor)
        metric = monitor.metric
        assert isinstance(metric, NormalChart)
        self.metric = metric
        self._needed = subject.plan.manifest.minimum_sample_of(monitor)
        self._sides: dict[tuple[Axes, str], _Sides] = {}
        self._standards: dict[tuple[tuple[Axes, str], int], Standard | None] = {}
        self._revision = RevisionThrough((sums.table, sums.pane_ms) for sums in (*self._sums, *self.beside.values()))

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of windows that have closed since the last call, and of all from the first that was revised on."""
        end, first = self._last_end(moment), self.subject.first_event_pane()
        if first is None or (end == self._windows.newest_end and not moment.final):
            return
        again, fresh = self._windows.due(first, end, self._changed(), moment)
        refolded = range(again[0], fresh.start, self.slide_ms) if again else ()
        for ended in (*refolded, *fresh):
            # A window with nothing in it folds nothing.
            if ended == end or self._has_data(ended):
                yield from self._at(ended, first, moment)

    def stands(self, end_ms: int, taken: Moment, offsets: Mapping[int, int]) -> bool:
        """What was folded is folded again from the first window with newer rows on."""
        return False

    def revision(self, reach: int, end: int) -> Mapping[int, int]:
        """Revision of everything a state rests on: all windows up to its own."""
        return self._revision.to(end)

    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        """Every scope of a series that has been seen before the window's end."""
        table, manifest = sums.table, self.subject.plan.manifest
        seen = table.seen_before(end)
        if not seen and not series.axes:
            yield Judged(series, (), start, Finding(self._too_few(0)), ())
        counts = sums.of_all(start, end)
        totals, sizes = totals_of(manifest, self.metric, counts)
        for code in seen:
            scope = scope_with_feature(series, table.groups[code])
            key, month = (series.axes, table.groups[code]), month_of(end)
            if (key, month) not in self._standards:
                self._standards[key, month] = standard_of(manifest, self.metric, scope, end)
            sides = self._sides.setdefault(key, _Sides())
            outcome = self._fold(sides, self._standards[key, month], end, float(totals[code]), int(sizes[code]))
            yield Judged(series, scope, start, Finding(outcome), tuple(counts[code].tolist()), code=code)

    def _fold(self, sides: _Sides, standard: Standard | None, end: int, total: float, n: int) -> Outcome:
        before = sides.before(end)
        if standard is None:
            return Insufficient(Reason.UNKNOWN_REFERENCE, n)
        if n <= 0 or n < self._needed:
            return self._too_few(n)
        folded, z = [before], [z_of(standard, total, n)]
        if self.metric.type == "cusum":
            after = fold_cusum(folded, z, self.metric.k)[0]
        else:
            after = fold_ewma(folded, z, self.metric.smoothing)[0]
        sides.put(end, after)
        value = float(of_tail(after, self.metric.tail))
        return Estimate(value, value, value, n, f"normal_{self.metric.type}")

    def _too_few(self, n: int) -> Insufficient:
        return Insufficient(Reason.BELOW_MINIMUM_N, n, self._needed) if self._needed else Insufficient(Reason.NO_EXPOSURE, n)
