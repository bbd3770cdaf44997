"""Revision of everything before an end: what a result that folds all earlier panes rests on."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping

from surveillance.evaluation.mirror import Table, merged
from surveillance.times import DAY_MS, floor_to


class RevisionThrough:
    """Largest version per partition among the rows of some tables in the panes that start before an end.

    What was found is kept of each end of a UTC day and of the newest end asked for, so that ends which grow cost the panes
    between them, and a year a few hundred vectors. Versions only grow: one that did is added to what is kept of later ends.
    """

    def __init__(self, tables: Iterable[tuple[Table, int]]) -> None:
        """`tables` = each with the width of its panes, ms."""
        self._read = [(table, pane_ms, table.subscribe_revisions()) for table, pane_ms in dict.fromkeys(tables)]
        self._days: list[int] = []
        self._of_day: dict[int, Mapping[int, int]] = {}
        self._last_ms = 0
        self._last: Mapping[int, int] | None = None

    def to(self, end_ms: int) -> Mapping[int, int]:
        """The revision at an end. What was given is never changed."""
        self._take_up()
        since, found = self._nearest(end_ms)
        while since < end_ms:
            until = min(floor_to(since, DAY_MS) + DAY_MS, end_ms)
            found = merged([found, *(_between(table, since, until, pane_ms) for table, pane_ms, _ in self._read)])
            since = until
            if since % DAY_MS == 0 and since not in self._of_day:
                insort(self._days, since)
                self._of_day[since] = found
        self._last_ms, self._last = end_ms, found
        return found

    def _take_up(self) -> None:
        for table, _, grown in self._read:
            for pane in grown:
                versions = table.versions[pane]
                for day in self._days[bisect_right(self._days, pane) :]:
                    self._of_day[day] = merged((self._of_day[day], versions))
                if self._last is not None and pane < self._last_ms:
                    self._last = merged((self._last, versions))
            grown.clear()

    def _nearest(self, end_ms: int) -> tuple[int, Mapping[int, int]]:
        """The last end up to this one of which something is kept, else the start of everything."""
        at = bisect_right(self._days, end_ms)
        day = self._days[at - 1] if at else None
        if self._last is not None and (day is None or day <= self._last_ms) and self._last_ms <= end_ms:
            return self._last_ms, self._last
        if day is not None:
            return day, self._of_day[day]
        return min((table.earliest for table, _, _ in self._read if table.earliest is not None), default=end_ms), {}


def _between(table: Table, start_ms: int, end_ms: int, pane_ms: int) -> Mapping[int, int]:
    """Revision of the panes that start in [start, end)."""
    first, behind = (-floor_to(-ms, pane_ms) for ms in (start_ms, end_ms))
    return table.revision(first, behind, pane_ms)
