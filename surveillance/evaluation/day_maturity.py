"""When the labels of a UTC day of inferences were first complete enough, over all scopes; never undone."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from typing import NamedTuple

from surveillance.evaluation.mirror import Table
from surveillance.manifest.model_labels import LabelLatency
from surveillance.panes.groups import scope_of
from surveillance.panes.plan import DAY_AXIS
from surveillance.panes.statistics import Flow
from surveillance.times import DAY_MS, floor_to

LABELLED = (Flow.NEGATIVES_UNFLAGGED, Flow.POSITIVES_UNFLAGGED, Flow.NEGATIVES_FLAGGED, Flow.POSITIVES_FLAGGED)


class _Covered(NamedTuple):
    """Inferences, and how many of them are labelled."""

    inferences: int
    labelled: int

    def reaches(self, coverage_min: float) -> bool:
        return self.inferences > 0 and self.labelled >= coverage_min * self.inferences


class _Day:
    """Counts of one day by pane, with their sums through each, which hold up to the first pane that changed."""

    def __init__(self, day: int, coverage_min: float) -> None:
        self._end_ms, self._coverage_min = (day + 1) * DAY_MS, coverage_min
        self._panes: list[int] = []
        self._counts: dict[int, _Covered] = {}
        self._sums: list[_Covered] = []
        self._too_few = 0
        """So many sums from the first on do not reach the coverage, or are of panes before the end of the day."""

    def put(self, pane: int, covered: _Covered) -> bool:
        """Take up the counts of a pane; False where they are what was known."""
        known = self._counts.get(pane)
        if known == covered:
            return False
        if known is None:
            insort(self._panes, pane)
        self._counts[pane] = covered
        at = bisect_left(self._panes, pane)
        del self._sums[at:]
        self._too_few = min(self._too_few, at)
        return True

    def first_covered(self) -> int | None:
        """The first pane through which enough is labelled. A running day cannot mature: that after its end is the earliest."""
        for pane in self._panes[len(self._sums) :]:
            inferences, labelled = self._sums[-1] if self._sums else (0, 0)
            more = self._counts[pane]
            self._sums.append(_Covered(inferences + more.inferences, labelled + more.labelled))
        after = bisect_left(self._panes, self._end_ms)
        if after and self._panes[after : after + 1] != [self._end_ms] and self._sums[after - 1].reaches(self._coverage_min):
            return self._end_ms
        for at in range(max(after, self._too_few), len(self._panes)):
            if self._sums[at].reaches(self._coverage_min):
                return self._panes[at]
            self._too_few = at + 1
        return None


class DayMaturity:
    """The base pane in which each day first was mature, read from the flow of all scopes by day."""

    def __init__(self, table: Table, pane_ms: int, latency: LabelLatency | None) -> None:
        self._table, self._pane_ms = table, pane_ms
        self._maturity = latency.maturity if latency is not None else None
        self._changed = table.subscribe()
        self._days: list[int] = []
        """Day of each group code."""
        self._by_day: dict[int, _Day] = {}
        self._ahead: dict[int, int] = {}
        """Days whose first mature pane had not ended at the last update."""
        self.pane: dict[int, int] = {}

    def update(self, end_ms: int) -> set[int]:
        """Take up changed panes; returns the days whose first maturity, as of panes that end by `end_ms`, is new or has moved."""
        for day in self._take():
            first = self._first_mature(day)
            self._ahead.pop(day, None)
            if first is not None and first != self.pane.get(day):
                self._ahead[day] = first
        moved = {day for day, first in self._ahead.items() if first + self._pane_ms <= end_ms}
        for day in moved:
            self.pane[day] = self._ahead.pop(day)
        return moved

    def _take(self) -> set[int]:
        """Days with a change that may move their first maturity: what comes after it cannot."""
        days = set()
        for (pane, code), counts in self._changed.items():
            while len(self._days) <= code:
                self._days.append(int(scope_of(self._table.groups[len(self._days)])[DAY_AXIS]))
            day = self._days[code]
            covered = _Covered(
                int(counts[Flow.INFERENCES_UNFLAGGED] + counts[Flow.INFERENCES_FLAGGED]),
                int(sum(counts[column] for column in LABELLED)),
            )
            if self._day(day).put(pane, covered) and (day not in self.pane or pane <= self.pane[day]):
                days.add(day)
        self._changed.clear()
        return days

    def _day(self, day: int) -> _Day:
        found = self._by_day.get(day)
        if found is None:
            coverage_min = self._maturity.coverage_min if self._maturity is not None else None
            found = self._by_day[day] = _Day(day, math.inf if coverage_min is None else coverage_min)
        return found

    def _first_mature(self, day: int) -> int | None:
        if self._maturity is None:
            return None
        found = []
        if self._maturity.or_age_ms is not None:
            found.append(floor_to((day + 1) * DAY_MS + self._maturity.or_age_ms, self._pane_ms))
        if self._maturity.coverage_min is not None:
            covered = self._by_day[day].first_covered()
            found += [covered] if covered is not None else []
        return min(found, default=None)
