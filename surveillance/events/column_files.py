"""Parquet and Arrow files as events: every row as the JSON text a device would have sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from surveillance.errors import InvalidInput

COLUMN_SUFFIXES = (".parquet", ".arrow", ".feather")
_ROWS = 10_000
_KEPT_NULLS = "features"
"""A feature that is null is missing, which says something; any other null column was not sent."""


def read_column_file(path: str) -> Iterator[bytes]:
    """JSON text of each row. Raises InvalidInput where the file is not what its name says."""
    try:
        for batch in _batches(path):
            for row in batch.to_pylist():
                yield msgspec.json.encode(_nested(row), enc_hook=str)
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput(f"{path}: cannot be read: {error}", "check the path and that the file is complete") from error


def _batches(path: str) -> Iterator[pa.RecordBatch]:
    if path.endswith(".parquet"):
        with pyarrow.parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_ROWS)
        return
    with pa.OSFile(path, "rb") as source:
        try:
            reader = pyarrow.ipc.open_file(source)
            yield from (reader.get_batch(at) for at in range(reader.num_record_batches))
        except pa.ArrowInvalid:
            source.seek(0)
            yield from pyarrow.ipc.open_stream(source)


def _nested(row: dict[str, Any]) -> dict[str, Any]:
    """Dotted columns as nested fields, times as RFC 3339, columns without a value left out."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        parent, _, child = name.partition(".")
        if value is None and parent != _KEPT_NULLS:
            continue
        written = _written(value, keep_nulls=parent == _KEPT_NULLS)
        if child:
            found.setdefault(parent, {})[child] = written
        elif written is not None:
            found[name] = written
    return found


def _written(value: Any, *, keep_nulls: bool) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo else value.isoformat() + "Z"
    if isinstance(value, dict):
        return {key: _written(one, keep_nulls=keep_nulls) for key, one in value.items() if one is not None or keep_nulls}
    if isinstance(value, list) and value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
        return {key: _written(one, keep_nulls=keep_nulls) for key, one in value}  # an Arrow map
    return value
