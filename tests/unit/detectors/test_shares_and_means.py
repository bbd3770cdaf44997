"""The test of a share against a stated one, and the mean of values between 0 and 1."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit

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


def test_the_mean_has_students_interval_and_p_on_logits():
    values = np.random.default_rng(1).beta(6, 2, 150)
    found = bounded_mean(*sums_of(values), reference=[0.7])[0]
    mean = values.mean()
    error = stats.sem(values) / (mean * (1 - mean))
    lower, upper = expit(stats.t.interval(0.95, 149, logit(mean), error))
    assert (found.value, found.lower, found.upper) == pytest.approx((mean, lower, upper), abs=2e-6)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(logit(mean) - logit(0.7)) / error, 149), rel=1e-3)
    assert found.method == "student_logit"


@pytest.mark.parametrize("rows", [3, 8, 40])
def test_p_below_one_in_twenty_is_an_interval_that_leaves_the_reference_out(rows):
    values = np.random.default_rng(rows).beta(1, 4, (300, rows))
    sums = [np.rint(values**power * 1e6).sum(axis=1) for power in (1, 2)]
    found = bounded_mean(np.full(300, rows), *sums, reference=np.full(300, 0.3))
    left_out = [not one.lower <= 0.3 <= one.upper for one in found]
    assert [one.p < 0.05 for one in found] == left_out
    assert 0 < sum(left_out) < 300


def test_bounds_stay_inside_what_a_mean_can_be():
    found = bounded_mean(*sums_of(np.array([1.0, 1.0, 1.0, 0.9])), reference=[np.nan])[0]
    assert 0.5 < found.lower < found.value < found.upper < 1.0
    assert found.p is None


@pytest.mark.parametrize("value", [0.0, 1 / 3, 0.9, 1.0])
def test_rows_that_are_all_alike_do_not_pretend_to_be_certain(value):
    found = bounded_mean(*sums_of(np.full(30, value)), reference=[0.5])[0]
    assert found.method == "wilson_bound"
    assert found.upper - found.lower > 0.1
    assert (found.p < 0.05) == (not found.lower <= 0.5 <= found.upper)


def test_what_cannot_be_said_is_named():
    assert bounded_mean([0], [0], [0], reference=[0.5]) == [Insufficient(Reason.NO_EXPOSURE)]
    assert bounded_mean([1], [500_000], [250_000], reference=[0.5]) == [Insufficient(Reason.DEGENERATE_OUTCOMES, 1)]
    assert bounded_mean([5], [9_000_000], [9_000_000], reference=[0.5])[0].reason is Reason.DEGENERATE_OUTCOMES
    assert bounded_mean([5], [2_000_000], [100_000], reference=[0.5])[0].reason is Reason.DEGENERATE_OUTCOMES
