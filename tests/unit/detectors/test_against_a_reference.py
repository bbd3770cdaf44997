"""P-values of AUROC and Brier score against the validated number: small where the field is worse, never where it is better."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from detectors.auroc import auroc
from detectors.brier import brier
from detectors.calibration import calibration_in_the_large, joint_fit
from detectors.score_bins import ScoreBins
from detectors.score_sketch import sketch_logit
from tests.unit.detectors.sketches import drawn, sketched


def of_field(rng, shape, **truth):
    """Counts of both classes and the sums of squares and fourth powers of errors, with the rows behind them."""
    score, outcome = drawn(rng, shape, **truth)
    error = (score - outcome) ** 2
    sums = [np.round(error**power * 1e6).astype(np.int64).sum(axis=1) for power in (1, 2)]
    return sketched(score, outcome)[:2], (np.full(shape[0], shape[1]), *sums), (score, outcome)


def test_p_is_one_sided_towards_harm_and_one_half_at_the_number_itself():
    (neg, pos), squares, _ = of_field(np.random.default_rng(1), (1, 2000))
    area, score = auroc(ScoreBins.of(neg, pos))[0], brier(*squares)[0]
    assert area.p is score.p is None
    for off, p_area, p_score in ((0.0, 0.5, 0.5), (0.1, 0.0, 1.0), (-0.1, 1.0, 0.0)):
        assert auroc(ScoreBins.of(neg, pos), reference=[area.value + off])[0].p == pytest.approx(p_area, abs=1e-4)
        assert brier(*squares, reference=[score.value + off])[0].p == pytest.approx(p_score, abs=1e-4)


def test_p_below_one_in_forty_is_an_interval_that_leaves_the_reference_out():
    """One-sided at 2.5 % is the two-sided interval of 95 %: both rest on the same error."""
    (neg, pos), squares, _ = of_field(np.random.default_rng(2), (400, 200))
    areas, scores = auroc(ScoreBins.of(neg, pos), reference=np.full(400, 0.84)), brier(*squares, reference=np.full(400, 0.14))
    assert [one.p < 0.025 for one in areas] == [one.upper < 0.84 for one in areas]
    assert [one.p < 0.025 for one in scores] == [one.lower > 0.14 for one in scores]


def test_p_keeps_its_level_where_the_field_is_as_it_was_validated():
    rng = np.random.default_rng(3)
    (neg, pos), squares, _ = of_field(rng, (4000, 300))
    (many_neg, many_pos), many, _ = of_field(rng, (20, 100_000))
    area = np.mean([one.value for one in auroc(ScoreBins.of(many_neg, many_pos))])
    score = np.mean([one.value for one in brier(*many)])
    for found in (auroc(ScoreBins.of(neg, pos), reference=np.full(4000, area)), brier(*squares, reference=np.full(4000, score))):
        assert np.mean([one.p < 0.05 for one in found]) == pytest.approx(0.05, abs=0.015)


def test_a_reference_that_was_itself_measured_is_doubted_too():
    rng = np.random.default_rng(4)
    (neg, pos), squares, _ = of_field(rng, (3000, 400))
    (old_neg, old_pos), old_squares, _ = of_field(rng, (3000, 400))
    for now, then in (
        (lambda **known: auroc(ScoreBins.of(neg, pos), **known), auroc(ScoreBins.of(old_neg, old_pos))),
        (lambda **known: brier(*squares, **known), brier(*old_squares)),
    ):
        reference = np.array([one.value for one in then])
        error = np.array([(one.upper - one.lower) / (2 * stats.norm.ppf(0.975)) for one in then])
        doubted = np.mean([one.p < 0.05 for one in now(reference=reference, reference_se=error)])
        believed = np.mean([one.p < 0.05 for one in now(reference=reference)])
        assert doubted == pytest.approx(0.05, abs=0.015)
        assert believed > 0.09


@pytest.mark.parametrize(("neg", "pos"), [([4, 0], [0, 6]), ([0, 4], [6, 0]), ([1, 0], [0, 1])])
def test_an_area_without_variance_still_has_a_p(neg, pos):
    found = auroc(ScoreBins.of([neg], [pos]), reference=[0.8])[0]
    assert found.method == "newcombe_score"
    assert (found.p < 0.05) == (found.upper < 0.8)


def test_rows_that_are_all_alike_still_have_a_p():
    assert 0.0 < brier([30], [300_000], [3_000], reference=[0.2])[0].p < 1.0


@pytest.mark.parametrize("reference", [np.nan, -0.1, 0.0, 1.0, 1.3])
def test_a_reference_that_is_none_gives_no_p(reference):
    assert auroc(ScoreBins.of([[5, 5]], [[3, 9]]), reference=[reference])[0].p is None


def test_scikit_learn_has_the_same_area_score_and_line():
    _, squares, (score, outcome) = of_field(np.random.default_rng(5), (4, 3000), shift=0.3, slope=0.8)
    neg, pos, _ = sketched(score, outcome)
    line = joint_fit(ScoreBins.of(neg, pos), sketch_logit())
    for cell, (area, error) in enumerate(zip(auroc(ScoreBins.of(neg, pos)), brier(*squares), strict=True)):
        assert area.value == pytest.approx(roc_auc_score(outcome[cell], score[cell]), abs=0.002)
        assert error.value == pytest.approx(brier_score_loss(outcome[cell], score[cell]), abs=1e-6)
        fit = LogisticRegression(C=np.inf).fit(logit(score[cell])[:, None], outcome[cell])
        assert (line.intercept[cell], line.slope[cell]) == pytest.approx((fit.intercept_[0], fit.coef_[0, 0]), abs=0.01)


def test_a_shift_of_prevalence_moves_the_intercept_and_leaves_slope_and_area():
    """Negatives of the training field are seen only in part: log odds rise by a constant, whatever the score."""
    rng = np.random.default_rng(6)
    score, outcome = drawn(rng, (1, 120_000))
    kept = (outcome == 1) | (rng.random(outcome.shape) < 0.5)
    before, after = (sketched(score, outcome, weight)[:2] for weight in (np.ones_like(outcome), kept.astype(np.int64)))
    intercepts = [calibration_in_the_large(ScoreBins.of(*tables), sketch_logit())[0].value for tables in (before, after)]
    assert intercepts[1] - intercepts[0] == pytest.approx(np.log(2), abs=0.03)
    assert [joint_fit(ScoreBins.of(*tables), sketch_logit()).slope[0] for tables in (before, after)] == pytest.approx(
        [1.0, 1.0], abs=0.03
    )
    assert auroc(ScoreBins.of(*after))[0].value == pytest.approx(auroc(ScoreBins.of(*before))[0].value, abs=0.004)
