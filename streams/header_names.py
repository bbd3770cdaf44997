"""Reads a record batch in which a header's name is no UTF-8.

The broker takes such a record from any producer, and aiokafka raises on it for ever, so one would stop its partition.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.record.default_records import _DefaultRecordBatchPy


class _Replacing(bytearray):
    """Bytes whose slices decode to the replacement character where they are no text."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Replacing(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "replace")


def with_readable_names(batch: bytes | memoryview) -> Iterator[Any]:
    """Every record of a batch. Slow: for a batch that could not be read otherwise."""
    records: Any = _DefaultRecordBatchPy(bytearray(batch))
    iter(records)  # unpacks it
    records._buffer = _Replacing(records._buffer)
    return iter(records)
