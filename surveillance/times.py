"""Times as integer milliseconds since the Unix epoch, UTC, and their RFC 3339 text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from surveillance.errors import InvalidInput

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


def to_text(ms: int) -> str:
    """RFC 3339 in UTC; milliseconds only where there are any. Its years are 0001 to 9999, so a time beyond is the nearest of
    these: the deadline of an incident may lie there although no event does.

    >>> to_text(1_778_025_600_000)
    '2026-05-06T00:00:00Z'
    """
    moment = _EPOCH + timedelta(milliseconds=min(max(ms, _FIRST_MS), _LAST_MS))
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").removesuffix("+00:00") + "Z"


def from_text(text: str) -> int:
    """Milliseconds of an RFC 3339 time with `Z` or an offset.

    Raises:
        InvalidInput: not RFC 3339, or without an offset.

    >>> from_text("2026-05-06T02:00:00+02:00")
    1778025600000
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"not a time: {text!r}", "write it as RFC 3339, e.g. 2026-05-06T00:00:00Z") from error
    if moment.tzinfo is None:
        raise InvalidInput(f"time without an offset: {text!r}", "end it with Z or an offset such as +02:00")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def floor_to(ms: int, width_ms: int) -> int:
    """Start of the epoch-aligned slice of `width_ms` that holds `ms`."""
    return ms - ms % width_ms
