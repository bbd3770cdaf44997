"""Distances of a window's bins to a reference, their p-values and their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from detectors.estimate import Estimate, Insufficient, Reason
from detectors.histograms import histograms
from detectors.js import js
from detectors.ks import ks, within_bins
from detectors.psi import psi
from detectors.total_variation import total_variation
from detectors.wasserstein import wasserstein

EDGES = np.array([-4.0, -1.0, 0.0, 0.5, 2.0, 4.0])
UNIFORM = np.full(5, 0.2)
COUNTS = np.array([[31, 40, 55, 60, 14], [20, 20, 20, 20, 20]])
PROBS = np.array([[0.25, 0.2, 0.2, 0.25, 0.1], [0.25, 0.2, 0.2, 0.25, 0.1]])
SIZE = np.array([1000, 400])
MANY = 10**7
"""So many times the counts that smoothing, which the published distances have none of, is nothing."""


def w1(counts, probs, m, **options):
    return wasserstein(counts, probs, m, EDGES, **options)


ALL = [psi, js, total_variation, ks, w1]


def smoothed(row):
    q = (COUNTS[row] + 0.5) / (COUNTS[row].sum() + 2.5)
    r = (PROBS[row] * SIZE[row] + 0.5) / (SIZE[row] + 2.5)
    return q, r


@pytest.mark.parametrize("row", [0, 1])
def test_values_are_those_of_scipy_on_the_smoothed_shares(row):
    q, r = smoothed(row)
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    low, high = (np.interp(part, np.concatenate([[0], np.cumsum(PROBS[row])]), EDGES) for part in (0.25, 0.75))
    assert js(COUNTS, PROBS, SIZE)[row].value == pytest.approx(distance.jensenshannon(q, r) ** 2, rel=1e-12)
    assert total_variation(COUNTS, PROBS, SIZE)[row].value == pytest.approx(distance.cityblock(q, r) / 2, rel=1e-12)
    expected = stats.wasserstein_distance(middles, middles, q, r) / (high - low)
    assert w1(COUNTS, PROBS, SIZE)[row].value == pytest.approx(expected, rel=1e-12)


def test_the_binned_ks_distance_and_its_bounds_enclose_that_of_the_values():
    rng = np.random.default_rng(5)
    for shift in (0.0, 0.3, 1.5):
        field, reference = rng.normal(shift, 1, 400).clip(-4, 4), rng.normal(0, 1, 900).clip(-4, 4)
        c, d = (np.histogram(values, EDGES)[0] for values in (field, reference))
        found = stats.ks_2samp(field, reference).statistic
        least, most = within_bins(c[None] / c.sum(), d[None] / d.sum())
        assert least[0] <= found + 1e-12
        assert found <= most[0] + 1e-12
        estimate = ks([c], [d / d.sum()], [d.sum()])[0]
        assert estimate.lower <= least[0] <= most[0] <= estimate.upper


@pytest.mark.parametrize("detector", [total_variation, ks, w1])
def test_their_p_is_pearsons_of_the_two_counts(detector):
    want = stats.chi2_contingency([COUNTS[0], PROBS[0] * SIZE[0]], correction=False).pvalue
    assert detector(COUNTS, PROBS, SIZE)[0].p == pytest.approx(want, rel=1e-9)


def test_pearsons_p_of_a_published_pair_of_counts():
    """Evidently's chi-square test of expected frequencies: the reference is taken as known, so its m has no end here."""
    reference, field = np.array([16, 18, 16, 14, 12, 12]), np.array([16, 16, 16, 16, 16, 8])
    assert total_variation([field], [reference / reference.sum()], [1e15])[0].p == pytest.approx(0.67309, abs=1e-5)


def test_jensen_shannon_of_published_categories():
    """NannyML's distance is the root, in bits: 1/4 of the mass on either side of disjoint categories gives 0.5."""
    rng = np.random.RandomState(1)
    reference = rng.choice(["a", "b", "c", "d"], 10_000)
    field = rng.choice(["a", "b", "c", "e"], 1_000)
    c, d = (np.array([(values == level).sum() for level in "abcde"]) for values in (field, reference))
    found = js([c], [d / d.sum()], [d.sum()])[0].value
    assert np.sqrt(found / np.log(2)) == pytest.approx(0.5, abs=0.005)


