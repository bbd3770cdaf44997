"""When the labels of a UTC day of inferences were first complete enough, over all scopes; never undone."""

from __future__ import annotations

from typing import NamedTuple

from surveillance.evaluation.mirror import Table
from surveillance.manifest.model_labels import LabelLatency
from surveillance.panes.groups import scope_of
from surveillance.panes.plan import DAY_AXIS
from surveillance.panes.statistics import Flow
from surveillance.times import DAY_MS, floor_to

LABELLED = (Flow.NEGATIVES_UNFLAGGED, Flow.POSITIVES_UNFLAGGED, Flow.NEGATIVES_FLAGGED, Flow.POSITIVES_FLAGGED)


class _Covered(NamedTuple):
    inferences: int
    labelled: int


class DayMaturity:
    """The base pane in which each day first was mature, read from the flow of all scopes by day."""

    def __init__(self, table: Table, pane_ms: int, latency: LabelLatency | None) -> None:
        self._table, self._pane_ms = table, pane_ms
        self._maturity = latency.maturity if latency is not None else None
        self._changed = table.subscribe()
        self._days: list[int] = []
        """Day of each group code."""
        self._by_day: dict[int, dict[int, _Covered]] = {}
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
        for pane, code in self._changed:
            counts = self._table.panes[pane][code]
            while len(self._days) <= code:
                self._days.append(int(scope_of(self._table.groups[len(self._days)])[DAY_AXIS]))
            day = self._days[code]
            covered = _Covered(
                int(counts[Flow.INFERENCES_UNFLAGGED] + counts[Flow.INFERENCES_FLAGGED]),
                int(sum(counts[column] for column in LABELLED)),
            )
            known = self._by_day.setdefault(day, {})
            if known.get(pane) != covered:
                known[pane] = covered
                if day not in self.pane or pane <= self.pane[day]:
                    days.add(day)
        self._changed.clear()
        return days

    def _first_mature(self, day: int) -> int | None:
        day_end = (day + 1) * DAY_MS
        if self._maturity is None:
            return None
        found = []
        if self._maturity.or_age_ms is not None:
            found.append(floor_to(day_end + self._maturity.or_age_ms, self._pane_ms))
        if self._maturity.coverage_min is not None:
            covered = self._first_covered(day, day_end, self._maturity.coverage_min)
            found += [covered] if covered is not None else []
        return min(found, default=None)

    def _first_covered(self, day: int, day_end: int, coverage_min: float) -> int | None:
        """A running day cannot mature: the first pane after its end is the earliest."""
        inferences = labelled = 0
        for pane, covered in sorted(self._by_day[day].items()):
            if pane > day_end and inferences and labelled >= coverage_min * inferences:
                return day_end
            inferences += covered.inferences
            labelled += covered.labelled
            if pane >= day_end and inferences and labelled >= coverage_min * inferences:
                return pane
        return day_end if inferences and labelled >= coverage_min * inferences else None
