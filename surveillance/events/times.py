"""RFC 3339 date-times to milliseconds since the Unix epoch, UTC: a column at once.

The grammar is that of RFC 3339 section 5.6: `T` and `Z` in either case, any number of fraction digits (cut to
milliseconds), an offset or Z. `-00:00` is UTC. A leap second is valid where one can be, 23:59:60 UTC on the last day of
a month, and stands for the last millisecond of that day, so that it stays in its own pane. Years 0001 to 9999 in UTC.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from surveillance.arrays import NOT_SENT_MS, Bool, Int, Small
from surveillance.events.utf8 import strings, utf8

_FIRST_DAY: Final[Int] = np.arange("0000-01", "10000-04", dtype="datetime64[M]").astype("datetime64[D]").astype(np.int64)
"""First day of month 12 * year + month - 1, as days since the epoch."""
FIRST_MS: Final = int(_FIRST_DAY[12]) * 86_400_000
LAST_MS: Final = int(_FIRST_DAY[120_000]) * 86_400_000 - 1
"""First and last millisecond of the years 0001 to 9999."""

_DIGITS: Final = np.array([0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18])
_SECONDS_END: Final = 19
_SHORTEST, _LONGEST = 20, 64


class Times(NamedTuple):
    """`ms` is NOT_SENT_MS where the text is null or invalid; `invalid` marks texts that are no RFC 3339 time."""

    ms: Int
    invalid: Bool


def parse_times(array: pa.Array) -> Times:
    """Parse a string array, shape (n,)."""
    texts = utf8(array)
    if texts.uniform:
        ms = _parse_rows(texts.matrix())
    else:
        ms = np.full(len(array), NOT_SENT_MS, dtype=np.int64)
        for length in np.unique(texts.lengths[texts.present]).tolist():
            rows = np.flatnonzero((texts.lengths == length) & texts.present)
            if length <= _LONGEST:
                ms[rows] = _parse_rows(texts.data[texts.starts[rows, None] + np.arange(length)])
    return Times(ms, texts.present & (ms == NOT_SENT_MS))


def parse_time(text: str) -> int | None:
    """Milliseconds of one text, None where it is no RFC 3339 time."""
    ms = int(parse_times(strings([text])).ms[0])
    return None if ms == NOT_SENT_MS else ms


def format_time(ms: int) -> str:
    """RFC 3339 text in UTC with milliseconds."""
    return f"{np.datetime64(ms, 'ms')}Z"


def _parse_rows(chars: Small) -> Int:
    """Rows of one length, shape (n, length), split by their suffix: Z or an offset."""
    ms = np.full(len(chars), NOT_SENT_MS, dtype=np.int64)
    length = chars.shape[1]
    if not _SHORTEST <= length <= _LONGEST:
        return ms
    zulu = (chars[:, -1] | 0x20) == ord("z")
    if zulu.all():
        return _parse_layout(chars, length - 1)
    ms[zulu] = _parse_layout(chars[zulu], length - 1)
    if length >= _SECONDS_END + 6:
        ms[~zulu] = _parse_layout(chars[~zulu], length - 6)
    return ms


def _parse_layout(chars: Small, end: int) -> Int:
    """Rows whose clock time ends before column `end`; behind it stands Z (one column) or an offset (six)."""
    columns = np.ascontiguousarray(chars.T)
    digits = columns - np.uint8(ord("0"))
    good = (digits[_DIGITS] <= 9).all(axis=0) & _separators(columns)
    month_at = 12 * _number(digits, 0, 4) + _number(digits, 5, 2) - 1
    month, day = _number(digits, 5, 2), _number(digits, 8, 2)
    hour, minute, second = _number(digits, 11, 2), _number(digits, 14, 2), _number(digits, 17, 2)
    good &= (month >= 1) & (month <= 12) & (day >= 1) & (hour <= 23) & (minute <= 59) & (second <= 60)
    month_at = np.where(good, month_at, 0)
    good &= day <= _FIRST_DAY[month_at + 1] - _FIRST_DAY[month_at]
    fraction, fraction_good = _fraction(columns, digits, end)
    offset, offset_good = _offset(columns, digits, end)
    good &= fraction_good & offset_good
    minutes = (_FIRST_DAY[month_at] + day - 1) * 1440 + hour * 60 + minute - offset
    leap = second == 60
    if leap.any():
        good &= ~leap | _may_leap(minutes)
        second, fraction = np.where(leap, 59, second), np.where(leap, 999, fraction)
    ms = minutes * 60_000 + second * 1000 + fraction
    good &= (ms >= FIRST_MS) & (ms <= LAST_MS)
    return np.where(good, ms, NOT_SENT_MS)


def _number(digits: Small, start: int, count: int) -> Int:
    value: Int = digits[start].astype(np.int64)
    for place in range(start + 1, start + count):
        value = value * 10 + digits[place]
    return value


def _separators(columns: Small) -> Bool:
    dashes = (columns[4] == ord("-")) & (columns[7] == ord("-"))
    colons = (columns[13] == ord(":")) & (columns[16] == ord(":"))
    good: Bool = dashes & colons & ((columns[10] | 0x20) == ord("t"))
    return good


def _fraction(columns: Small, digits: Small, end: int) -> tuple[Int, Bool]:
    rows = columns.shape[1]
    value = np.zeros(rows, dtype=np.int64)
    if end == _SECONDS_END:
        return value, np.ones(rows, dtype=np.bool_)
    if end == _SECONDS_END + 1:
        return value, np.zeros(rows, dtype=np.bool_)
    places = digits[_SECONDS_END + 1 : end]
    good = (columns[_SECONDS_END] == ord(".")) & (places <= 9).all(axis=0)
    for place, worth in zip(places, (100, 10, 1), strict=False):
        value += place.astype(np.int64) * worth
    return value, good


def _offset(columns: Small, digits: Small, end: int) -> tuple[Int, Bool]:
    """Minutes east of UTC."""
    rows = columns.shape[1]
    if columns.shape[0] - end == 1:
        return np.zeros(rows, dtype=np.int64), np.ones(rows, dtype=np.bool_)
    sign, colon = columns[end], columns[end + 3]
    hours, minutes = _number(digits, end + 1, 2), _number(digits, end + 4, 2)
    good = ((sign == ord("+")) | (sign == ord("-"))) & (colon == ord(":")) & (hours <= 23) & (minutes <= 59)
    good &= (digits[[end + 1, end + 2, end + 4, end + 5]] <= 9).all(axis=0)
    return np.where(sign == ord("-"), -1, 1) * (hours * 60 + minutes), good


def _may_leap(minutes: Int) -> Bool:
    """Whether this UTC minute is 23:59 on the last day of a month."""
    next_day = np.floor_divide(minutes, 1440) + 1
    may: Bool = (minutes % 1440 == 1439) & (_FIRST_DAY[np.searchsorted(_FIRST_DAY, next_day)] == next_day)
    return may