def test_jensen_shannon_of_a_published_quasi_continuous_pair():
    rng = np.random.RandomState(1)
    reference = rng.choice(np.linspace(0, 2, 6), 10_000)
    field = rng.choice(np.linspace(0, 2, 3), 1_000)
    levels = np.unique(np.concatenate([reference, field]))
    c, d = (np.array([(values == level).sum() for level in levels]) for values in (field, reference))
    assert np.sqrt(js([c * MANY], [d / d.sum()], [d.sum() * MANY])[0].value / np.log(2)) == pytest.approx(0.73, abs=0.005)


def test_pearsons_p_of_a_published_pair_with_a_category_that_only_the_field_has():
    """Frouros: reference a, a, b, a, a, b, field b, a, c, c, c, c; statistic 6.1333, two degrees."""
    found = total_variation([[1, 1, 4]], [[4 / 6, 2 / 6, 0]], [6])[0]
    assert found.p == pytest.approx(0.04657615, abs=1e-8)
    assert found.p == pytest.approx(stats.chi2.sf(6.13333333, 2), abs=1e-8)


def test_psi_of_a_published_pair_of_samples_of_one_distribution():
    """Frouros: two samples of 500 from N(1, 1) in ten equal bins over their joint range."""
    rng = np.random.RandomState(31)
    reference, field = rng.normal(1, 1, 500), rng.normal(1, 1, 500)
    edges = np.linspace(min(reference.min(), field.min()), max(reference.max(), field.max()), 11)
    c, d = (np.histogram(values, edges)[0] for values in (field, reference))
    assert psi([c * MANY], [d / d.sum()], [d.sum() * MANY])[0].value == pytest.approx(0.01840072, abs=2e-8)


def test_jensen_shannon_of_a_published_continuous_pair():
    """NannyML prints 0.05; its bins are those of Doane's rule."""
    rng = np.random.RandomState(1)
    reference, field = rng.normal(0, 1, 10_000), rng.normal(0, 1, 1_000)
    edges = np.histogram_bin_edges(reference, "doane")
    c, d = (np.histogram(values, edges)[0] for values in (field, reference))
    root = np.sqrt(js([c * MANY], [d / d.sum()], [d.sum() * MANY])[0].value / np.log(2))
    assert root == pytest.approx(0.0472, abs=5e-5)
    assert round(root, 2) == 0.05


def test_p_of_a_total_variation_is_pearsons_and_not_the_published_one_of_permutations():
    """Evidently prints .085 where ours is .142: both ask whether two samples of 88 have one distribution, of another statistic.

    Theirs is the share of 1,000 permutations whose total variation is no smaller; they compare floating sums, which loses
    some of the ties. Counted in whole rows the same permutations give .088, and all permutations .0956. Ours is Pearson's
    chi-square of the same two counts, as the contract says: squares weigh the two large differences by what was expected.
    """
    reference, field = np.array([16, 18, 16, 14, 12, 12]), np.array([10, 10, 24, 24, 10, 10])
    assert total_variation([field], [reference / 88], [88])[0].p == pytest.approx(0.1422, abs=5e-5)

    both, rng = np.concatenate([np.repeat(range(6), counts) for counts in (reference, field)]), np.random.RandomState(0)
    drawn = np.array([np.bincount(rng.choice(both, 88, replace=False), minlength=6) for _ in range(1_000)])
    rest = reference + field - drawn
    found = total_variation(drawn * MANY, rest / 88, np.full(1_000, 88 * MANY))
    here = np.array([round(one.value * 88) for one in found])
    assert here.tolist() == (np.abs(drawn - rest).sum(axis=1) // 2).tolist()
    assert np.mean(here >= 18) == pytest.approx(0.088)
    floating = [np.abs(one / 88 - other / 88).sum() / 2 for one, other in zip(drawn, rest, strict=True)]
    assert np.mean(np.array(floating) >= np.abs(reference / 88 - field / 88).sum() / 2) == pytest.approx(0.085)

    every = np.random.default_rng(1).multivariate_hypergeometric(reference + field, 88, 100_000)
    assert np.mean(np.abs(2 * every - reference - field).sum(axis=1) >= 36) == pytest.approx(0.0956, abs=0.003)


@pytest.mark.parametrize("detector", ALL)
def test_without_drift_p_is_small_as_often_as_it_says(detector):
    rng = np.random.default_rng(7)
    windows = rng.multinomial(300, UNIFORM, 3000)
    references = rng.multinomial(2000, UNIFORM, 3000) / 2000
    found = detector(windows, references, np.full(3000, 2000))
    p = np.array([one.p for one in found])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.012)
    assert np.mean(p < 0.01) == pytest.approx(0.01, abs=0.006)


