"""How large the compressed buffers of an Arrow stream become, read from its messages before anything is unpacked.

A compressed buffer begins with its unpacked length (8 bytes, little-endian; -1 = stored as it is), and the reader makes
just as many bytes or fails, so the sum of these lengths bounds what reading may cost. Where the buffers lie is told by a
FlatBuffers table (Arrow columnar format, Message.fbs), of which the few fields that are needed are read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import unpack_from
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.ipc

_HEADER, _DICTIONARY_DATA, _BUFFERS, _COMPRESSION = 2, 1, 2, 3
"""Places of fields in the tables Message, DictionaryBatch and RecordBatch."""
_BUFFER_BYTES: Final = 16


class _Table(NamedTuple):
    """A FlatBuffers table at a place in `data`."""

    data: memoryview
    at: int

    def field(self, number: int) -> int | None:
        """Where the value of a field stands; None where it is not set."""
        table = self.at - _int32(self.data, self.at)
        entry = 4 + 2 * number
        offset = _uint16(self.data, table + entry) if entry < _uint16(self.data, table) else 0
        return self.at + offset if offset else None

    def target(self, number: int) -> _Table | None:
        """The table or vector that a field points to."""
        at = self.field(number)
        return None if at is None else _Table(self.data, at + _uint32(self.data, at))


def inflated_bytes(stream: bytes, limit: int) -> int:
    """Unpacked bytes of all compressed buffers; stops counting beyond `limit`.

    Raises ArrowException, OSError or struct.error where the stream is none.
    """
    total = 0
    for message in _messages(stream):
        if message.type in ("record batch", "dictionary"):
            total += sum(_lengths(message))
            if total > limit:
                break
    return total


def _messages(stream: bytes) -> Iterator[Any]:
    reader = pyarrow.ipc.MessageReader.open_stream(pa.py_buffer(stream))
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _lengths(message: Any) -> Iterator[int]:
    """Unpacked length of every buffer of a message; nothing where its buffers are not compressed."""
    batch = _Table(memoryview(message.metadata), 0)
    batch = _Table(batch.data, _uint32(batch.data, 0))
    for step in (_HEADER, *((_DICTIONARY_DATA,) if message.type == "dictionary" else ())):
        inner = batch.target(step)
        if inner is None:
            return
        batch = inner
    buffers = batch.target(_BUFFERS)
    if buffers is None or batch.field(_COMPRESSION) is None:
        return
    body = memoryview(message.body)
    first = buffers.at + 4
    for at in range(first, first + _BUFFER_BYTES * _uint32(buffers.data, buffers.at), _BUFFER_BYTES):
        offset, length = unpack_from("<qq", buffers.data, at)
        if length:
            unpacked = int(unpack_from("<q", body, offset)[0])
            yield length if unpacked < 0 else unpacked


def _int32(data: memoryview, at: int) -> int:
    return int(unpack_from("<i", data, at)[0])


def _uint32(data: memoryview, at: int) -> int:
    return int(unpack_from("<I", data, at)[0])


def _uint16(data: memoryview, at: int) -> int:
    return int(unpack_from("<H", data, at)[0])
