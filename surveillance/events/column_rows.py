"""Rows of Arrow columns as the JSON texts that a device would have sent.

Columns have the names of the fields; a nested field is a struct or one dotted column for each part. A null says that the
row sent nothing, except where a null says something: a missing feature, a value in a map, and a field that its kind
requires and that may be null. A timestamp without a zone is UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Raw, inspect

from surveillance.events import declared
from surveillance.events.batch import Kind
from surveillance.events.kinds import KIND_OF_SCHEMA

FEATURES: Final = "features"
_types = pa.types
_NO_TEXT: Final = Raw(b"{}")
"""Stands for bytes that are no text: an object, which no field for text takes."""


class _Column(NamedTuple):
    """A column with its values as JSON knows them. `part` is what stands behind the dot of a dotted name; a full column has
    no null."""

    head: str
    part: str
    values: Sequence[Any]
    is_full: bool


def row_texts(batch: pa.RecordBatch) -> list[bytes]:
    """JSON text of each row, oddities included: what is wrong with it is for the reader of events to say."""
    return [msgspec.json.encode(row, enc_hook=str) for row in row_objects(batch)]


def row_objects(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Each row as the object that its JSON text says; a value that JSON does not know stands as it came."""
    named = zip(batch.schema.names, batch.columns, strict=True)
    columns = [_column(name, array) for name, array in named]
    rows = _full_rows([column for column in columns if column.is_full], batch.num_rows)
    gaps = [column for column in columns if not column.is_full]
    if gaps:
        schemas = next((column.values for column in columns if column.head == "schema" and not column.part), None)
        for at, schema in enumerate(schemas or [None] * batch.num_rows):
            _fill(rows[at], gaps, at, _nulls_said(schema))
    return rows


def _column(name: str, array: pa.Array) -> _Column:
    head, _, part = name.partition(".")
    return _Column(head, part, _values(array, name == FEATURES), array.null_count == 0)


def _full_rows(columns: Sequence[_Column], count: int) -> list[dict[str, Any]]:
    """Objects of columns in which every row says something: made column-wise, which is many times quicker than row by row."""
    whole = {column.head: column.values for column in columns if not column.part}
    parts: dict[str, dict[str, Sequence[Any]]] = {}
    for column in columns:
        if column.part:
            parts.setdefault(column.head, {})[column.part] = column.values
    whole |= {head: _zipped(named, count) for head, named in parts.items() if head not in whole}
    return _zipped(whole, count)


def _zipped(named: Mapping[str, Sequence[Any]], count: int) -> list[dict[str, Any]]:
    if not named:
        return [{} for _ in range(count)]
    return [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]


def _fill(row: dict[str, Any], columns: Sequence[_Column], at: int, nulls: frozenset[str]) -> None:
    """Add what the other columns say of a row."""
    for head, part, values, _ in columns:
        value = values[at]
        if value is None and (head not in nulls or (head == FEATURES and not part)):
            continue
        if part:
            row.setdefault(head, {})[part] = value
        else:
            row[head] = value


def _nulls_said(schema: Any) -> frozenset[str]:
    kind = KIND_OF_SCHEMA.get(schema) if isinstance(schema, str) else None
    return frozenset() if kind is None else nulls_said(kind)


@cache
def nulls_said(kind: Kind) -> frozenset[str]:
    """Columns of a kind whose nulls are sent as nulls."""
    fields = declared.fields(kind)
    required = {path for path, field in fields.items() if field.required and inspect.NoneType() in field.kinds_of}
    return frozenset(required | ({FEATURES} & fields.keys()))


def _values(array: pa.Array, keep_nulls: bool = False) -> list[Any]:
    """Values for JSON, None for a null. A struct leaves its nulls out, unless they are kept; a map keeps them."""
    kind = array.type
    if _types.is_struct(kind):
        return _objects(array, keep_nulls)
    if _types.is_map(kind):
        return _cut(array, list(zip(_values(array.keys), _values(array.items), strict=True)), _mapped)
    if _types.is_list(kind) or _types.is_large_list(kind):
        return _cut(array, _values(array.values), list)
    if _types.is_dictionary(kind):
        values = _values(array.dictionary)
        return [None if index is None else values[index] for index in array.indices.to_pylist()]
    if _types.is_timestamp(kind):
        return _times(array)
    if _types.is_floating(kind):
        return [value if value is None or math.isfinite(value) else _not_finite(value) for value in array.to_pylist()]
    if _types.is_binary(kind) or _types.is_large_binary(kind) or _types.is_fixed_size_binary(kind):
        return [None if value is None else _text(value) for value in array.to_pylist()]
    return list(array.to_pylist())


def _objects(array: pa.StructArray, keep_nulls: bool) -> list[Any]:
    names = [field.name for field in array.type]
    rows = zip(*map(_values, array.flatten()), strict=True) if names else [()] * len(array)
    return [
        {name: value for name, value in zip(names, row, strict=True) if keep_nulls or value is not None} if present else None
        for present, row in zip(array.is_valid().to_pylist(), rows, strict=True)
    ]


def _cut(array: pa.Array, flat: list[Any], make: Any) -> list[Any]:
    """The part of `flat` under each row of a list or map."""
    offsets = array.offsets.to_pylist()
    return [
        make(flat[start:end]) if present else None
        for present, start, end in zip(array.is_valid().to_pylist(), offsets[:-1], offsets[1:], strict=True)
    ]


def _mapped(pairs: list[tuple[Any, Any]]) -> dict[str, Any] | Raw:
    """An object; one that names a key twice stays so, as it would in JSON."""
    found = {key if isinstance(key, str) else str(key): value for key, value in pairs}
    if len(found) == len(pairs):
        return found
    encode = msgspec.json.encode
    return Raw(b"{" + b",".join(encode(str(key)) + b":" + encode(value, enc_hook=str) for key, value in pairs) + b"}")


def _times(array: pa.TimestampArray) -> list[Any]:
    ticks = np.asarray(array.cast(pa.int64()).fill_null(0)).astype(f"datetime64[{array.type.unit}]")
    return [
        f"{text}Z" if present else None
        for text, present in zip(np.datetime_as_string(ticks).tolist(), array.is_valid().to_pylist(), strict=True)
    ]


def _not_finite(value: float) -> Raw:
    """The spelling that the forgiving reader knows, so that the field gets the fault it would have got in JSON."""
    if math.isnan(value):
        return Raw(b"NaN")
    return Raw(b"Infinity" if value > 0 else b"-Infinity")


def _text(value: bytes) -> str | Raw:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _NO_TEXT
