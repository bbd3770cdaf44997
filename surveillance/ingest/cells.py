"""Cells: every combination of tenant, manifest and axis levels that a partition has seen, as one small integer.

An event is coded once; the group of any set of axes is then one look-up in an array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Codes, Int
from surveillance.panes.groups import group_text, scope_of


class Group(NamedTuple):
    """Where a count belongs: tenant, manifest digest and the canonical text of its axis levels."""

    tenant: str
    manifest_digest: str
    text: str


class CellTable:
    """Codes of cells, in order of first sight; kept for the life of a partition's assignment."""

    def __init__(self) -> None:
        self._code: dict[Group, int] = {}
        self.cells: list[Group] = []
        self._levels: list[Mapping[str, str]] = []
        self._projections: dict[tuple[str, ...], _Projection] = {}

    def code(self, cell: Group) -> int:
        """Code of the cell, new if it has not been seen."""
        known = self._code.get(cell)
        if known is None:
            known = self._code[cell] = len(self.cells)
            self.cells.append(cell)
            self._levels.append(scope_of(cell.text))
        return known

    def codes(self, cells: Sequence[Group]) -> Codes:
        return np.fromiter((self.code(cell) for cell in cells), np.int32, len(cells))

    def groups(self, axes: tuple[str, ...]) -> tuple[Int, Sequence[Group]]:
        """For these axes: the group code of each cell, shape (cells,), and the groups by code."""
        projection = self._projections.setdefault(axes, _Projection())
        for at in range(len(projection.codes), len(self.cells)):
            cell, levels = self.cells[at], self._levels[at]
            text = group_text(axes, [levels.get(axis, "unknown") for axis in axes])
            projection.add(Group(cell.tenant, cell.manifest_digest, text))
        return projection.array(), projection.groups


class _Projection:
    def __init__(self) -> None:
        self.codes: list[int] = []
        self.groups: list[Group] = []
        self._code: dict[Group, int] = {}
        self._array: Int = np.zeros(0, np.int64)

    def add(self, group: Group) -> None:
        code = self._code.get(group)
        if code is None:
            code = self._code[group] = len(self.groups)
            self.groups.append(group)
        self.codes.append(code)

    def array(self) -> Int:
        if len(self._array) != len(self.codes):
            self._array = np.array(self.codes, np.int64)
        return self._array
