"""Decompression with a bound that holds while it runs."""

from __future__ import annotations

import zlib
from typing import Final

from surveillance.events.reasons import DECOMPRESSION_LIMIT, NOT_JSON, Fault

_GZIP_ONLY: Final = 16 + zlib.MAX_WBITS
_MOST_MEMBERS: Final = 100
"""Each member copies the rest of the body, so many small ones would cost the square of its length."""


def gunzip(body: bytes, limit: int) -> bytes | Fault:
    """Inflate a gzip body of one or several members; never more than `limit` bytes, plus one, are made."""
    parts: list[bytes] = []
    room = limit + 1
    for _ in range(_MOST_MEMBERS):
        inflater = zlib.decompressobj(_GZIP_ONLY)
        try:
            part = inflater.decompress(body, room)
        except zlib.error:
            return Fault(NOT_JSON, "no gzip body, though content-encoding says so")
        parts.append(part)
        room -= len(part)
        if room <= 0:
            return Fault(DECOMPRESSION_LIMIT, f"more than {limit} bytes after decompression")
        if not inflater.eof:
            return Fault(NOT_JSON, "the gzip body is truncated")
        body = inflater.unused_data
        if not body:
            return b"".join(parts)
    return Fault(DECOMPRESSION_LIMIT, f"more than {_MOST_MEMBERS} gzip members")
