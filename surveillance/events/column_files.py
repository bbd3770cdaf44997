"""Parquet and Arrow files as events: every row as the JSON text a device would have sent."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from surveillance.errors import InvalidInput
from surveillance.events.column_rows import row_texts

COLUMN_SUFFIXES = (".parquet", ".arrow", ".arrows", ".feather", ".ipc")
_ROWS = 10_000


def read_column_file(path: str) -> Iterator[bytes]:
    """JSON text of each row. Raises InvalidInput where the file is not what its name says."""
    try:
        for batch in _batches(path):
            yield from row_texts(batch)
    except (OSError, ValueError, pa.ArrowException) as error:
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
