"""`quantile` of acknowledge latencies: each window is looked at twice, at its end and one slide later.

  window open ──watermark at its end──▶ first look ──watermark one slide later──▶ second look, which stands
                                        (who still waits is censored then)        (who still waits is censored then)

Alerts near the end of a window have not had their time at the first look. Both looks are functions of panes alone: an
acknowledgement after the time of the look is censored at it, whether its record is here already or not.
"""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.evaluation.censored_sums import CensoredSums
from surveillance.evaluation.due_windows import DueWindows
from surveillance.evaluation.judging import Judged, Moment, Subject
from surveillance.evaluation.mirror import Axes
from surveillance.evaluation.sums_monitor import SumsMonitor
from surveillance.evaluation.window_sums import WindowSums
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.log_bins import LONGEST_DELAY_MS, log_edges
from surveillance.panes.plan import Series


class AcknowledgementMonitor(SumsMonitor):
    """A windowed monitor whose result at a window's end rests on when it was looked at: at the end, or one slide later."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        super().__init__(subject, monitor)
        # To its window a second look is what maturity is to labels: an age at which it is judged again.
        self._windows = DueWindows(self.size_ms, self.slide_ms, or_age_ms=self.slide_ms)
        self._looked_ms = 0

    @property
    def is_cumulative(self) -> bool:
        """Each look stands as it was taken."""
        return False

    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        second_ms = end + self.slide_ms
        again = moment.watermark_ms >= second_ms
        self._looked_ms = second_ms if again else end
        self._as_of_the_look(sums)
        for judged in super().scopes(series, sums, start, end, moment):
            yield judged._replace(mature=again, mature_from_ms=second_ms if again else None)

    def _parent_sums(self, statistic: str, axes: Axes) -> WindowSums:
        return self._as_of_the_look(super()._parent_sums(statistic, axes))

    def _as_of_the_look(self, sums: WindowSums) -> WindowSums:
        assert isinstance(sums, CensoredSums)
        sums.censored_at_ms = self._looked_ms
        return sums

    def sums_of(self, statistic: str, axes: Axes) -> WindowSums:
        edges = log_edges(self.subject.plan.statistic(statistic).subject, LONGEST_DELAY_MS)
        return CensoredSums(*self.subject.panes_of(statistic, axes), edges)
