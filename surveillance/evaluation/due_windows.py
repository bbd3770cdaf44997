"""Which windows of a monitor are due: new ones that have closed, and judged ones that something has happened to since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from surveillance.evaluation.judging import Moment
from surveillance.times import floor_to


class ChangedRow(NamedTuple):
    """A row that changed: number of the series that reads it, start of its pane, code of its group."""

    series: int
    pane_ms: int
    code: int


class DueWindows:
    """How far a monitor has judged, and which of its windows may still change by themselves.

    `size_ms` None = cumulative. `reads_all_before` = a window's result rests on all earlier panes, as a cumulative one's does.
    A series that reads all before judges again its newest end only: a look that was taken stands.
    """

    def __init__(self, size_ms: int | None, slide_ms: int, *, or_age_ms: int | None, reads_all_before: bool = False) -> None:
        self.size_ms, self.slide_ms, self.or_age_ms = size_ms, slide_ms, or_age_ms
        self.reads_all_before = reads_all_before or size_ms is None
        self.newest_end: int | None = None
        self._first_ms: int | None = None
        self._immature: set[int] = set()
        self._partial: set[int] = set()
        self._reach: dict[int, Mapping[tuple[int, int], int]] = {}
        """Window end -> (series, group code) -> start of what was looked at, where that lies before the window itself."""

    def due(self, first_ms: int, end_ms: int, changed: Iterable[ChangedRow], moment: Moment) -> tuple[list[int], range]:
        """Ends to judge again, ascending, and ends never judged before.

        `first_ms` = the manifest's first event, `end_ms` = the newest end that may be judged, `changed` = rows that changed.
        """
        begin = floor_to(first_ms, self.slide_ms) + self.slide_ms
        newest = self.newest_end if self.newest_end is not None else begin - self.slide_ms
        again = self._revised(changed, newest) | self._matured(moment) | self._completed(moment) | self._begun(first_ms, newest)
        fresh = range(newest + self.slide_ms, end_ms + 1, self.slide_ms)
        self.newest_end = max(end_ms, newest)
        return sorted(end for end in again if begin <= end <= newest), fresh

    def judged(self, end_ms: int, *, reach: Mapping[tuple[int, int], int], mature: bool, partial: bool) -> None:
        """Remember what a judged window still waits for, and which groups it looked at before its own start."""
        self._reach.pop(end_ms, None)
        if reach:
            self._reach[end_ms] = reach
        for waiting, waits in ((self._immature, not mature), (self._partial, partial)):
            if waits:
                waiting.add(end_ms)
            else:
                waiting.discard(end_ms)

    def _begun(self, first_ms: int, newest: int) -> set[int]:
        """Ends that came into being, and cumulative windows that grew, because an earlier first event was found."""
        known, self._first_ms = self._first_ms, first_ms
        if known is None or first_ms >= known:
            return set()
        if self.size_ms is None:
            return {newest}
        return set(range(floor_to(first_ms, self.slide_ms) + self.slide_ms, floor_to(known, self.slide_ms) + 1, self.slide_ms))

    def _revised(self, changed: Iterable[ChangedRow], newest: int) -> set[int]:
        earlier = [row for row in changed if row.pane_ms < newest]
        if not earlier:
            return set()
        found = {newest} if self.reads_all_before else set()
        if self.size_ms is not None:
            for pane in {row.pane_ms for row in earlier}:
                first_end = floor_to(pane, self.slide_ms) + self.slide_ms
                found.update(range(first_end, min(pane + self.size_ms, newest) + 1, self.slide_ms))
        return found | self._reached(earlier) if self._reach else found

    def _reached(self, earlier: Collection[ChangedRow]) -> set[int]:
        """Ends that looked back at one of these rows for the very group."""
        panes: dict[tuple[int, int], list[int]] = {}
        for row in earlier:
            panes.setdefault((row.series, row.code), []).append(row.pane_ms)
        oldest = min(row.pane_ms for row in earlier)
        return {
            end
            for end, reach in self._reach.items()
            if end > oldest and any(start <= pane < end for key, start in reach.items() if key in panes for pane in panes[key])
        }

    def _matured(self, moment: Moment) -> set[int]:
        """Windows that were immature and are old enough now."""
        if self.or_age_ms is None:
            return set()
        return {end for end in self._immature if end + self.or_age_ms <= moment.watermark_ms}

    def _completed(self, moment: Moment) -> set[int]:
        """Windows that were partial and are no more: met was out of reach, whether rows came or not."""
        return {end for end in self._partial if end <= moment.complete_ms}
