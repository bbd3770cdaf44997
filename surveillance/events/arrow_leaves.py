"""The columns of an Arrow batch by dotted path, and whether every value in them is what the contract allows.

The answer is cautious: None says that somebody has to look at the rows one by one, as JSON, never that they are wrong.
So only what is usual needs to be known here, and what is wrong gets the reason it would get in any other format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import inspect

from surveillance.arrays import NOT_SENT_MS, Int
from surveillance.events import declared
from surveillance.events.batch import Kind
from surveillance.events.checks import DIGEST
from surveillance.events.column_rows import FEATURES
from surveillance.events.declared import Field
from surveillance.events.forbidden import Forbidden
from surveillance.events.kinds import KIND_OF_SCHEMA
from surveillance.events.times import FIRST_MS, LAST_MS, Times, parse_times

_types = pa.types
Leaves: TypeAlias = Mapping[str, pa.Array]
_LONGEST_NAME, _LONGEST_TEXT = 128, 1024
_TICKS_OF_MS: Final = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
"""Factor and divisor from ticks of a unit to milliseconds."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Rows of one kind that need no second look: leaf columns by path, and how many values stand in unknown columns."""

    kind: Kind
    leaves: Leaves
    unknown_fields: int


def sound(batch: pa.RecordBatch, forbidden: Forbidden) -> Sound | None:
    """The batch by leaves, None where a row may be of another kind, wrong, or not flat."""
    try:
        return _sound(batch, forbidden)
    except pa.ArrowException:  # a type that some step has no kernel for
        return None


def _sound(batch: pa.RecordBatch, forbidden: Forbidden) -> Sound | None:
    if not batch.num_rows or forbidden.among(_names(batch.schema)):
        return None
    leaves = _leaves(batch)
    kind = _kind(leaves)
    if leaves is None or kind is None or not _has_required(leaves, kind):
        return None
    fields, unknown = declared.fields(kind), 0
    for path, array in leaves.items():
        field = fields.get(path)
        if path == "schema" or (path.startswith(_FEATURE) and FEATURES in fields):
            good = path == "schema" or _feature_fits(path, array)
        elif field is None:
            good = _types.is_null(array.type) or ("." not in path and not _types.is_nested(array.type))
            unknown += len(array) - array.null_count
        else:
            good = _fits(field, array)
        if not good:
            return None
    return Sound(kind, leaves, unknown)


_FEATURE: Final = f"{FEATURES}."


def _names(fields: Any) -> Iterator[str]:
    """Names of columns, and of the parts of structs, at any depth."""
    for field in fields:
        yield field.name
        if _types.is_nested(field.type):
            yield from _names([field.type.field(at) for at in range(field.type.num_fields)])


def _leaves(batch: pa.RecordBatch) -> dict[str, pa.Array] | None:
    """Columns with the parts of structs for themselves; None where the features are not plain columns."""
    leaves: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if not _types.is_struct(column.type):
            leaves[name] = column
        elif column.type.num_fields and not (name == FEATURES and column.null_count):
            for field, part in zip(column.type, column.flatten(), strict=True):
                leaves[f"{name}.{field.name}"] = part
        else:
            return None
    return {path: _plain(array) for path, array in leaves.items()}


def _plain(array: pa.Array) -> pa.Array:
    """Text is coded by a dictionary of distinct texts, or not at all; a column without a value is a null column."""
    if array.null_count == len(array):
        return pa.nulls(len(array))
    if _types.is_dictionary(array.type):
        dictionary = array.dictionary
        if dictionary.null_count or len(pc.unique(dictionary)) != len(dictionary) or not is_text(array.type.value_type):
            return array.dictionary_decode()
    return array


def _kind(leaves: Leaves | None) -> Kind | None:
    column = None if leaves is None else leaves.get("schema")
    if column is None or column.null_count or not is_text(text_type(column)):
        return None
    schemas = pc.unique(column)
    return KIND_OF_SCHEMA.get(schemas[0].as_py()) if len(schemas) == 1 else None


def _has_required(leaves: Leaves, kind: Kind) -> bool:
    heads = {path.partition(".")[0] for path in leaves}
    return all(field.path in heads for field in declared.fields(kind).values() if field.required and "." not in field.path)


