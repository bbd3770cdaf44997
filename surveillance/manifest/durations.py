"""ISO 8601 durations as the manifest writes them: `PT5M`, `P7D`, and calendar ones such as `P1Y` and `P12M`."""

from __future__ import annotations

import re
from dataclasses import dataclass

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_MAX_TEXT = 64
_MOST_MONTHS = 12_000
_LONGEST_MS = 366_000 * DAY_MS
_PATTERN = re.compile(
    r"P(?=[0-9T])(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:\.([0-9]{1,3}))?S)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time. `months` holds the calendar part, whose length depends on the date it starts from."""

    months: int
    milliseconds: int


def parse_duration(text: str) -> Duration:
    """The duration that `text` writes.

    Raises:
        ValueError: `text` is not an ISO 8601 duration, or one of more than a thousand years.
    """
    match = _PATTERN.fullmatch(text) if len(text) <= _MAX_TEXT else None
    if match is None:
        raise ValueError("not an ISO 8601 duration")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:7])
    fraction_ms = int((match[8] or "").ljust(3, "0"))
    fixed = (7 * weeks + days) * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS + seconds * SECOND_MS + fraction_ms
    if fixed > _LONGEST_MS or 12 * years + months > _MOST_MONTHS:
        raise ValueError("longer than a thousand years")
    return Duration(12 * years + months, fixed)


def parse_duration_ms(text: str) -> int:
    """Milliseconds of a duration of fixed length.

    Raises:
        ValueError: `text` is no ISO 8601 duration, or has years or months, whose length is not fixed.
    """
    duration = parse_duration(text)
    if duration.months:
        raise ValueError("years and months have no fixed length here")
    return duration.milliseconds


def format_duration(milliseconds: int) -> str:
    """The shortest ISO 8601 form in days, hours, minutes and seconds; `parse_duration_ms` reads it back.

    >>> format_duration(72 * HOUR_MS), format_duration(90 * MINUTE_MS), format_duration(0)
    ('P3D', 'PT1H30M', 'PT0S')

    Raises:
        ValueError: `milliseconds` is negative.
    """
    if milliseconds < 0:
        raise ValueError(f"a duration is not negative: {milliseconds}")
    days, rest = divmod(milliseconds, DAY_MS)
    hours, rest = divmod(rest, HOUR_MS)
    minutes, rest = divmod(rest, MINUTE_MS)
    seconds, fraction_ms = divmod(rest, SECOND_MS)
    date = f"{days}D" if days else ""
    time = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if fraction_ms:
        time += f"{seconds}.{fraction_ms:03d}".rstrip("0") + "S"
    elif seconds:
        time += f"{seconds}S"
    if not date and not time:
        return "PT0S"
    return f"P{date}" + (f"T{time}" if time else "")
