"""The test of a share against a stated one, and the mean of values between 0 and 1."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.binomial_test import binomial_p
from detectors.bounded_mean import bounded_mean
from detectors.estimate import Insufficient, Reason


@pytest.mark.parametrize(("k", "n", "p0"), [(0, 10, 0.1), (3, 10, 0.1), (10, 10, 0.4), (57, 1000, 0.05), (5, 12, 0.4)])
def test_the_mid_p_is_twice_the_smaller_tail_with_half_of_what_was_seen(k, n, p0):
    law = stats.binom(n, p0)
    lower, upper = law.cdf(k) - law.pmf(k) / 2, law.sf(k) + law.pmf(k) / 2
    assert binomial_p([k], [n], [p0])[0] == pytest.approx(min(1, 2 * min(lower, upper)), rel=1e-9)


def test_a_share_that_cannot_be_has_no_p_value_and_a_certain_one_has():
    assert np.isnan(binomial_p([1, 1, 3, 0], [2, 2, 2, 0], [np.nan, 1.5, 0.5, 0.5])).all()
    assert binomial_p([0, 1, 5], [5, 5, 5], [0.0, 0.0, 1.0]).tolist() == [1.0, 0.0, 1.0]


def sums_of(values):
    return [len(values)], [int(np.rint(values * 1e6).sum())], [int(np.rint(values**2 * 1e6).sum())]


def test_the_mean_has_the_normal_interval_and_p_of_scipy():
    values = np.random.default_rng(1).beta(6, 2, 150)
    found = bounded_mean(*sums_of(values), reference=[0.7])[0]
    lower, upper = stats.norm.interval(0.95, values.mean(), stats.sem(values))
    assert (found.value, found.lower, found.upper) == pytest.approx((values.mean(), lower, upper), abs=2e-6)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(values.mean() - 0.7) / stats.sem(values)), rel=1e-3)


def test_the_interval_is_cut_to_what_a_mean_can_be():
    found = bounded_mean(*sums_of(np.array([1.0, 1.0, 1.0, 0.9])), reference=[np.nan])[0]
    assert found.upper == 1.0
    assert found.p is None


def test_what_cannot_be_said_is_named():
    assert bounded_mean([0], [0], [0], reference=[0.5]) == [Insufficient(Reason.NO_EXPOSURE)]
    assert bounded_mean([1], [500_000], [250_000], reference=[0.5]) == [Insufficient(Reason.DEGENERATE_OUTCOMES, 1)]
    assert bounded_mean([5], [9_000_000], [9_000_000], reference=[0.5])[0].reason is Reason.DEGENERATE_OUTCOMES
    assert bounded_mean([5], [2_000_000], [100_000], reference=[0.5])[0].reason is Reason.DEGENERATE_OUTCOMES