@pytest.mark.parametrize("detector", [total_variation, ks, w1])
def test_the_bounds_hold_the_distance_of_the_populations(detector):
    rng = np.random.default_rng(8)
    drifted = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    truth = detector([drifted * 1e12], [UNIFORM], [1e12])[0].value
    windows = rng.multinomial(300, drifted, 2000)
    references = rng.multinomial(1000, UNIFORM, 2000) / 1000
    found = detector(windows, references, np.full(2000, 1000))
    assert np.mean([one.lower <= truth <= one.upper for one in found]) >= 0.95


@pytest.mark.parametrize("detector", ALL)
def test_moving_more_mass_to_one_end_moves_the_distance_up_and_p_down(detector):
    steps = [np.array([200 - s, 200, 200, 200, 200 + s]) for s in range(0, 200, 20)]
    found = detector(steps, np.tile(UNIFORM, (10, 1)), np.full(10, 5000))
    values, p = [one.value for one in found], [one.p for one in found]
    assert values == sorted(values)
    assert p == sorted(p, reverse=True)
    assert found[0].value == pytest.approx(0, abs=1e-12)
    assert p[0] == pytest.approx(1)


def test_wasserstein_tells_a_far_move_from_a_near_one_and_total_variation_does_not():
    near, far = np.array([200, 200, 300, 100, 200]), np.array([300, 200, 200, 200, 100])
    rows = [near, far], np.tile(UNIFORM, (2, 1)), [5000, 5000]
    assert total_variation(*rows)[0].value == pytest.approx(total_variation(*rows)[1].value)
    assert w1(*rows)[1].value > 3 * w1(*rows)[0].value


@pytest.mark.parametrize("detector", ALL)
def test_what_is_missing_is_named(detector):
    counts = [[0] * 5, [5] * 5, [5] * 5, [-1] * 5, [5] * 5]
    probs = [UNIFORM, UNIFORM, UNIFORM * 3, UNIFORM, np.full(5, np.nan)]
    reasons = [one.reason for one in detector(counts, probs, [100, 0, 100, 100, 100])]
    unknown = Reason.UNKNOWN_REFERENCE
    assert reasons == [Reason.NO_EXPOSURE, unknown, unknown, Reason.DEGENERATE_OUTCOMES, unknown]


@pytest.mark.parametrize("edges", [[0, 1], [0, 1, 1], [0, 2, 1], [0, 1, np.inf], [0, np.nan, 1]])
def test_wasserstein_without_a_scale_is_an_unknown_reference(edges):
    assert wasserstein([[5, 5]], [[0.5, 0.5]], [100], edges) == [Insufficient(Reason.UNKNOWN_REFERENCE, 10)]


def test_a_bin_that_only_the_field_knows_is_no_obstacle():
    for detector in ALL:
        found = detector([[0, 0, 0, 0, 9]], [[0.5, 0.5, 0, 0, 0]], [1000])[0]
        assert isinstance(found, Estimate)
        assert found.p < 1e-6


def test_smoothing_is_jeffreys_prior_on_both_sides():
    both = histograms([[9, 1]], [[0.25, 0.75]], [20])
    assert both.field_shares[0].tolist() == pytest.approx([9.5 / 11, 1.5 / 11])
    assert both.reference_shares[0].tolist() == pytest.approx([5.5 / 21, 15.5 / 21])
