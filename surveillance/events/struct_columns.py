"""Columns out of decoded structs: one pass in C per column wherever every row holds what is usual."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from operator import attrgetter, itemgetter
from types import NoneType
from typing import Any, Final, TypeVar, cast

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from surveillance.arrays import NOT_SENT_MS, Codes, Float, Hashes, Int
from surveillance.events.batch import Coded, FeatureColumn, FeatureState, Ids
from surveillance.events.hashing import hash_texts
from surveillance.events.kinds import VALUE_WHEN_NOT_SENT, Event
from surveillance.events.times import Times, parse_times
from surveillance.events.utf8 import strings

_Made = TypeVar("_Made")
_NUMBERS: Final = frozenset({float, int, bool})
_STATE_OF: Final = {
    float: FeatureState.NUMBER,
    str: FeatureState.TEXT,
    NoneType: FeatureState.NULL,
    UnsetType: FeatureState.ABSENT,
}


class StructColumns:
    """`Columns` of a list of events; each column is made when first asked for, and kept."""

    def __init__(self, events: Sequence[Event], rows: Int, seeds: Callable[[], Hashes]) -> None:
        self._events, self._rows, self._seeds = events, rows, seeds
        self._made: dict[tuple[str, str], Any] = {}

    @property
    def rows(self) -> Int:
        return self._rows

    def text(self, path: str) -> Coded:
        return self._once("text", path, lambda: coded(self.values(path), _default(path, str)))

    def number(self, path: str) -> Float:
        return self._once("number", path, lambda: _numbers(self.values(path), _default(path, float)))

    def times(self, path: str) -> Times:
        """Times with the marks of those that cannot be read."""
        return self._once("times", path, lambda: self._times(path))

    def time_ms(self, path: str) -> Int:
        return self.times(path).ms

    def ids(self, path: str) -> Ids:
        return self._once("ids", path, lambda: self._ids(path))

    def feature(self, name: str) -> FeatureColumn:
        return self._once("feature", name, lambda: feature_column(self._feature_values(name)))

    def nested(self, path: str) -> Sequence[object]:
        return [None if value is UNSET else msgspec.to_builtins(value) for value in self.values(path)]

    def values(self, path: str) -> Sequence[Any]:
        """What each row sent under `path`, UNSET where it sent nothing."""
        head, dot, rest = path.partition(".")
        if not dot:
            return self._once("values", path, lambda: self._attributes(self._events, path, self._kinds))
        return self._once("values", path, lambda: self._parts(self.values(head), rest))

    def sent(self, path: str) -> bool:
        """Whether any row has a value, or a null, under `path`."""
        values = self.values(path)
        return values.count(UNSET) != len(values)

    def _once(self, what: str, path: str, make: Callable[[], _Made]) -> _Made:
        key = (what, path)
        if key not in self._made:
            self._made[key] = make()
        return cast(_Made, self._made[key])

    @cached_property
    def _kinds(self) -> set[type]:
        return set(map(type, self._events))

    def _parts(self, owners: Sequence[Any], path: str) -> Sequence[Any]:
        kinds = set(map(type, owners)) - {UnsetType, NoneType}
        if kinds == {dict}:
            return _gets(owners, path)
        head, dot, rest = path.partition(".")
        found = self._attributes(owners, head, kinds)
        return self._parts(found, rest) if dot else found

    def _attributes(self, owners: Sequence[Any], name: str, kinds: set[type]) -> Sequence[Any]:
        having = [kind for kind in kinds if hasattr(kind, name)]
        if not having:
            return [UNSET] * len(owners)
        try:
            return list(map(attrgetter(name), owners))
        except AttributeError:
            return [getattr(owner, name, UNSET) for owner in owners]

    def _times(self, path: str) -> Times:
        if not self.sent(path):
            return Times(np.full(len(self._events), NOT_SENT_MS, dtype=np.int64), np.zeros(len(self._events), dtype=np.bool_))
        return parse_times(strings(_texts(self.values(path), None)))

    def _ids(self, path: str) -> Ids:
        texts = _texts(self.values(path), "")
        return Ids(hash_texts(strings(texts), self._seeds()), texts)

    @cached_property
    def _features(self) -> Sequence[Any]:
        return self.values("features")

    def _feature_values(self, name: str) -> Sequence[Any]:
        try:
            return list(map(itemgetter(name), self._features))
        except (KeyError, TypeError):
            return _gets(self._features, name)


class _Table(dict[Any, int]):
    """Codes of values in order of first sight."""

    def __missing__(self, value: Any) -> int:
        code = self[value] = len(self)
        return code


def coded(values: Sequence[Any], default: str | None = None) -> Coded:
    """Dictionary-coded text; what is not text is spelled as JSON, so that true is `true` on every path."""
    table = _Table()
    try:
        codes = np.fromiter(map(table.__getitem__, values), dtype=np.int32, count=len(values))
    except TypeError:
        return coded(_texts(values, default))
    kinds = set(map(type, table))
    if kinds == {str}:
        return Coded(codes, tuple(table))
    if not kinds <= {str, UnsetType, NoneType}:
        return coded(_texts(values, default))
    return _recoded(codes, table, default)


def feature_column(values: Sequence[Any]) -> FeatureColumn:
    """A feature from its values: numbers, text, None for null, UNSET for absent."""
    rows, kinds = len(values), set(map(type, values))
    if kinds == {float}:
        numbers = np.fromiter(values, dtype=np.float64, count=rows)
        return FeatureColumn(np.full(rows, FeatureState.NUMBER, dtype=np.uint8), numbers, _no_text(rows))
    if kinds == {str}:
        return FeatureColumn(np.full(rows, FeatureState.TEXT, dtype=np.uint8), np.zeros(rows), coded(values))
    states = np.fromiter(map(_STATE_OF.__getitem__, map(type, values)), dtype=np.uint8, count=rows)
    texts = coded([value if type(value) is str else UNSET for value in values]) if str in kinds else _no_text(rows)
    numbers = np.fromiter((value if type(value) is float else 0.0 for value in values), dtype=np.float64, count=rows)
    return FeatureColumn(states, numbers, texts)


def spelled(value: object) -> str:
    """Text of a value that is not text: its JSON."""
    return msgspec.json.encode(value).decode()


def _no_text(rows: int) -> Coded:
    return Coded(np.full(rows, -1, dtype=np.int32), ())


def _recoded(codes: Codes, table: _Table, default: str | None) -> Coded:
    """Take the codes of values that were not sent out of the table, or give them to the default."""
    texts = dict.fromkeys(value for value in table if type(value) is str)
    if default is not None:
        texts.setdefault(default)
    place = {text: code for code, text in enumerate(texts)}
    absent = -1 if default is None else place[default]
    renamed = np.array([place[value] if type(value) is str else absent for value in table], dtype=np.int32)
    return Coded(renamed[codes], tuple(texts))


def _default(path: str, kind: type[_Made]) -> _Made | None:
    value = VALUE_WHEN_NOT_SENT.get(path)
    return value if isinstance(value, kind) else None


def _texts(values: Sequence[Any], absent: str | None) -> Sequence[Any]:
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    if kinds <= {str, UnsetType, NoneType}:
        return [value if type(value) is str else absent for value in values]
    return [value if type(value) is str else absent if value is UNSET or value is None else spelled(value) for value in values]


def _gets(maps: Sequence[Any], key: str) -> list[Any]:
    return [one.get(key, UNSET) if type(one) is dict else UNSET for one in maps]


def _numbers(values: Sequence[Any], default: float | None) -> Float:
    kinds = set(map(type, values))
    if kinds == {float} or kinds == {bool}:
        return np.fromiter(values, dtype=np.float64, count=len(values))
    absent = math.nan if default is None else default
    return np.fromiter((_number(value, absent) for value in values), dtype=np.float64, count=len(values))


def _number(value: Any, absent: float) -> float:
    if type(value) is float:
        return value
    if type(value) in _NUMBERS:
        return _as_float(value)
    return absent if value is UNSET or value is None else math.nan


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
