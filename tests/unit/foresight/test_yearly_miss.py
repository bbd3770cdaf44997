"""How many years hold an interval that misses the truth, against intervals around drawn counts."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.intervals import wilson
from surveillance.foresight.window_overlap import yearly_miss, yearly_miss_from_a_start
from surveillance.times import DAY_MS

YEARS, SHARE, A_DAY = 400, 0.3, 200


def missed(counts: np.ndarray, cases: np.ndarray, level: float) -> float:
    """Share of years in which the interval of some look does not hold the share that the counts were drawn with."""
    lower, upper = wilson(counts, np.broadcast_to(cases, counts.shape), level)
    return float(((lower > SHARE) | (upper < SHARE)).any(axis=1).mean())


@pytest.mark.parametrize(("days", "level"), [(7, 0.999), (28, 0.99), (28, 0.95)])
def test_years_of_a_sliding_window(days: int, level: float) -> None:
    draws = np.random.default_rng(days)
    total = np.cumsum(draws.binomial(A_DAY, SHARE, (YEARS, 365 + days)), axis=1)
    sums = total[:, days:] - total[:, :-days]
    assert yearly_miss(days * DAY_MS, DAY_MS, level) == pytest.approx(missed(sums, np.array(days * A_DAY), level), abs=0.06)


def test_years_of_what_grows_from_a_start() -> None:
    total = np.cumsum(np.random.default_rng(1).binomial(A_DAY, SHARE, (YEARS, 365)), axis=1)
    cases = A_DAY * np.arange(1, 366)
    assert yearly_miss_from_a_start(0.95) == pytest.approx(missed(total, cases, 0.95), abs=0.06)


def test_many_looks_at_a_short_window_miss_in_every_year_and_a_high_level_in_few() -> None:
    assert yearly_miss(DAY_MS // 24, DAY_MS // 1440, 0.95) > 0.999
    assert yearly_miss(28 * DAY_MS, DAY_MS, 0.99999) < 0.01