def text_type(array: pa.Array) -> pa.DataType:
    """Type of the values of an array, behind its dictionary."""
    return array.type.value_type if _types.is_dictionary(array.type) else array.type


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are text."""
    return bool(_types.is_string(kind) or _types.is_large_string(kind))


def _feature_fits(path: str, array: pa.Array) -> bool:
    if not 1 <= len(path) - len(_FEATURE) <= _LONGEST_NAME:
        return False
    kind = text_type(array)
    if _types.is_null(kind):
        return True
    return _longest(array) <= _LONGEST_TEXT if is_text(kind) else _is_number(kind) and _finite(array)


def _fits(field: Field, array: pa.Array) -> bool:
    members = field.bare()
    if array.null_count and field.required and inspect.NoneType() not in members:
        return False
    kind = text_type(array)
    if _types.is_null(kind):
        return True
    if field.is_time:
        return not times_of(array).invalid.any()
    if is_text(kind):
        return any(_text_fits(member, field, array) for member in members)
    if _types.is_boolean(kind):
        return any(isinstance(member, inspect.BoolType) for member in members)
    return _is_number(kind) and any(_number_fits(member, array) for member in members)


def _text_fits(member: inspect.Type, field: Field, array: pa.Array) -> bool:
    if isinstance(member, inspect.LiteralType):
        return set(pc.unique(array.drop_null()).to_pylist()) <= set(member.values)
    if not isinstance(member, inspect.StrType) or _longest(array) > (member.max_length or _longest(array)):
        return False
    if field.path == "manifest_digest":
        return all(DIGEST.fullmatch(text) for text in pc.unique(array.drop_null()).to_pylist())
    return not member.min_length or _shortest(array) >= member.min_length


def _number_fits(member: inspect.Type, array: pa.Array) -> bool:
    if isinstance(member, inspect.FloatType):
        return _finite(array) and _within(member, array)
    if not _types.is_integer(array.type):
        return False
    if isinstance(member, inspect.LiteralType):
        return set(pc.unique(array.drop_null()).to_pylist()) <= set(member.values)
    return isinstance(member, inspect.IntType) and _within(member, array)


def _within(member: inspect.FloatType | inspect.IntType, array: pa.Array) -> bool:
    least, greatest = (value.as_py() for value in pc.min_max(array).values())
    return (member.ge is None or least >= member.ge) and (member.le is None or greatest <= member.le)


def _is_number(kind: pa.DataType) -> bool:
    return bool(_types.is_integer(kind) or _types.is_floating(kind))


def _finite(array: pa.Array) -> bool:
    return not _types.is_floating(array.type) or bool(pc.all(pc.is_finite(array)).as_py())


def _longest(array: pa.Array) -> int:
    """Characters of the longest text, those of a dictionary that no row uses included."""
    return int(pc.max(pc.utf8_length(_texts(array))).as_py() or 0)


def _shortest(array: pa.Array) -> int:
    return int(pc.min(pc.utf8_length(_texts(array))).as_py() or 0)


def _texts(array: pa.Array) -> pa.Array:
    return array.dictionary if _types.is_dictionary(array.type) else array


def times_of(array: pa.Array) -> Times:
    """Times of a column of RFC 3339 text or of timestamps; one that is neither is invalid."""
    if is_text(text_type(array)):
        return parse_times(array.dictionary_decode() if _types.is_dictionary(array.type) else array)
    absent = np.asarray(array.is_null())
    ms = _timestamp_ms(array) if _types.is_timestamp(array.type) else np.full(len(array), NOT_SENT_MS, dtype=np.int64)
    inside = (ms >= FIRST_MS) & (ms <= LAST_MS)
    return Times(np.where(inside & ~absent, ms, NOT_SENT_MS), ~inside & ~absent)


def _timestamp_ms(array: pa.Array) -> Int:
    factor, divisor = _TICKS_OF_MS[array.type.unit]
    ticks = np.asarray(array.cast(pa.int64()).fill_null(0))
    if factor > 1:
        ticks = np.clip(ticks, FIRST_MS // factor - 1, LAST_MS // factor + 1)
    ms: Int = np.floor_divide(ticks * factor, divisor)
    return ms
