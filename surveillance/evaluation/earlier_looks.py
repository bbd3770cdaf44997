"""Earlier looks at a cumulative series, as the data are now: which of them was the last that said something.

A cumulative series is judged at its newest end only; a look taken before stands as it was taken, and when it was taken
depends on when rows came. What is told of it must not, so the looks are taken again, from the newest end back. Between two
panes with data nothing changes, so one look for each of them is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from surveillance.arrays import Int
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Moment, Subject
from surveillance.evaluation.mirror import Axes, Table
from surveillance.evaluation.sums_monitor import SumsMonitor
from surveillance.evaluation.verdict import Verdict
from surveillance.evaluation.window_sums import WindowSums
from surveillance.manifest.model_monitors import Monitor
from surveillance.times import floor_to


class ShrinkingSums(WindowSums):
    """Sums over every pane before an end that only ever goes back, until `start_over`."""

    def __init__(self, table: Table, pane_ms: int, length: int) -> None:
        super().__init__(table, pane_ms, length, cumulative=False)
        self.start_over()

    def start_over(self) -> None:
        """The next end may be any."""
        self._counts: Int | None = None
        self._panes: list[int] = []

    def of_all(self, start_ms: int, end_ms: int) -> Int:
        if self._counts is None:
            self._panes = sorted(pane for pane in self.table.panes if pane < end_ms)
            self._counts = self.table.sums(min(self._panes, default=end_ms), end_ms, self.pane_ms, self.length)
        while self._panes and self._panes[-1] >= end_ms:
            for code, counts in self.table.panes[self._panes.pop()].items():
                self._counts[code] -= counts
        return self._counts.copy()


class EarlierLooks(SumsMonitor):
    """A cumulative monitor seen from its newest end back."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        super().__init__(subject, monitor)
        self._told_of: int | None = None
        self._told: Mapping[Scope, Evidence] = {}

    def last_conclusive(self, waiting: Callable[[], set[Scope]], newest_end_ms: int, moment: Moment) -> Mapping[Scope, Evidence]:
        """For each waiting scope the newest conclusive look before `newest_end_ms`, where there is one.

        Told anew, and `waiting` asked, when the newest end has moved.
        """
        if newest_end_ms != self._told_of:
            self._told, self._told_of = dict(self._found(waiting(), newest_end_ms, moment)), newest_end_ms
        return self._told

    def _found(self, waiting: set[Scope], newest_end_ms: int, moment: Moment) -> Iterator[tuple[Scope, Evidence]]:
        first = self.subject.first_event_pane()
        for sums in [*self._sums, *self._parents.values()]:
            assert isinstance(sums, ShrinkingSums)
            sums.start_over()
        for reader in self._dirty:
            reader.clear()
        for end in self._ends(newest_end_ms, moment):
            if not waiting or first is None or end <= first:
                return
            for one in self._at(end, first, moment):
                if one.scope in waiting and one.verdict is not Verdict.INCONCLUSIVE:
                    waiting.discard(one.scope)
                    yield one.scope, one

    def _ends(self, newest_end_ms: int, moment: Moment) -> Iterator[int]:
        """Ends that may differ from the one after them, descending: each the start of a pane with data, or where labels were old
        enough last."""
        panes = {pane for sums in self._sums for pane in sums.table.panes if pane < newest_end_ms}
        ends = {floor_to(pane, self.slide_ms) for pane in panes} | {newest_end_ms - self.slide_ms}
        if self._or_age_ms is not None:
            ends.add(floor_to(moment.watermark_ms - self._or_age_ms, self.slide_ms))
        yield from sorted((end for end in ends if end < newest_end_ms), reverse=True)

    def revision(self, reach: int, end: int) -> dict[int, int]:
        """Nothing is recorded of these looks."""
        return {}

    def sums_of(self, statistic: str, axes: Axes) -> WindowSums:
        return ShrinkingSums(*self.subject.panes_of(statistic, axes), self.subject.plan.statistic(statistic).length)
