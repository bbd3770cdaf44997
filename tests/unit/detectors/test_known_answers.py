"""Numbers published by others, or derived independently from public data (../shared/STATISTICS.md)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss, roc_auc_score

from detectors.auroc import auroc
from detectors.bernoulli_cusum import fold, weights
from detectors.brier import brier
from detectors.calibration import calibration_intercept_joint, calibration_slope
from detectors.observed_expected import observed_expected
from detectors.score_bins import ScoreBins
from detectors.spiegelhalter import spiegelhalter


def slope(cohort, logits="mean_logits"):
    return calibration_slope(ScoreBins.of(*cohort.sketch()), getattr(cohort, logits)())[0]


def ratio(cohort):
    sums = cohort.micro_sums()
    return observed_expected([len(cohort.score)], [int(cohort.outcome.sum())], sums["p"])[0]


def rescaled(cohort, factor):
    return type(cohort)(expit(factor * logit(np.clip(cohort.score, 1e-6, 1 - 1e-6))), cohort.outcome, cohort.group)


def test_support2_has_the_published_discrimination_calibration_and_brier_score(support2):
    sums = support2.micro_sums()
    assert len(support2.score) == 9104
    assert ratio(support2).value == pytest.approx(0.9526, abs=5e-5)
    assert slope(support2).value == pytest.approx(1.0233, abs=1e-3)
    assert auroc(ScoreBins.of(*support2.sketch()))[0].value == pytest.approx(0.8131, abs=5e-4)
    assert brier([9104], sums["square"], sums["quartic"])[0].value == pytest.approx(0.1619, abs=5e-5)


def test_139_scores_of_exactly_one_move_the_slope_of_support2(support2):
    certain = support2.score == 1.0
    assert certain.sum() == 139
    without = support2.where(~certain)
    assert slope(without).value == pytest.approx(1.0538, abs=1e-3)
    assert auroc(ScoreBins.of(*without.sketch()))[0].value == pytest.approx(0.8051, abs=5e-4)


def test_mosf_with_malignancy_is_calibrated_in_the_large_and_far_too_confident(support2):
    mosf = support2.where(support2.group == "MOSF w/Malig")
    assert ratio(mosf).value == pytest.approx(1.000, abs=5e-4)
    assert slope(mosf).value == pytest.approx(0.60, abs=5e-3)


def test_logits_times_1_4_lower_the_slope_and_leave_the_area(support2):
    without = support2.where(support2.score < 1.0)
    assert slope(rescaled(without, 1.4)).value == pytest.approx(0.7527, abs=1e-3)
    assert auroc(ScoreBins.of(*rescaled(without, 1.4).sketch()))[0].value == pytest.approx(
        auroc(ScoreBins.of(*without.sketch()))[0].value, abs=5e-4
    )


@pytest.mark.parametrize(("kind", "cox", "z", "score"), [("well", 0.9942, 0.376, 0.1252), ("mis", 0.4971, 29.63, 0.1347)])
def test_calzone(calzone, kind, cox, z, score):
    cohort = calzone(kind)
    sums, n = cohort.micro_sums(), [len(cohort.score)]
    assert n == [5000]
    assert slope(cohort).value == pytest.approx(cox, abs=1e-3)
    assert spiegelhalter(n, sums["numerator"], sums["variance"])[0].value == pytest.approx(z, abs=5e-3)
    assert brier(n, sums["square"], sums["quartic"])[0].value == pytest.approx(score, abs=5e-5)


@pytest.mark.parametrize(("kind", "ratio_", "intercept"), [("well", 0.988820, -0.04498), ("mis", 0.989129, -0.04498)])
def test_calzone_in_the_large(calzone, kind, ratio_, intercept):
    cohort = calzone(kind)
    assert ratio(cohort).value == pytest.approx(ratio_, abs=1e-6)
    joint = calibration_intercept_joint(ScoreBins.of(*cohort.sketch()), cohort.mean_logits())[0]
    assert joint.value == pytest.approx(intercept, abs=1e-3)


def first_signal(operations, h=4.5):
    """Number of the first operation at which the risk-adjusted chart (odds doubled) signals, None where it never does."""
    chart = 0.0
    for number, row in enumerate(operations, start=1):
        risk = expit(-3.7905 + 0.0798 * float(row["Parsonnet"]))
        event, nonevent = weights(risk, 2 * risk / (1 + risk))
        died = row["status"].startswith("1") and float(row["time"]) <= 30
        chart = float(fold(chart, int(died), 1, event, nonevent))
        if chart >= h:
            return number
    return None


def test_two_of_seven_surgeons_signal_and_when(cardiac_surgery):
    """Steiner et al. 2000, Biostatistics 1:441: 5,595 operations, 30-day death, model of the first two years."""
    by_surgeon = {surgeon: [row for row in cardiac_surgery if int(row["surgeon"]) == surgeon] for surgeon in range(1, 8)}
    assert [len(rows) for rows in by_surgeon.values()] == [1447, 493, 843, 202, 699, 1363, 548]
    signals = {surgeon: first_signal(rows) for surgeon, rows in by_surgeon.items()}
    assert signals == {1: 451, 2: 432, 3: None, 4: None, 5: None, 6: None, 7: None}


def cohorts(support2, calzone):
    certain = support2.score == 1.0
    yield from (support2, support2.where(~certain), rescaled(support2.where(~certain), 1.4), rescaled(support2, 0.6))
    yield from (support2.where(support2.group == group) for group in np.unique(support2.group))
    yield from (calzone("well"), calzone("mis"))


@pytest.mark.parametrize("logits", ["mean_logits", "default_logits"])
def test_the_sketch_keeps_the_slope_within_a_hundredth_of_the_row_level_fit(support2, calzone, logits):
    for cohort in cohorts(support2, calzone):
        rows = calibration_slope(ScoreBins.of(*cohort.rows()[:2]), cohort.rows()[2])[0]
        assert slope(cohort, logits).value == pytest.approx(rows.value, abs=0.01)


def test_the_sketch_keeps_the_area_within_two_thousandths_of_the_row_level_area(support2, calzone):
    for cohort in cohorts(support2, calzone):
        found, rows = auroc(ScoreBins.of(*cohort.sketch()))[0], auroc(ScoreBins.of(*cohort.rows()[:2]))[0]
        assert rows.value == pytest.approx(roc_auc_score(cohort.outcome, cohort.score), abs=1e-4)
        assert found.value == pytest.approx(roc_auc_score(cohort.outcome, cohort.score), abs=0.002)


def test_sums_in_millionths_keep_brier_and_ratio_to_a_millionth(support2):
    sums = support2.micro_sums()
    found = brier([9104], sums["square"], sums["quartic"])[0]
    assert found.value == pytest.approx(brier_score_loss(support2.outcome, support2.score), abs=1e-6)
    assert ratio(support2).value == pytest.approx(support2.outcome.sum() / support2.score.sum(), abs=1e-6)


def test_a_shift_of_prevalence_moves_the_intercept_and_leaves_the_slope(support2):
    rng = np.random.default_rng(20240101)
    x = rng.normal(-1.0, 1.5, 60_000)
    y = (rng.random(len(x)) < expit(x)).astype(np.int64)
    kept = (y == 1) | (rng.random(len(x)) < 0.4)
    shifted = type(support2)(expit(x), y, np.zeros(len(x))).where(kept)
    from detectors.calibration import calibration_in_the_large

    assert slope(shifted).value == pytest.approx(1.0, abs=0.03)
    assert calibration_in_the_large(ScoreBins.of(*shifted.sketch()), shifted.mean_logits())[0].value == pytest.approx(
        -np.log(0.4), abs=0.04
    )
