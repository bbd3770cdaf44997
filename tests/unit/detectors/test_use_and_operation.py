"""Counts against an expectation, binned quantiles, alert fatigue, number needed to evaluate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.binned_quantile import binned_quantile
from detectors.estimate import Estimate, Insufficient, Reason
from detectors.fatigue_index import fatigue_index
from detectors.negative_binomial import count_ratio
from detectors.number_needed import number_needed_to_evaluate

COUNTS = st.integers(0, 400)


@given(COUNTS, st.floats(0.1, 300), st.sampled_from([0.5, 1.0, 1.7, 4.0]))
def test_each_tail_is_the_mid_p_of_scipys_law(k, mean, dispersion):
    law = stats.poisson(mean) if dispersion <= 1 else stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
    half = law.pmf(k) / 2
    expected = {"lower": law.cdf(k) - half, "upper": law.sf(k) + half}
    expected["both"] = min(1.0, 2 * min(expected.values()))
    for tail, p in expected.items():
        assert count_ratio([k], [mean], dispersion=dispersion, tail=tail)[0].p == pytest.approx(p, rel=1e-6, abs=1e-12)


@given(COUNTS, st.floats(0.1, 300))
def test_the_two_tails_share_the_outcome_itself(k, mean):
    lower, upper = (count_ratio([k], [mean], dispersion=2.0, tail=tail)[0].p for tail in ("lower", "upper"))
    assert lower + upper == pytest.approx(1.0, abs=1e-9)


def test_a_more_variable_count_surprises_less():
    p = [count_ratio([60], [100.0], dispersion=d, tail="lower")[0].p for d in (1.0, 2.0, 8.0)]
    assert p == sorted(p)
    assert p[0] < 1e-4 < p[2]


VALUES = st.lists(st.integers(0, 60), min_size=1, max_size=80)


@given(VALUES, st.sampled_from([0.5, 0.9, 0.95, 1.0]))
def test_with_a_bin_for_each_value_the_quantile_is_numpys_inverted_cdf(values, q):
    count = np.bincount(values, minlength=61)
    found = binned_quantile(count[None], (count * np.arange(61))[None], range(61), q=q, method="q")[0]
    assert found.value == np.quantile(values, q, method="inverted_cdf")
    assert found.n == len(values)


@given(VALUES, st.integers(1, 59))
def test_a_binned_quantile_lies_on_the_right_side_of_every_bin_edge(values, edge):
    above = np.array(values) > edge
    count, total = [[(~above).sum(), above.sum()]], [[np.sum(np.where(above, 0, values)), np.sum(np.where(above, values, 0))]]
    found = binned_quantile(count, total, [edge, 60], q=0.95, method="q")[0].value
    assert (found > edge) == (np.quantile(values, 0.95, method="inverted_cdf") > edge)


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_a_binned_quantile_of_spread_values_is_near_that_of_the_values_themselves(q):
    values = np.random.default_rng(4).exponential(900.0, 2000)
    edges = np.concatenate([[0.0], 2.0 ** (np.arange(40) / 2)])
    place = np.searchsorted(edges, values, side="left")
    count, total = (np.bincount(place, weights, len(edges))[None] for weights in (None, values))
    found = binned_quantile(count, total, edges, q=q, method="q")[0].value
    assert found == pytest.approx(np.quantile(values, q, method="inverted_cdf"), rel=0.03)


def test_a_quantile_of_nothing_is_no_exposure_and_of_no_count_degenerate():
    assert binned_quantile([[0, 0]], [[0, 0]], [1, 2], q=0.95, method="q") == [Insufficient(Reason.NO_EXPOSURE)]
    assert binned_quantile([[-1, 2]], [[0, 0]], [1, 2], q=0.95, method="q")[0].reason is Reason.DEGENERATE_OUTCOMES
    assert binned_quantile([[np.nan]], [[0]], [1], q=0.95, method="q")[0].reason is Reason.DEGENERATE_OUTCOMES


def test_fatigue_is_the_mean_of_the_shares_that_are_known():
    assert fatigue_index([10], [40], [30], [100], [5], [10])[0].value == pytest.approx((0.25 + 0.3 + 0.5) / 3)
    assert fatigue_index([0], [0], [30], [100], [0], [0])[0].value == pytest.approx(0.3)
    assert fatigue_index([0], [0], [0], [0], [0], [0]) == [Insufficient(Reason.NO_EXPOSURE)]
    assert fatigue_index([5], [4], [0], [9], [0], [0])[0].reason is Reason.DEGENERATE_OUTCOMES


@given(st.lists(COUNTS, min_size=6, max_size=6))
def test_fatigue_lies_between_its_bounds_and_between_nothing_and_all(counts):
    found = fatigue_index(*([one] for one in counts))[0]
    if isinstance(found, Estimate):
        assert 0 <= found.lower <= found.value <= found.upper <= 1


def test_number_needed_to_evaluate_is_the_reciprocal_of_the_predictive_value():
    assert number_needed_to_evaluate([10], [80])[0].value == 8.0
    assert number_needed_to_evaluate([0], [80])[0].reason is Reason.NO_POSITIVES
    assert number_needed_to_evaluate([0], [0])[0].reason is Reason.NO_EXPOSURE
    assert number_needed_to_evaluate([9], [8])[0].reason is Reason.DEGENERATE_OUTCOMES
