"""RFC 3339 times and ISO 8601 durations as whole milliseconds since the Unix epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache

DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$")
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$")


class InvalidTime(ValueError):
    """The text is no RFC 3339 time with an offset."""


def parse_time(text: object) -> int:
    """Milliseconds since the epoch, fractions below a millisecond cut towards the past. Raises InvalidTime."""
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidTime(str(text))
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError as error:
        raise InvalidTime(str(text)) from error
    whole_s = (moment - _EPOCH) // timedelta(seconds=1)
    return whole_s * 1000 + int(((fraction or ".0")[1:] + "000")[:3])


def format_time(ms: int) -> str:
    """RFC 3339 UTC; milliseconds only where there are any."""
    text = (_EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ms % 1000:03d}Z" if ms % 1000 else f"{text}Z"


@cache
def parse_duration(text: str) -> int:
    """Milliseconds of a duration in weeks, days, hours, minutes and seconds. Raises ValueError."""
    match = _DURATION.match(text)
    if match is None or text in ("P", "PT"):
        raise ValueError(f"not a duration: {text}")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
