"""Observation periods: calendar months of a time zone, or spans of one length aligned to the Unix epoch."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Period(NamedTuple):
    """[start_ms, end_ms)."""

    start_ms: int
    end_ms: int


def ended_periods(first_ms: int, until_ms: int, length: int | None, zone: ZoneInfo) -> Iterator[Period]:
    """Every period from the one that holds `first_ms` on that has ended by `until_ms`; `length` None = calendar months.

    >>> [one.end_ms for one in ended_periods(5, 25, 10, ZoneInfo("UTC"))]
    [10, 20]
    """
    period = _holding(first_ms, length, zone)
    while period.end_ms <= until_ms:
        yield period
        period = _holding(period.end_ms, length, zone)


def _holding(at_ms: int, length: int | None, zone: ZoneInfo) -> Period:
    if length is not None:
        return Period(at_ms // length * length, at_ms // length * length + length)
    local = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    month = local.year * 12 + local.month - 1
    return Period(_month_start_ms(month, zone), _month_start_ms(month + 1, zone))


def _month_start_ms(month: int, zone: ZoneInfo) -> int:
    """Local midnight of the first day; `month` counts from year 0."""
    return round(datetime(month // 12, month % 12 + 1, 1, tzinfo=zone).timestamp()) * 1000
