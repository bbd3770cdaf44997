"""Waiting doubles with each failure in a row, within its bounds."""

from __future__ import annotations

from streams.retry_delay import RetryDelay


def test_it_doubles_from_the_first_to_the_last_and_begins_anew_after_a_success() -> None:
    delay, seen = RetryDelay(0.25, 2.0), []
    for _ in range(5):
        delay.grow()
        seen.append(delay.seconds)
    assert seen == [0.25, 0.5, 1.0, 2.0, 2.0]
    delay.reset()
    assert delay.seconds == 0.0
    delay.grow()
    assert delay.seconds == 0.25
