"""The gap of a subgroup: known answers, coverage, and what it must not say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.prevalence import n_of_interval, prevalence
from detectors.proportion import Method
from detectors.subgroup_gap import gap_to_baseline, gap_to_overall


def number(outcome: Outcome) -> Estimate:
    assert isinstance(outcome, Estimate), outcome
    return outcome


def test_newcombes_published_interval() -> None:
    """Newcombe 1998, Table II, row (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339."""
    found = number(gap_to_baseline([56], [70], [48 / 80], [80])[0])
    assert [round(number, 4) for number in (found.value, found.lower, found.upper)] == [0.2, 0.0524, 0.3339]


def test_the_gap_to_all_is_the_difference_of_both_shares_although_the_subgroup_is_part_of_all() -> None:
    found = number(gap_to_overall([70], [100], [870], [1000])[0])
    assert found.value == pytest.approx(0.70 - 0.87)
    assert found.lower < found.value < found.upper < 0.0


def test_p_is_that_of_the_chi_square_test_of_subgroup_and_rest() -> None:
    expected = stats.chi2_contingency([[70, 30], [800, 100]], correction=False).pvalue
    assert number(gap_to_overall([70], [100], [870], [1000])[0]).p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("method", "least"), [("wilson", 0.94), ("clopper_pearson", 0.95), ("confidence_sequence", 0.99)])
def test_the_interval_holds_the_true_gap_at_its_level(method: Method, least: float) -> None:
    rng = np.random.default_rng(7)
    k, rest = rng.binomial(60, 0.85, 20_000), rng.binomial(400, 0.92, 20_000)
    truth = (1 - 60 / 460) * (0.85 - 0.92)
    found = [number(one) for one in gap_to_overall(k, np.full(20_000, 60), k + rest, np.full(20_000, 460), method=method)]
    held = np.mean([one.lower <= truth <= one.upper for one in found])
    assert held >= least
    if method == "wilson":
        assert held <= 0.96


def test_confidence_sequences_of_a_gap_hold_at_every_look_together() -> None:
    rng = np.random.default_rng(11)
    truth = (1 - 0.25) * (0.80 - 0.90)
    missed = 0
    for _ in range(200):
        subgroup, rest = np.cumsum(rng.random(500) < 0.80), np.cumsum(rng.random(1500) < 0.90)
        at = np.arange(1, 501)
        found = gap_to_overall(subgroup, at, subgroup + rest[3 * at - 1], 4 * at, method="confidence_sequence")
        missed += any(not number(one).lower <= truth <= number(one).upper for one in found)
    assert missed <= 10


def test_a_baseline_without_n_is_taken_as_exact_and_one_with_n_widens_the_interval() -> None:
    exact, measured = gap_to_baseline([70, 70], [100, 100], [0.85, 0.85], [np.nan, 200])
    assert number(exact).upper < number(measured).upper
    assert number(exact).p == pytest.approx(2 * (stats.binom.cdf(69, 100, 0.85) + stats.binom.pmf(70, 100, 0.85) / 2), rel=1e-9)


def test_nothing_beside_the_subgroup_and_no_baseline_are_unknown_references() -> None:
    assert gap_to_overall([7], [10], [7], [10])[0] == Insufficient(Reason.UNKNOWN_REFERENCE, 10)
    assert gap_to_baseline([7], [10], [np.nan], [np.nan])[0] == Insufficient(Reason.UNKNOWN_REFERENCE, 10)
    assert gap_to_overall([0], [0], [7], [10])[0] == Insufficient(Reason.NO_EXPOSURE)


def test_a_subgroup_larger_than_all_is_no_count() -> None:
    assert gap_to_overall([5], [10], [3], [8])[0] == Insufficient(Reason.DEGENERATE_OUTCOMES, 10)


def test_prevalence_is_tested_against_a_reference_of_the_n_that_its_interval_shows() -> None:
    n = n_of_interval([0.061], [0.059], [0.063])
    assert 50_000 < n[0] < 60_000
    found, alone = prevalence([90, 90], [1000, 1000], reference=[0.061, np.nan], reference_n=[n[0], np.nan])
    expected = stats.chi2_contingency([[90, 910], [0.061 * n[0], 0.939 * n[0]]], correction=False).pvalue
    assert number(found).p == pytest.approx(expected, rel=1e-6)
    assert number(alone).p is None
    assert (number(found).lower, number(found).upper) == (number(alone).lower, number(alone).upper)
