"""Rows that were read in different ways, put together in the order of their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar, cast, overload

import numpy as np

from surveillance.arrays import Float, Int, Small
from surveillance.events.batch import Coded, Columns, FeatureColumn, Ids, Kind

_Made = TypeVar("_Made")
_Item = TypeVar("_Item")


class Rows(Protocol):
    """`places`, shape (n, 2): number of the record in the fetch, index in the record; the rest as in `EventBatch`."""

    @property
    def places(self) -> Int: ...
    @property
    def kind(self) -> Small: ...
    @property
    def envelope(self) -> Columns: ...
    @property
    def kinds(self) -> Mapping[Kind, Columns]: ...
    @property
    def payloads(self) -> Sequence[bytes]: ...


def in_order(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts."""
    filled = [part for part in parts if len(part.places)]
    if len(filled) > 1:
        return JoinedRows(filled)
    only = filled[0] if filled else parts[0]
    return only if _ascending(only.places) else JoinedRows([only])


def _ascending(places: Int) -> bool:
    return bool((np.diff(places[:, 0]) >= 0).all())


@dataclass(frozen=True)
class JoinedRows:
    """Parts of which none is empty, seen as one."""

    parts: Sequence[Rows]

    @cached_property
    def _order(self) -> Int:
        every = np.concatenate([part.places for part in self.parts])
        return np.lexsort((every[:, 1], every[:, 0]))

    @cached_property
    def places(self) -> Int:
        return np.concatenate([part.places for part in self.parts])[self._order]

    @cached_property
    def kind(self) -> Small:
        return np.concatenate([part.kind for part in self.parts])[self._order]

    @cached_property
    def envelope(self) -> Columns:
        return JoinedColumns([part.envelope for part in self.parts], self._order, np.arange(len(self._order)))

    @cached_property
    def kinds(self) -> Mapping[Kind, Columns]:
        return {kind: self._of(kind) for kind in Kind}

    @cached_property
    def payloads(self) -> Sequence[bytes]:
        return _Reordered([part.payloads for part in self.parts], self._order)

    def _of(self, kind: Kind) -> Columns:
        rank = np.empty(len(self._order), dtype=np.int64)
        rank[self._order] = np.arange(len(self._order))
        starts = np.cumsum([0, *(len(part.places) for part in self.parts)])
        columns = [part.kinds[kind] for part in self.parts]
        rows = np.concatenate([rank[one.rows + start] for one, start in zip(columns, starts, strict=False)])
        return JoinedColumns(columns, np.argsort(rows), np.sort(rows))


class JoinedColumns:
    """`Columns` of several parts; row i is row `order[i]` of the parts one behind the other."""

    def __init__(self, parts: Sequence[Columns], order: Int, rows: Int) -> None:
        self._parts, self._order, self._rows = parts, order, rows
        self._made: dict[tuple[str, str], Any] = {}

    @property
    def rows(self) -> Int:
        return self._rows

    def text(self, path: str) -> Coded:
        return self._once("text", path, lambda: _coded([part.text(path) for part in self._parts], self._order))

    def number(self, path: str) -> Float:
        return self._once("number", path, lambda: np.concatenate([part.number(path) for part in self._parts])[self._order])

    def time_ms(self, path: str) -> Int:
        return self._once("time", path, lambda: np.concatenate([part.time_ms(path) for part in self._parts])[self._order])

    def ids(self, path: str) -> Ids:
        return self._once("ids", path, lambda: self._ids(path))

    def feature(self, name: str) -> FeatureColumn:
        return self._once("feature", name, lambda: self._feature(name))

    def nested(self, path: str) -> Sequence[object]:
        return _Reordered([part.nested(path) for part in self._parts], self._order)

    def _once(self, what: str, path: str, make: Callable[[], _Made]) -> _Made:
        key = (what, path)
        if key not in self._made:
            self._made[key] = make()
        return cast(_Made, self._made[key])

    def _ids(self, path: str) -> Ids:
        parts = [part.ids(path) for part in self._parts]
        return Ids(
            np.concatenate([part.hash for part in parts])[self._order], _Reordered([part.text for part in parts], self._order)
        )

    def _feature(self, name: str) -> FeatureColumn:
        parts = [part.feature(name) for part in self._parts]
        state = np.concatenate([part.state for part in parts])[self._order]
        number = np.concatenate([part.number for part in parts])[self._order]
        return FeatureColumn(state, number, _coded([part.text for part in parts], self._order))


def _coded(parts: Sequence[Coded], order: Int) -> Coded:
    values = {value: code for code, value in enumerate(dict.fromkeys(value for part in parts for value in part.values))}
    codes = [np.array([*(values[value] for value in part.values), -1], dtype=np.int32)[part.codes] for part in parts]
    return Coded(np.concatenate(codes)[order], tuple(values))


class _Reordered(Sequence[_Item]):
    """Items of several sequences in an order, taken only when asked for."""

    def __init__(self, parts: Sequence[Sequence[_Item]], order: Int) -> None:
        self._parts, self._order = parts, order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, row: int) -> _Item: ...
    @overload
    def __getitem__(self, row: slice) -> list[_Item]: ...
    def __getitem__(self, row: int | slice) -> _Item | list[_Item]:
        return self._items[row]

    @cached_property
    def _items(self) -> list[_Item]:
        every = [item for part in self._parts for item in part]
        return [every[row] for row in self._order.tolist()]
