"""Sums of a table's rows over single panes, aligned hours and aligned days: made when first read, made again after a change.

A window that slides over weeks is then a few sums of arrays, however narrow the panes are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from surveillance.arrays import Int
from surveillance.times import DAY_MS, HOUR_MS, floor_to

Measure = Callable[[Int], Int]
"""A number of each group (R,) from its counts (R, length) that adds up as they do: that of a sum is the sum of those."""


_SPARSE = 10
"""Of fewer than one filled count in so many only those are added up."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Counts (R, length) of the groups that have rows in a span, and their codes (R,), each once."""

    codes: Int
    counts: Int
    _measured: dict[Measure, Int] = field(default_factory=dict)
    _filled: list[tuple[Int, Int | None, Int]] = field(default_factory=list)

    def measured(self, measure: Measure) -> Int:
        """What a measure gives for these counts, shape (R,); worked out once."""
        found = self._measured.get(measure)
        if found is None:
            found = self._measured[measure] = measure(self.counts)
        return found

    def add_to(self, total: Int, place: Int) -> None:
        """Add to `total` (T, length) the counts of each group whose code has a `place` (groups,) in it, -1 = none."""
        if not self._filled:
            self._filled.append(self._entries())
        code, column, count = self._filled[0]
        at = place[code]
        wanted = at >= 0
        if column is None:
            total[at[wanted]] += count[wanted]
        else:
            total[at[wanted], column[wanted]] += count[wanted]

    def _entries(self) -> tuple[Int, Int | None, Int]:
        """Codes, columns and counts of what is not zero, each place once; where that is much whole rows, and no columns."""
        filled = np.flatnonzero(self.counts)
        if len(filled) * _SPARSE > self.counts.size:
            return self.codes, None, self.counts
        row, column = np.divmod(filled, self.counts.shape[1])
        return self.codes[row], column, self.counts[row, column]


Panes = Mapping[int, Mapping[int, Int]]
"""Counts by start of the pane and code of the group."""


class Rollups:
    """Blocks of the panes of one table; the table tells of every change."""

    def __init__(self, panes: Panes) -> None:
        self._panes = panes
        self.blocks: dict[tuple[int, int], Block | None] = {}
        """(width, start) -> block, None where the span has no rows. Width 0 = one pane."""
        self._end_ms = 0
        """No block holds a pane from here on."""

    def forget(self, pane_ms: int) -> None:
        """Rows of this pane have changed."""
        if pane_ms >= self._end_ms:
            return
        self.blocks.pop((0, pane_ms), None)
        for width in (HOUR_MS, DAY_MS):
            self.blocks.pop((width, floor_to(pane_ms, width)), None)

    def covering(self, start_ms: int, end_ms: int, pane_ms: int) -> Iterator[Block]:
        """Blocks that together hold the panes of [start, end), each once; `pane_ms` = width of a pane, which divides both."""
        # Panes of seven minutes fill no hour.
        by_day, by_hour = (width > pane_ms and width % pane_ms == 0 for width in (DAY_MS, HOUR_MS))
        at = start_ms
        while at < end_ms:
            if by_day and at % DAY_MS == 0 and at + DAY_MS <= end_ms:
                width = DAY_MS
            elif by_hour and at % HOUR_MS == 0 and at + HOUR_MS <= end_ms:
                width = HOUR_MS
            else:
                width = pane_ms
            block = self._block(at, width, pane_ms)
            if block is not None:
                yield block
            at += width

    def of_pane(self, at_ms: int) -> Block:
        """The block of one pane that has rows."""
        found = self.blocks.get((0, at_ms))
        if found is None:
            rows = self._panes[at_ms]
            found = Block(np.fromiter(rows, np.int64, len(rows)), np.stack(list(rows.values())))
            self.blocks[0, at_ms] = found
            self._end_ms = max(self._end_ms, at_ms + 1)
        return found

    def _block(self, at_ms: int, width_ms: int, pane_ms: int) -> Block | None:
        if width_ms <= pane_ms:
            return self.of_pane(at_ms) if at_ms in self._panes else None
        key = (width_ms, at_ms)
        if key not in self.blocks:
            self.blocks[key] = self._joined(at_ms, at_ms + width_ms, width_ms, pane_ms)
            self._end_ms = max(self._end_ms, at_ms + width_ms)
        return self.blocks[key]

    def _joined(self, start_ms: int, end_ms: int, width_ms: int, pane_ms: int) -> Block | None:
        part_ms = HOUR_MS if width_ms > HOUR_MS and HOUR_MS % pane_ms == 0 else pane_ms
        parts = [self._block(at, part_ms, pane_ms) for at in range(start_ms, end_ms, part_ms)]
        found = [part for part in parts if part is not None]
        if not found:
            return None
        codes = np.unique(np.concatenate([part.codes for part in found]))
        counts = np.zeros((len(codes), found[0].counts.shape[1]), np.int64)
        for part in found:
            counts[np.searchsorted(codes, part.codes)] += part.counts
        return Block(codes, counts)
