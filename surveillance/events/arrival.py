"""When a line of an event file arrived: its `ingest_time`, else `sent_time`, else `event_time`."""

from __future__ import annotations

from typing import Any

import msgspec

from surveillance.errors import InvalidInput
from surveillance.times import from_text


class _Times(msgspec.Struct):
    ingest_time: Any = None
    sent_time: Any = None
    event_time: Any = None


_DECODER = msgspec.json.Decoder(_Times)


def arrival_ms(line: bytes) -> int | None:
    """Milliseconds since the epoch of the first of the three times that is text; None where no such time can be read."""
    try:
        times = _DECODER.decode(line)
        found = next((text for text in (times.ingest_time, times.sent_time, times.event_time) if isinstance(text, str)), None)
        return None if found is None else from_text(found)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InvalidInput, OverflowError):
        return None
