"""Which release an event names, whatever else is wrong with it."""

from __future__ import annotations

import msgspec


class _Release(msgspec.Struct):
    release_id: str = ""


_DECODER = msgspec.json.Decoder(_Release)


def named_release(payload: bytes) -> str | None:
    """The `release_id` of a JSON event; None where it has none that can be read."""
    try:
        return _DECODER.decode(payload).release_id or None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
