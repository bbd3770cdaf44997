"""From coded contributions to deltas of pane rows, by `np.bincount`; no loop over events.

A *slice* is a run of whole records that is applied at once: a fetch in a worker, the records between two judging
moments in a replay, single records while a partition recovers from a crash (law 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Bool, Codes, Int
from surveillance.ingest.cells import CellTable, Group
from surveillance.ingest.distinct import distinct
from surveillance.ingest.pane_table import Delta
from surveillance.panes.rows import PaneKey
from surveillance.panes.statistics import Statistic

_BLOCK = 4_000_000
"""Most integers of a dense block: bounds memory where rows are long and slices many."""

_MOST_CODES = 2**63
"""Codes of (slice, cell, pane) must fit into 64 bits."""


_EXACT = 2**53
"""Integers of a float below which every sum is exact."""

_HALF = 26
"""Bits of the lower half of a large weight: a million rows of either half stay below `_EXACT`."""


class Increments(NamedTuple):
    """`weight` (1 where None) added at vector index `column`, for the contributing rows where `where` holds (all where None)."""

    column: int | Int
    weight: Int | None = None
    where: Bool | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The contributing rows: slice, offset of the record, cell and pane start of each; shape (n,), in position order."""

    slices: Int
    offsets: Int
    cells: Codes
    times_ms: Int


class _Grouping(NamedTuple):
    """The numbers of a block by row of the pane table: sorted by `order`, a row begins at each of `starts`.

    `rows` has the slice, group and pane of each.
    """

    order: Int
    starts: Int
    rows: Sequence[tuple[int, Group, int]]


@dataclass(frozen=True, slots=True)
class Compact:
    """Rows that share slice, cell and pane, numbered: `inverse[i]` is the number of row i, `offsets[i]` its record's offset."""

    inverse: Int
    offsets: Int
    slices: Int
    cells: Int
    panes_ms: Int
    _groupings: dict[tuple[tuple[str, ...], int, int], _Grouping] = field(default_factory=dict)

    def grouping(self, axes: tuple[str, ...], start: int, stop: int, cells: CellTable) -> _Grouping:
        """The numbers from `start` to `stop` grouped by these axes; statistics that share the numbering share it, too.

        `cells` is always the table that the cells are codes of.
        """
        known = self._groupings.get((axes, start, stop))
        if known is None:
            known = self._groupings[axes, start, stop] = self._grouped(axes, start, stop, cells)
        return known

    def _grouped(self, axes: tuple[str, ...], start: int, stop: int, cells: CellTable) -> _Grouping:
        slices, panes = self.slices[start:stop], self.panes_ms[start:stop]
        group_of, groups = cells.groups(axes)
        group = group_of[self.cells[start:stop]]
        order = np.lexsort((panes, group, slices))
        changed = (np.diff(slices[order]) != 0) | (np.diff(group[order]) != 0) | (np.diff(panes[order]) != 0)
        starts = np.concatenate([[0], np.flatnonzero(changed) + 1])
        first = order[starts]
        named = zip(slices[first].tolist(), group[first].tolist(), panes[first].tolist(), strict=True)
        return _Grouping(order, starts, [(number, groups[code], pane) for number, code, pane in named])

    def latest(self, contributing: Bool | None) -> Int:
        """The last offset among the contributing rows (all where None) of each number; -1 where none contributes."""
        latest = np.full(len(self.slices), -1, np.int64)
        rows = slice(None) if contributing is None else contributing
        latest[self.inverse[rows]] = self.offsets[rows]  # rows stand in position order, so the last one written is the largest
        return latest


def compact(rows: Rows, pane_ms: int) -> Compact:
    """Number the distinct (slice, cell, pane) of the rows, sorted by slice."""
    panes = rows.times_ms // pane_ms
    first = int(panes.min()) if len(panes) else 0
    span = int(panes.max()) - first + 1 if len(panes) else 1
    cells = int(rows.cells.max()) + 1 if len(rows.cells) else 1
    slices = int(rows.slices.max()) + 1 if len(rows.slices) else 1
    if slices * cells * span < _MOST_CODES:
        code = (rows.slices * cells + rows.cells) * span + (panes - first)
    else:  # a device with a clock in another century
        code = np.unique(np.stack([rows.slices, rows.cells, panes]), axis=1, return_inverse=True)[1].reshape(-1)
    firsts, inverse = distinct(code)
    slice_of, cell_of = rows.slices[firsts], rows.cells[firsts].astype(np.int64)
    return Compact(inverse, rows.offsets, slice_of, cell_of, panes[firsts] * pane_ms)


def deltas(
    statistic: Statistic, numbered: Compact, increments: Sequence[Increments], cells: CellTable, partition: int
) -> Iterator[tuple[int, Delta]]:
    """(slice, delta) for every row that the increments touch, ascending by slice for each set of axes.

    A record touches a row, and so gives it its version, also where its increments add up to nothing: a version must not
    depend on which records were added together.
    """
    per_block = max(1, _BLOCK // statistic.length)
    latest = numbered.latest(_contributing(increments, len(numbered.inverse)))
    for start in range(0, len(numbered.slices), per_block):
        stop = min(start + per_block, len(numbered.slices))
        if (latest[start:stop] >= 0).any():
            dense = _dense(numbered.inverse, increments, statistic.length, start, stop)
            for axes in statistic.axis_sets:
                grouping = numbered.grouping(axes, start, stop, cells)
                yield from _summed(statistic.id, grouping, dense, latest[start:stop], partition)


def _contributing(increments: Sequence[Increments], rows: int) -> Bool | None:
    """Rows to which any increment applies; None = all."""
    found = np.zeros(rows, np.bool_)
    for one in increments:
        if one.where is None:
            return None
        found |= one.where
    return found


def _dense(inverse: Int, increments: Sequence[Increments], length: int, start: int, stop: int) -> Int:
    size = (stop - start) * length
    total = np.zeros(size, np.int64)
    for column, weight, where in increments:
        inside = (inverse >= start) & (inverse < stop)
        if where is not None:
            inside &= where
        at = (inverse[inside] - start) * length + (column if isinstance(column, int) else column[inside])
        if not len(at):
            continue
        total += np.bincount(at, minlength=size) if weight is None else _integer_sums(at, weight[inside], size)
    return total.reshape(stop - start, length)


def _integer_sums(at: Int, weight: Int, size: int) -> Int:
    """Sums of integers by index. `np.bincount` adds floats, which is exact below 2**53: larger weights go in two halves."""
    largest = max(-int(weight.min()), int(weight.max()))
    if largest * len(weight) < _EXACT:
        return np.rint(np.bincount(at, weights=weight, minlength=size)).astype(np.int64)
    high, low = weight >> _HALF, weight & ((1 << _HALF) - 1)
    upper, lower = (np.rint(np.bincount(at, weights=half, minlength=size)).astype(np.int64) for half in (high, low))
    return (upper << _HALF) + lower


def _summed(statistic: str, grouping: _Grouping, dense: Int, latest: Int, partition: int) -> Iterator[tuple[int, Delta]]:
    sums = np.add.reduceat(dense[grouping.order], grouping.starts, axis=0)
    newest = np.maximum.reduceat(latest[grouping.order], grouping.starts)
    for at in np.flatnonzero(newest >= 0).tolist():
        number, (tenant, digest, text), pane_ms = grouping.rows[at]
        yield number, Delta(PaneKey(tenant, digest, partition, statistic, text, pane_ms), int(newest[at]), sums[at])
