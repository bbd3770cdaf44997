"""Sums of a statistic over windows, and running sums for monitors that read everything from the first event on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.mirror import RunningTotal, Table
from surveillance.evaluation.rollups import Measure


class WindowSums:
    """Counts of one table by window; `length` = columns of the statistic, `pane_ms` = width of its panes."""

    def __init__(self, table: Table, pane_ms: int, length: int, *, cumulative: bool) -> None:
        self.table, self.pane_ms, self.length = table, pane_ms, length
        self._running = RunningTotal(table, pane_ms, length) if cumulative else None

    def of_all(self, start_ms: int, end_ms: int) -> Int:
        """Counts of every group over [start, end), shape (groups, length); a cumulative sum's ends only ever grow."""
        if self._running is not None:
            return self._running.to(end_ms)
        return self.table.sums(start_ms, end_ms, self.pane_ms, self.length)

    def add_to(self, total: Int, codes: Int, start_ms: int, end_ms: int) -> None:
        """Add to `total` (codes, length) the counts of these groups, each named once, over [start, end)."""
        place = np.full(len(self.table.groups), -1)
        place[codes] = np.arange(len(codes))
        for block in self.table.blocks(start_ms, end_ms, self.pane_ms):
            block.add_to(total, place)

    def measured(self, measure: Measure, start_ms: int, end_ms: int) -> Int:
        """A measure of the counts of every group over [start, end), shape (groups,)."""
        total = np.zeros(len(self.table.groups), np.int64)
        for block in self.table.blocks(start_ms, end_ms, self.pane_ms):
            total[block.codes] += block.measured(measure)
        return total

    def of_one(self, code: int, start_ms: int, end_ms: int) -> Int:
        """Counts of one group over [start, end), shape (length,)."""
        total = np.zeros(self.length, np.int64)
        for pane in self.table.inside(start_ms, end_ms, self.pane_ms):
            total += self.table.panes[pane].get(code, 0)
        return total

    def of_groups(self, groups: Sequence[str], starts: Int, end_ms: int) -> Int | None:
        """Counts of groups by their name, each over its own [start, end), shape (groups, length); None where no row is known."""
        if not self.table.groups:
            return None
        found = np.zeros((len(groups), self.length), np.int64)
        codes = [self.table.code_of(group) for group in groups]
        for start in np.unique(starts).tolist():
            total = self.of_all(start, end_ms)
            for at in np.flatnonzero(starts == start).tolist():
                if (code := codes[at]) is not None:
                    found[at] = total[code]
        return found

    def revision(self, start_ms: int, end_ms: int) -> dict[int, int]:
        """Largest version per partition among the panes of [start, end)."""
        if self._running is not None:
            return dict(self._running.versions)
        return self.table.revision(start_ms, end_ms, self.pane_ms)
