"""From the bytes of an Arrow stream to one record batch that is safe to read: checked through and bounded.

A stream comes from anybody. Its offsets may point anywhere and a few bytes may stand for very many values (nulls, one
long dictionary entry under every row), so nothing is read before all of it is validated and its size as values known.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from surveillance.events.arrow_inflation import inflated_bytes
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import BATCH_TOO_LARGE, DECOMPRESSION_LIMIT, NOT_JSON, Fault, field_invalid

_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, struct.error)
_MOST_BATCHES: Final = 1_000
_VALUE_BYTES: Final = 8
"""What one value counts for beside the bytes of its text."""
_SMALL_TEXT: Final = 256 * 1024
_types = pa.types
_TEXTS: Final = (_types.is_string, _types.is_large_string, _types.is_binary, _types.is_large_binary)
_LISTS: Final = (_types.is_list, _types.is_large_list, _types.is_fixed_size_list)


def read_stream(value: bytes, limits: DecodeLimits) -> pa.RecordBatch | Fault:
    """All rows of a stream as one batch, or why there are none."""
    try:
        if inflated_bytes(value, limits.max_inflated_bytes) > limits.max_inflated_bytes:
            return Fault(DECOMPRESSION_LIMIT, f"more than {limits.max_inflated_bytes} bytes after decompression")
        batch = _read(value, limits.max_batch_events)
    except _UNREADABLE:
        return Fault(NOT_JSON, "no Arrow stream")
    return batch if isinstance(batch, Fault) else _bounded(batch, limits)


def _read(value: bytes, most_rows: int) -> pa.RecordBatch | Fault:
    source = pa.BufferReader(value)
    reader = pyarrow.ipc.open_stream(source)
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        rows += batch.num_rows
        if rows > most_rows:
            return Fault(BATCH_TOO_LARGE, f"more than {most_rows} events")
        if len(batches) == _MOST_BATCHES:
            return Fault(BATCH_TOO_LARGE, f"more than {_MOST_BATCHES} record batches")
        batch.validate(full=True)
        batches.append(batch.replace_schema_metadata(None))
    if source.tell() != len(value):
        return Fault(NOT_JSON, "bytes behind the end of the Arrow stream")
    if len(batches) == 1:
        return batches[0]
    return pa.concat_batches(batches) if batches else pa.RecordBatch.from_pylist([], reader.schema)


def _bounded(batch: pa.RecordBatch, limits: DecodeLimits) -> pa.RecordBatch | Fault:
    size = 0
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        weight = _weight(column)
        if weight is None:
            return field_invalid(name, f"a column of type {column.type} is not read")
        size += weight
        if size > limits.max_inflated_bytes:
            return Fault(DECOMPRESSION_LIMIT, f"values of more than {limits.max_inflated_bytes} bytes")
    return batch


def standing_twice(schema: pa.Schema) -> str | None:
    """A path that two columns give: by its name, as part of a struct, or a part beside a whole that is no struct."""
    paths = [path for field in schema for path in _paths(field)]
    heads = {path for path in paths if "." not in path}
    seen = set[str]()
    for path in paths:
        if path in seen or ("." in path and path.partition(".")[0] in heads):
            return path
        seen.add(path)
    return None


def _paths(field: pa.Field) -> list[str]:
    children = [f"{field.name}.{child.name}" for child in field.type] if _types.is_struct(field.type) else []
    return children or [field.name]


def _weight(array: pa.Array) -> int | None:
    """Bytes that the values stand for, counted high rather than low; None for a type that is not read."""
    kind = array.type
    own = _VALUE_BYTES * len(array)
    if _types.is_primitive(kind) or _types.is_null(kind) or _types.is_decimal(kind) or _types.is_fixed_size_binary(kind):
        return own
    if any(is_text(kind) for is_text in _TEXTS):
        return own + int(array.nbytes)
    if _types.is_dictionary(kind):
        return own + _text_under(array) if any(is_text(kind.value_type) for is_text in _TEXTS) else None
    if _types.is_struct(kind):
        names = {field.name for field in kind}
        return _sum(own, array.flatten()) if len(names) == kind.num_fields else None
    if _types.is_map(kind):
        return _sum(own, (array.keys, array.items))
    return _sum(own, (array.values,)) if any(is_list(kind) for is_list in _LISTS) else None


def _text_under(array: pa.Array) -> int:
    """Bytes of text that the rows of a dictionary-coded array stand for; a bound of them where that is small anyway."""
    bound = len(array) * int(array.dictionary.nbytes)
    if bound <= _SMALL_TEXT:
        return bound
    lengths = np.asarray(pc.binary_length(array.dictionary).fill_null(0))
    return int(lengths[np.asarray(array.indices.drop_null())].astype(np.int64).sum())


def _sum(own: int, parts: Iterable[pa.Array]) -> int | None:
    for part in parts:
        weight = _weight(part)
        if weight is None:
            return None
        own += weight
    return own
