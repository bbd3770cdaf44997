"""The variance of a window against its reference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.estimate import Insufficient, Reason
from detectors.variance_ratio import PowerSums, variance_ratio


def sums_of(values):
    x = np.atleast_2d(np.asarray(values, dtype=np.float64))
    return PowerSums(np.full(len(x), x.shape[1]), *((x**power).sum(axis=1) for power in (1, 2, 3, 4)))


@pytest.mark.parametrize("law", ["uniform", "gamma"])
def test_the_value_is_the_sample_variance_over_the_references_and_p_bonetts_normal_tail_of_its_log(law):
    """A uniform sample's kurtosis is its own, that of a gamma sample at least what its skewness asks for."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0.0, 7.0, 300) if law == "uniform" else rng.gamma(2.0, 1.5, 300)
    found = variance_ratio(sums_of(x), [4.0], [900], tail="upper")[0]
    own, of_gamma = 3 + stats.kurtosis(x, bias=False), 3 + 1.5 * stats.skew(x, bias=False) ** 2
    assert own < of_gamma
    kurtosis = own if law == "uniform" else of_gamma
    c, c_reference = 300 / (300 - 1.959964), 900 / (900 - 1.959964)
    error = np.sqrt(c**2 * (kurtosis - 297 / 300) / 299 + c_reference**2 * (kurtosis - 897 / 900) / 899)
    z = np.log(c / c_reference * x.var(ddof=1) / 4.0) / error
    assert found.value == pytest.approx(x.var(ddof=1) / 4.0, rel=1e-12)
    assert found.p == pytest.approx(stats.norm.sf(z), rel=1e-6)
    assert found.n == 300


@pytest.mark.parametrize("tail", ["lower", "upper", "both"])
@pytest.mark.parametrize("law", ["normal", "uniform", "laplace"])
def test_without_a_change_p_is_small_as_often_as_it_says_whatever_the_kurtosis(law, tail):
    rng = np.random.default_rng(2)
    field, reference = (getattr(rng, law)(size=(3000, rows)) for rows in (400, 1500))
    found = variance_ratio(sums_of(field), reference.var(axis=1, ddof=1), np.full(3000, 1500), tail=tail)
    p = np.array([one.p for one in found])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.025)


def test_the_bounds_hold_the_ratio_as_often_as_they_say():
    rng = np.random.default_rng(3)
    field, reference = rng.normal(0, 2.0, (3000, 300)), rng.normal(0, 1.0, (3000, 1000))
    found = variance_ratio(sums_of(field), reference.var(axis=1, ddof=1), np.full(3000, 1000), level=0.9)
    assert np.mean([one.lower <= 4.0 <= one.upper for one in found]) == pytest.approx(0.9, abs=0.02)


def test_p_below_one_in_twenty_is_an_interval_without_one():
    x = np.random.default_rng(5).normal(0, 1.3, (400, 25))
    found = variance_ratio(sums_of(x), np.ones(400), np.full(400, 500), tail="both")
    left_out = [not one.lower <= 1.0 <= one.upper for one in found]
    assert [one.p < 0.05 for one in found] == left_out
    assert 0 < sum(left_out) < 400


def test_a_collapsed_variance_is_the_lower_tail_and_no_other():
    x = np.random.default_rng(4).normal(0, 0.2, 200)
    low, high, both = (variance_ratio(sums_of(x), [1.0], [1000], tail=tail)[0].p for tail in ("lower", "upper", "both"))
    assert low < 1e-20
    assert high == pytest.approx(1)
    assert both == pytest.approx(2 * low)


def test_a_window_without_any_variance_is_zero_for_certain():
    found = variance_ratio(sums_of(np.full(50, 0.3)), [1.0], [1000])[0]
    assert (found.value, found.lower, found.upper, found.p) == (0.0, 0.0, 0.0, 0.0)
    assert variance_ratio(sums_of(np.full(50, 0.3)), [1.0], [1000], tail="upper")[0].p == 1.0


def test_rounding_of_the_sums_makes_no_variance_where_there_is_none():
    z = 0.3337777
    micro = [round(z * 1e6), round(z**2 * 1e6), round(z**3 * 1e6), round(z**4 * 1e6)]
    sums = PowerSums([50], *([50 * one / 1e6] for one in micro), resolution=1e-6)
    assert variance_ratio(sums, [1.0], [1000])[0].value == 0.0


def test_what_is_missing_is_named():
    assert variance_ratio(sums_of([1.0, 2.0]), [0.0], [100]) == [Insufficient(Reason.UNKNOWN_REFERENCE, 2)]
    assert variance_ratio(sums_of([1.0, 2.0]), [1.0], [0]) == [Insufficient(Reason.UNKNOWN_REFERENCE, 2)]
    assert variance_ratio(PowerSums([0], [0], [0], [0], [0]), [1.0], [100]) == [Insufficient(Reason.NO_EXPOSURE)]
    assert variance_ratio(sums_of([1.0]), [1.0], [100]) == [Insufficient(Reason.DEGENERATE_OUTCOMES, 1)]
    assert variance_ratio(PowerSums([10], [10], [-5], [0], [0]), [1.0], [100])[0].reason is Reason.DEGENERATE_OUTCOMES
