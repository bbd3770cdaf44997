"""Observation periods: calendar months of a time zone, or spans of one length aligned to the Unix epoch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MONTH: Final = 9999 * 12 + 11
_NEVER_MS: Final = 2**62


class Period(NamedTuple):
    """[start_ms, end_ms)."""

    start_ms: int
    end_ms: int


def zone_of(name: str) -> tzinfo:
    """The time zone of that name, UTC where the zone database does not know it: lint names such a manifest, and a fleet is
    not left unwatched for it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        return UTC


def ended_periods(first_ms: int, until_ms: int, length: int | None, zone: tzinfo) -> Iterator[Period]:
    """Every period from the one that holds `first_ms` on that has ended by `until_ms`; `length` None = calendar months.

    >>> [one.end_ms for one in ended_periods(5, 25, 10, ZoneInfo("UTC"))]
    [10, 20]
    """
    period = _holding(first_ms, length, zone)
    while period.end_ms <= until_ms:
        yield period
        period = _holding(period.end_ms, length, zone)


def _holding(at_ms: int, length: int | None, zone: tzinfo) -> Period:
    if length is not None:
        return Period(at_ms // length * length, at_ms // length * length + length)
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    try:
        local = moment.astimezone(zone)
    except OverflowError:  # within hours of the first or last moment of the calendar
        local = moment
    month = local.year * 12 + local.month - 1
    return Period(_month_start_ms(month, zone), _month_start_ms(month + 1, zone))


def _month_start_ms(month: int, zone: tzinfo) -> int:
    """Local midnight of the first day; `month` counts from year 0. After the last year there is, no month begins."""
    if month > _LAST_MONTH:
        return _NEVER_MS
    begins = datetime(month // 12, month % 12 + 1, 1, tzinfo=zone)
    return (begins - _EPOCH) // timedelta(milliseconds=1)
