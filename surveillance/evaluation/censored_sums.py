"""Sums of waits as they stood at one time: acknowledgements that came later, or never, are waits censored then.

Given that time the sums of panes add up like any others, so windows are extended and pooled as elsewhere.
"""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.mirror import Table
from surveillance.evaluation.rollups import Measure
from surveillance.evaluation.window_sums import WindowSums
from surveillance.panes.log_bins import LONGEST_DELAY_MS, log_bins
from surveillance.panes.statistics import Delays


class CensoredSums(WindowSums):
    """Counts of ended waits, their sums in milliseconds, counts of censored waits and their sums: four blocks of log bins."""

    def __init__(self, table: Table, pane_ms: int, edges: Int) -> None:
        super().__init__(table, pane_ms, 4 * len(edges), cumulative=False)
        self._edges = edges
        self.censored_at_ms = 0
        """Who still waited then is censored."""

    def of_all(self, start_ms: int, end_ms: int) -> Int:
        """Shape (groups, 4 x bins)."""
        total = np.zeros((len(self.table.groups), self.length), np.int64)
        rows = [
            (pane, code, counts)
            for pane in self.table.inside(start_ms, end_ms, self.pane_ms)
            for code, counts in self.table.panes[pane].items()
        ]
        if rows:
            panes, codes, counts = zip(*rows, strict=True)
            waits = self._waits(np.array(panes, np.int64), np.stack(counts))
            row, column = np.divmod(np.flatnonzero(waits), self.length)  # few of a row's bins hold anything
            np.add.at(total.reshape(-1), np.array(codes)[row] * self.length + column, waits[row, column])
        return total

    def add_to(self, total: Int, codes: Int, start_ms: int, end_ms: int) -> None:
        total += self.of_all(start_ms, end_ms)[codes]

    def measured(self, measure: Measure, start_ms: int, end_ms: int) -> Int:
        return measure(self.of_all(start_ms, end_ms))

    def _waits(self, panes_ms: Int, counts: Int) -> Int:
        """Of rows of `DELAYS` (rows, columns) whose panes start at `panes_ms`."""
        ended, ended_ms = np.split(counts[:, len(Delays) :], 2, axis=1)
        acknowledged, at_ms = counts[:, Delays.ACKNOWLEDGED], counts[:, Delays.ACKNOWLEDGED_AT_MS]
        until_ms = self.censored_at_ms - panes_ms
        # An alert stands at the mean of its pane's, and an acknowledgement that much later than its delay.
        inside_ms = until_ms - at_ms // np.maximum(acknowledged, 1)
        later = ended_ms > ended * inside_ms[:, None]
        late = np.where(later, ended, 0).sum(axis=1)
        waiting = counts[:, Delays.ALERTS] - acknowledged
        waiting_ms = waiting * until_ms - (counts[:, Delays.ALERTS_AT_MS] - at_ms)
        found = np.zeros((len(counts), self.length), np.int64)
        bins = len(self._edges)
        found[:, :bins], found[:, bins : 2 * bins] = np.where(later, 0, ended), np.where(later, 0, ended_ms)
        for many, sum_ms in ((late, late * inside_ms), (waiting, waiting_ms)):
            self._censor(found, many, sum_ms)
        return found

    def _censor(self, found: Int, many: Int, sum_ms: Int) -> None:
        """Add `many` waits (rows,) of `sum_ms` together to the blocks of censored ones."""
        rows = np.flatnonzero(many > 0)
        wait_ms = np.clip(sum_ms[rows] // many[rows], 0, LONGEST_DELAY_MS)
        bins = len(self._edges)
        place = 2 * bins + log_bins(self._edges, wait_ms)
        found[rows, place] += many[rows]
        found[rows, place + bins] += np.clip(sum_ms[rows], 0, LONGEST_DELAY_MS * many[rows])
