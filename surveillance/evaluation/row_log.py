"""Rows of a table as columns in order of time, for what reads every pane of every group, of which most hold nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.mirror import Table, places_of


class Rows(NamedTuple):
    """Start of the pane (R,), code of the group (R,) and counts (R, columns), ascending by pane, then group."""

    pane_ms: Int
    code: Int
    counts: Int

    def between(self, start_ms: int, end_ms: int) -> Rows:
        """Those of the panes that start in [start, end)."""
        return self.part(slice(*np.searchsorted(self.pane_ms, [start_ms, end_ms])))

    def part(self, at: slice | Int) -> Rows:
        """Those at these places."""
        return Rows(self.pane_ms[at], self.code[at], self.counts[at])

    def sums(self, column: int, groups: int) -> Int:
        """Of one column by group, shape (groups,); exact, as sums stay below 2^53."""
        return np.bincount(self.code, self.counts[:, column], groups).astype(np.int64)


class RowLog:
    """All rows of a table, `columns` wide, brought up to date with what changes."""

    def __init__(self, table: Table, columns: int) -> None:
        self._changed = table.subscribe()
        self._held = Rows(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, columns), np.int64))
        """Rows, of which those after the first `_count` are spare."""
        self._count = 0

    def rows(self) -> Rows:
        """All rows as they are now."""
        if self._changed:
            places = places_of(self._changed)
            self._put(Rows(places[:, 0], places[:, 1], np.array(list(self._changed.values()))))
            self._changed.clear()
        return self._held.part(slice(self._count))

    def _put(self, news: Rows) -> None:
        """Take up rows; most often they follow all that are known."""
        known = self._held.part(slice(self._count))
        first = int(np.searchsorted(known.pane_ms, news.pane_ms.min()))
        tail = _joined(known.part(slice(first, None)), news)
        order = np.lexsort((tail.code, tail.pane_ms))  # stable: of a place that is known the new row comes last
        pane_ms, code = tail.pane_ms[order], tail.code[order]
        tail = tail.part(order[np.append((pane_ms[1:] != pane_ms[:-1]) | (code[1:] != code[:-1]), True)])
        self._count = first + len(tail.code)
        if self._count > len(self._held.code):
            self._held = _joined(known, Rows(*(np.resize(one, (2 * self._count, *one.shape[1:])) for one in tail)))
        for held, column in zip(self._held, tail, strict=True):
            held[first : self._count] = column


def _joined(first: Rows, then: Rows) -> Rows:
    return Rows(*(np.concatenate(pair) for pair in zip(first, then, strict=True)))
