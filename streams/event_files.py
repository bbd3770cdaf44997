"""Events of files, one JSON text each, in the order of the file: NDJSON (plain, .gz, .zst), Parquet, Arrow."""

from __future__ import annotations

from collections.abc import Iterator

from streams.file_lines import read_lines
from surveillance.events.column_files import COLUMN_SUFFIXES, read_column_file


def read_event_lines(path: str) -> Iterator[bytes]:
    """Every event of a file. Raises InvalidInput where the file cannot be read."""
    return read_column_file(path) if path.endswith(COLUMN_SUFFIXES) else read_lines(path)
