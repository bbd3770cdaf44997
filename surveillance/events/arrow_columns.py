"""Columns out of Arrow columns that are sound, without an object for each value wherever that can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final, TypeVar, cast, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from surveillance.arrays import NOT_SENT_MS, Float, Hashes, Int
from surveillance.events import declared
from surveillance.events.arrow_leaves import Sound, is_text, text_type, times_of
from surveillance.events.batch import Coded, FeatureColumn, FeatureState, Ids
from surveillance.events.hashing import hash_texts
from surveillance.events.kinds import VALUE_WHEN_NOT_SENT
from surveillance.events.struct_columns import StructColumns

_Made = TypeVar("_Made")
_types = pa.types


class Texts(Sequence[str]):
    """Texts of an Arrow array, "" for a null, made when one is asked for."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...
    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        return self._texts[row]

    @cached_property
    def _texts(self) -> list[str]:
        return list(self._array.fill_null("").to_pylist())


class ArrowColumns:
    """`Columns` of sound rows. What is not flat is answered by `structs`, the same rows as structs."""

    def __init__(self, rows: Sound, seeds: Callable[[], Hashes], structs: Callable[[], StructColumns]) -> None:
        self._leaves, self._seeds, self._structs = rows.leaves, seeds, structs
        self._fields = declared.fields(rows.kind)
        self._objects = {path.partition(".")[0] for path in rows.leaves if "." in path}
        self._count = len(rows.leaves["schema"])
        self._made: dict[tuple[str, str], Any] = {}

    @property
    def rows(self) -> Int:
        return np.arange(self._count)

    def text(self, path: str) -> Coded:
        return self._once("text", path, lambda: self._text(path))

    def number(self, path: str) -> Float:
        return self._once("number", path, lambda: self._number(path))

    def time_ms(self, path: str) -> Int:
        return self._once("time", path, lambda: self._time(path))

    def ids(self, path: str) -> Ids:
        return self._once("ids", path, lambda: self._ids(path))

    def feature(self, name: str) -> FeatureColumn:
        return self._once("feature", name, lambda: self._feature(name))

    def nested(self, path: str) -> Sequence[object]:
        return self._structs().nested(path)

    def _once(self, what: str, path: str, make: Callable[[], _Made]) -> _Made:
        key = (what, path)
        if key not in self._made:
            self._made[key] = make()
        return cast(_Made, self._made[key])

    def _leaf(self, path: str) -> pa.Array:
        """The column of a declared path; nulls where there is none."""
        found = self._leaves.get(path) if path in self._fields else None
        return pa.nulls(self._count) if found is None else found

    def _text(self, path: str) -> Coded:
        leaf = self._leaf(path)
        value = VALUE_WHEN_NOT_SENT.get(path)
        default = value if isinstance(value, str) else None
        if is_text(text_type(leaf)):
            return _coded(leaf, default)
        if path not in self._objects and _types.is_null(leaf.type):
            if default is None:
                return Coded(np.full(self._count, -1, dtype=np.int32), _NO_TEXT)
            return Coded(np.zeros(self._count, dtype=np.int32), (default,))
        return self._structs().text(path)

    def _number(self, path: str) -> Float:
        leaf = self._leaf(path)
        default = VALUE_WHEN_NOT_SENT.get(path)
        absent = default if isinstance(default, float) else np.nan
        if is_text(text_type(leaf)) or _types.is_temporal(leaf.type):
            return np.where(np.asarray(leaf.is_null()), absent, np.nan)
        return _floats(leaf, absent)

    def _time(self, path: str) -> Int:
        leaf = self._leaf(path)
        return np.full(self._count, NOT_SENT_MS, dtype=np.int64) if _types.is_null(leaf.type) else times_of(leaf).ms

    def _ids(self, path: str) -> Ids:
        leaf = self._leaf(path)
        if path not in self._objects and _types.is_null(leaf.type):
            return Ids(np.zeros(self._count, dtype=np.uint64), [""] * self._count)
        if not is_text(text_type(leaf)):
            return self._structs().ids(path)
        texts = leaf.dictionary_decode() if _types.is_dictionary(leaf.type) else leaf
        return Ids(hash_texts(texts, self._seeds()), Texts(texts))

    def _feature(self, name: str) -> FeatureColumn:
        leaf = self._leaves.get(f"features.{name}") if "features" in self._fields else None
        if leaf is None:
            return _feature_of(pa.nulls(self._count), FeatureState.ABSENT)
        return _feature_of(leaf, FeatureState.NULL)


_NO_TEXT: Final[tuple[str, ...]] = ()


def _feature_of(leaf: pa.Array, when_null: FeatureState) -> FeatureColumn:
    count, textual = len(leaf), is_text(text_type(leaf))
    sent = FeatureState.TEXT if textual else FeatureState.NUMBER
    state = np.where(np.asarray(leaf.is_null()), np.uint8(when_null), np.uint8(sent)).astype(np.uint8)
    if textual:
        return FeatureColumn(state, np.zeros(count), _coded(leaf, None))
    return FeatureColumn(state, _floats(leaf, 0.0), Coded(np.full(count, -1, dtype=np.int32), _NO_TEXT))


def _coded(leaf: pa.Array, default: str | None) -> Coded:
    array = leaf if _types.is_dictionary(leaf.type) else pc.dictionary_encode(leaf)
    codes = np.asarray(array.indices.cast(pa.int32()).fill_null(-1))
    values = tuple(array.dictionary.to_pylist())
    if default is None or not array.null_count:
        return Coded(codes, values)
    if default not in values:
        values = (*values, default)
    return Coded(np.where(codes < 0, np.int32(values.index(default)), codes).astype(np.int32), values)


def _floats(leaf: pa.Array, absent: float) -> Float:
    if leaf.null_count == len(leaf):
        return np.full(len(leaf), absent)
    numbers = np.asarray(leaf.cast(pa.float64(), safe=False).fill_null(absent))
    return numbers.astype(np.float64, copy=False)
