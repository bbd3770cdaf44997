from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.calibration_error import calibration_error, expected_calibration_error
from detectors.estimate import Insufficient, Reason
from detectors.reliability_bins import ReliabilityBins
from tests.unit.detectors.sketches import drawn, sketched


def test_ten_groups_of_equal_width_give_the_published_error(calzone):
    """known_answers_rederived.json, ECE10_posclass of calzone (FDA DIDSR): bins of equal width on the positive class."""
    for kind, published in (("well", 0.012087759558049), ("mis", 0.081446446444560)):
        cohort = calzone(kind)
        width = np.minimum((cohort.score * 10).astype(int), 9)
        neg, pos = (np.bincount(width[cohort.outcome == label], minlength=10)[None] for label in (0, 1))
        sums = np.bincount(width, weights=cohort.micro, minlength=10)[None]
        assert expected_calibration_error(neg, pos, sums, groups=None)[0].value == pytest.approx(published, abs=1e-6)


def test_the_sketch_gives_nearly_the_error_of_rows_cut_into_tenths(calzone):
    for kind, of_rows in (("well", 0.008732), ("mis", 0.079940)):
        cohort = calzone(kind)
        tables = sketched(cohort.score[None], cohort.outcome[None])
        assert expected_calibration_error(*tables)[0].value == pytest.approx(of_rows, abs=0.003)


def test_only_the_badly_calibrated_scores_have_an_error_that_chance_does_not_explain(calzone):
    well, mis = (
        calibration_error(*sketched(calzone(kind).score[None], calzone(kind).outcome[None]))[0] for kind in ("well", "mis")
    )
    assert well.lower == 0.0
    assert well.p > 0.05
    assert mis.lower > 0.07
    assert mis.p < 1e-12


def test_groups_hold_a_tenth_of_the_rows_each_and_part_no_score():
    rng = np.random.default_rng(2)
    neg, pos, sums = sketched(*drawn(rng, (3, 5000)))
    neg[1] = pos[1] = sums[1] = 0
    neg[1, 20] = 5000
    bins = ReliabilityBins.of(neg, pos, sums)
    rows = bins.sums(bins.total)
    assert np.abs(rows[[0, 2]] / 5000 - 0.1).max() < 0.04
    assert sorted(rows[1].tolist())[-2:] == [0.0, 5000.0]
    assert (np.diff(bins.group, axis=1) >= 0).all()


def test_what_is_told_is_the_error_and_not_the_noise():
    """The plug-in error of calibrated scores is noise of the size of a real error; the debiased square averages to the truth."""
    rng = np.random.default_rng(5)
    tables = sketched(*drawn(rng, (1500, 300)))
    plugged_in = np.mean([found.value for found in expected_calibration_error(*tables)])
    assert plugged_in > 0.045
    assert np.sqrt(np.mean([found.value**2 for found in calibration_error(*tables)])) < plugged_in * 0.65

    score, outcome = drawn(rng, (1500, 300), slope=0.6)
    bins = ReliabilityBins.of(*sketched(score, outcome))
    rows, gap = bins.sums(bins.total), bins.sums(bins.pos) - bins.sums(bins.total * bins.score)
    truth = np.mean((gap.mean(axis=0) / rows.mean(axis=0)) ** 2)
    assert np.mean([found.value**2 for found in calibration_error(*sketched(score, outcome))]) == pytest.approx(truth, rel=0.06)


def test_p_of_calibrated_scores_is_uniform_where_it_matters():
    rng = np.random.default_rng(7)
    for rows, centre in ((300, -1.0), (2000, -4.0)):
        p = np.array([found.p for found in calibration_error(*sketched(*drawn(rng, (3000, rows), centre=centre)))])
        assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.015)
        assert np.mean(p < 0.01) < 0.02


@pytest.mark.parametrize(("rows", "shift", "slope"), [(400, 0.3, 1.0), (400, 0.0, 0.7), (4000, 0.0, 0.7), (4000, 0.0, 1.0)])
def test_bounds_hold_the_error_of_the_groups(rows, shift, slope):
    rng = np.random.default_rng(11)
    score, outcome = drawn(rng, (600, rows), shift=shift, slope=slope)
    tables = sketched(score, outcome)
    bins = ReliabilityBins.of(*tables)
    logit = np.log(score / (1 - score))
    excess = 1 / (1 + np.exp(-(shift + slope * logit))) - score
    from detectors.score_sketch import sketch_bin

    group = np.take_along_axis(bins.group, sketch_bin(np.round(score * 1e6).astype(np.int64)), axis=1)
    at = (group + np.arange(600)[:, None] * 10).ravel()
    gap = np.bincount(at, weights=excess.ravel(), minlength=6000).reshape(600, 10) / np.maximum(bins.sums(bins.total), 1)
    truth = np.sqrt((bins.sums(bins.total) / rows * gap**2).sum(axis=1))
    found = calibration_error(*tables)
    assert np.mean([one.lower <= error <= one.upper for one, error in zip(found, truth, strict=True)]) > 0.935


def test_p_is_near_that_of_the_sum_of_squared_standard_scores():
    """One group per bin of equal size and variance: the sum is chi2 (Hosmer & Lemeshow 1980, external validation)."""
    neg, pos = np.array([[60, 55, 48, 40]]), np.array([[40, 45, 52, 60]])
    found = calibration_error(neg, pos, np.full((1, 4), 50_000_000), groups=None)[0]
    chi2 = (((pos - 50) ** 2) / 25.0).sum()
    assert found.p == pytest.approx(stats.chi2.sf(chi2, 4), rel=0.05)


def test_scores_that_leave_nothing_to_chance_are_right_or_wrong():
    right = calibration_error([[5, 0]], [[0, 7]], [[0, 7_000_000]], groups=None)[0]
    wrong = calibration_error([[5, 1]], [[0, 6]], [[0, 7_000_000]], groups=None)[0]
    assert (right.value, right.p) == (0.0, 1.0)
    assert wrong.p == 0.0


def test_no_rows_and_sums_that_no_rows_have_are_named():
    found = calibration_error([[0], [3], [3], [-1]], [[0], [2], [2], [5]], [[0], [-1], [5_100_000], [2_000_000]], groups=None)
    assert [one.reason for one in found if isinstance(one, Insufficient)] == [Reason.NO_EXPOSURE] + 3 * [
        Reason.DEGENERATE_OUTCOMES
    ]
