"""Bounds what a compressed record batch may unpack to, inside aiokafka.

A batch of 400 KiB can unpack to more than a gigabyte, and aiokafka unpacks it whole before anybody sees a record. With
the bound installed, the records of such a batch come out empty, one for each offset, with `REFUSED_HEADER`; the sink
quarantines them and nothing else is disturbed. Names inside aiokafka are replaced:
`tests/contract/test_aiokafka_unpacking.py` fails when they are no longer where the code looks for them.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiokafka.consumer.fetcher as fetcher_module
import cramjam
from aiokafka.record.memory_records import MemoryRecords

from streams.header_names import with_readable_names
from streams.sink import REFUSED_HEADER

BATCH_LIMIT_BYTES = 64 * 1024 * 1024
FETCH_LIMIT_BYTES = 64 * 1024 * 1024
"""After so many unpacked bytes the rest of a fetched partition is left to the next fetch."""

_LENGTH_AT = 8
"""Place in a batch of its length, 4 bytes, without itself and what stands before."""

_unpacked = threading.local()


class UnpackingRefused(Exception):
    """A batch would unpack to more than the bound, or cannot be unpacked at all."""


def install() -> None:
    """Puts the bound into aiokafka, for every consumer of this process. Calling it again changes nothing."""
    for module in _batch_modules():
        for name, decode in (
            ("gzip_decode", _gunzip),
            ("snappy_decode", _unsnap),
            ("lz4_decode", _unlz4),
            ("zstd_decode", _unzstd),
        ):
            setattr(module, name, decode)
    fetcher_module.MemoryRecords = BoundedRecords


def _batch_modules() -> list[Any]:
    """Where the batch classes look their decoders up: the compiled module and its pure twin."""
    import aiokafka.record.default_records as pure

    try:
        import aiokafka.record._crecords.default_records as compiled
    except ImportError:
        return [pure]
    return [pure, compiled]


def _gunzip(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, BATCH_LIMIT_BYTES + 1)
    except zlib.error as error:
        raise UnpackingRefused(str(error)) from error
    if not unpacker.eof and len(unpacked) <= BATCH_LIMIT_BYTES:
        raise UnpackingRefused("it ends too early")
    return _within_limit(unpacked)


def _unsnap(data: bytes) -> bytes:
    try:
        blocks = list(_snappy_blocks(data))
        _check_size(sum(cramjam.snappy.decompress_raw_len(block) for block in blocks))
        return _within_limit(b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks))
    except (cramjam.DecompressionError, IndexError, ValueError) as error:
        raise UnpackingRefused(str(error)) from error


def _snappy_blocks(data: bytes) -> Iterator[bytes]:
    """The whole, or the blocks of the framing that Java's client writes: magic, version, then (size, block) pairs."""
    if data[:8] != b"\x82SNAPPY\x00":
        yield data
        return
    place = 16
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        yield data[place + 4 : place + 4 + size]
        place += 4 + size


def _unlz4(data: bytes) -> bytes:
    return _into_bounded(cramjam.lz4.decompress_into, data)


def _unzstd(data: bytes) -> bytes:
    return _into_bounded(cramjam.zstd.decompress_into, data)


def _into_bounded(decompress_into: Callable[[bytes, Any], int], data: bytes) -> bytes:
    # The operating system gives only the pages that are written, so a large buffer costs what is unpacked.
    buffer = bytearray(BATCH_LIMIT_BYTES + 1)
    try:
        size = decompress_into(data, buffer)
    except cramjam.DecompressionError as error:
        raise UnpackingRefused(str(error)) from error
    return _within_limit(bytes(memoryview(buffer)[:size]))


def _within_limit(unpacked: bytes) -> bytes:
    _check_size(len(unpacked))
    _unpacked.bytes = getattr(_unpacked, "bytes", 0) + len(unpacked)
    return unpacked


def _check_size(size: int) -> None:
    if size > BATCH_LIMIT_BYTES:
        raise UnpackingRefused(f"more than {BATCH_LIMIT_BYTES} bytes")


class BoundedRecords:
    """Stands where aiokafka expects the batches of one fetched partition."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = memoryview(data), 0
        self._batches = MemoryRecords(data)
        self._began_at: int | None = None

    def size_in_bytes(self) -> int:
        return int(self._batches.size_in_bytes())

    def has_next(self) -> bool:
        so_far = getattr(_unpacked, "bytes", 0)
        if self._began_at is None:
            self._began_at = so_far
        return so_far - self._began_at < FETCH_LIMIT_BYTES and bool(self._batches.has_next())

    def next_batch(self) -> Any:
        batch = self._batches.next_batch()
        if batch is None:
            return None
        length_at = self._place + _LENGTH_AT
        end = length_at + 4 + int.from_bytes(self._data[length_at : length_at + 4], "big")
        written, self._place = self._data[self._place : end], end
        return BoundedBatch(batch, written)


class BoundedBatch:
    """A batch and the bytes it was read from. Where it cannot be unpacked within the bound, its records come out refused."""

    def __init__(self, batch: Any, written: bytes | memoryview) -> None:
        self._batch, self._written = batch, written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except UnpackingRefused:
            batch = self._batch
            for offset in range(batch.base_offset, batch.next_offset):
                yield RefusedRecord(offset, batch.max_timestamp, batch.timestamp_type)
        except UnicodeDecodeError:  # the records before the unreadable one come again, and the fetcher passes over them
            yield from with_readable_names(self._written)


@dataclass(frozen=True, slots=True)
class RefusedRecord:
    """The place of a record whose batch was refused."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: None = None
    value: None = None
    checksum: None = None
    headers: tuple[tuple[str, bytes], ...] = ((REFUSED_HEADER, b"decompression_limit"),)
