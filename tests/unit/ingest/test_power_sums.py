"""Power sums of standardised numbers in fixed point."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.variance_ratio import PowerSums, variance_ratio
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.power_sums import LARGEST_Z, power_sums
from surveillance.panes.standard_scale import UNSCALED, StandardScale
from surveillance.panes.statistics import Shape


def totals(numbers, usable=None, scale=UNSCALED):
    """Sum of each column, as Python integers."""
    x = np.asarray(numbers, dtype=np.float64)
    keep = np.ones(len(x), np.bool_) if usable is None else np.asarray(usable)
    found = dict.fromkeys(Shape, 0)
    for column, weight, where in power_sums(x, keep, scale, 3):
        chosen = slice(None) if where is None else where
        assert isinstance(column, int)
        found[Shape(column - 3)] += len(x[chosen]) if weight is None else sum(weight[chosen].tolist())
    return found


def variance_of(found):
    scaled = [
        found[Shape.FIRST_NANO] * 1e-9,
        found[Shape.SQUARE_NANO] * 1e-9,
        found[Shape.CUBE] * 1e-8,
        found[Shape.FOURTH] * 1e-8,
    ]
    sums = PowerSums([found[Shape.NUMBERS]], *([one] for one in scaled), resolution=1e-9)
    return variance_ratio(sums, [1.0], [1000])[0]


def test_the_sums_are_those_of_the_standardised_numbers():
    found = totals([12.0, 8.0, 11.0], scale=StandardScale(10.0, 2.0))
    assert found[Shape.NUMBERS] == 3
    assert found[Shape.SUM_MICRO] == 500_000
    assert (found[Shape.FIRST_NANO], found[Shape.SQUARE_NANO]) == (500_000_000, 2_250_000_000)
    assert (found[Shape.CUBE], found[Shape.FOURTH]) == (12_500_000, 206_250_000)


def test_what_is_no_number_adds_nothing():
    assert set(totals([np.nan, 5.0, np.inf], usable=[False, False, False]).values()) == {0}


def test_a_small_variance_far_from_the_baseline_keeps_its_digits():
    x = np.random.default_rng(3).normal(2.0, 0.02, 2000)
    found = variance_of(totals(x))
    exact = variance_ratio(PowerSums([2000], *([(x**power).sum()] for power in (1, 2, 3, 4))), [1.0], [1000])[0]
    assert found.value == pytest.approx(x.var(ddof=1), rel=1e-3)
    assert (found.lower, found.upper) == pytest.approx((exact.lower, exact.upper), rel=0.05)


@pytest.mark.parametrize("wild", [1e6, -1e300, 1e308, -1e308])
@pytest.mark.parametrize("scale", [UNSCALED, StandardScale(-1e308, 1e-3)])
def test_a_million_rows_at_the_clip_fit_into_64_bits(wild, scale):
    for column, largest in totals([wild], scale=scale).items():
        assert abs(largest) * 1_000_000 < 2**63, column


def test_a_wild_value_counts_as_one_at_the_clip():
    assert totals([1e12])[Shape.FIRST_NANO] == LARGEST_Z * 1e9


def test_every_inference_touches_the_row():
    touching = [one for one in power_sums(np.array([1.0]), np.array([False]), UNSCALED, 0) if one.where is None]
    assert touching == [Increments(Shape.NUMBERS, np.array([0]), None)]
