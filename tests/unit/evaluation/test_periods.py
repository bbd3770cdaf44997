"""Observation periods: months begin at local midnight, whatever summer time does."""

from __future__ import annotations

from itertools import pairwise
from zoneinfo import ZoneInfo

from surveillance.evaluation.periods import ended_periods
from surveillance.times import from_text, to_text

BERLIN = ZoneInfo("Europe/Berlin")


def test_months_begin_at_local_midnight_on_both_sides_of_summer_time() -> None:
    found = list(ended_periods(from_text("2026-03-15T12:00:00Z"), from_text("2026-12-01T00:00:00Z"), None, BERLIN))
    starts = [to_text(one.start_ms) for one in found]
    assert starts[:2] == ["2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"]
    assert to_text(found[-1].end_ms) == "2026-11-30T23:00:00Z"
    assert all(one.end_ms == after.start_ms for one, after in pairwise(found))


def test_a_month_that_is_not_over_has_not_ended() -> None:
    first = from_text("2026-12-31T22:59:59Z")
    assert [to_text(one.end_ms) for one in ended_periods(first, from_text("2026-12-31T23:00:00Z"), None, BERLIN)] == [
        "2026-12-31T23:00:00Z"
    ]
    assert list(ended_periods(first, from_text("2026-12-31T22:59:59Z"), None, BERLIN)) == []


def test_january_follows_december() -> None:
    found = list(ended_periods(from_text("2026-12-15T00:00:00Z"), from_text("2027-02-01T00:00:00Z"), None, BERLIN))
    assert [(to_text(one.start_ms), to_text(one.end_ms)) for one in found] == [
        ("2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z"),
        ("2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"),
    ]


def test_spans_of_one_length_are_aligned_to_the_epoch() -> None:
    day = 86_400_000
    found = list(ended_periods(day + 5, 4 * day, 2 * day, ZoneInfo("UTC")))
    assert [(one.start_ms, one.end_ms) for one in found] == [(0, 2 * day), (2 * day, 4 * day)]
