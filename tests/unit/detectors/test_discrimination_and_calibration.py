from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from detectors.auroc import auroc
from detectors.brier import brier
from detectors.calibration import calibration_in_the_large, calibration_intercept_joint, calibration_slope, joint_fit
from detectors.estimate import Insufficient, Reason
from detectors.observed_expected import observed_expected
from detectors.score_bins import ScoreBins
from detectors.score_sketch import SKETCH_BINS, bin_mean_logit, sketch_bin, sketch_logit
from detectors.spiegelhalter import spiegelhalter


def draw(rng, cells, bins, mean=3.0):
    return rng.poisson(mean, (cells, bins)), rng.poisson(mean * np.linspace(0.3, 1.5, bins), (cells, bins))


def expand(neg, pos):
    bins = np.arange(len(neg))
    score = np.concatenate((np.repeat(bins, neg), np.repeat(bins, pos)))
    return score, np.repeat([0, 1], [neg.sum(), pos.sum()])


def delong_variance(score, label):
    x, y = score[label == 1], score[label == 0]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    return psi.mean(axis=1).var(ddof=1) / len(x) + psi.mean(axis=0).var(ddof=1) / len(y)


def test_the_area_and_its_variance_are_those_of_the_rows_behind_the_bins():
    neg, pos = draw(np.random.default_rng(1), 6, 37)
    for i, found in enumerate(auroc(ScoreBins.of(neg, pos))):
        score, label = expand(neg[i], pos[i])
        area, se = roc_auc_score(label, score), np.sqrt(delong_variance(score, label))
        half = 1.959964 * se / (area * (1 - area))
        assert found.value == pytest.approx(area, abs=1e-12)
        assert (found.lower, found.upper) == pytest.approx((expit(logit(area) - half), expit(logit(area) + half)), abs=1e-6)
        assert found.n == len(score)


@pytest.mark.parametrize(
    ("neg", "pos", "value"), [([5, 0], [0, 5], 1.0), ([0, 5], [5, 0], 0.0), ([1, 0], [0, 1], 1.0), ([9], [4], 0.5)]
)
def test_an_area_without_variance_still_has_an_honest_interval(neg, pos, value):
    found = auroc(ScoreBins.of([neg], [pos]))[0]
    assert found.value == value
    assert found.method == "newcombe_score"
    assert 0.1 < found.upper - found.lower < 1.0
    wider = auroc(ScoreBins.of([neg], [pos]), level=0.99)[0]
    assert wider.lower <= found.lower
    assert wider.upper >= found.upper


def test_delong_intervals_hold_the_true_area_about_as_often_as_they_say():
    rng = np.random.default_rng(11)
    bins = np.linspace(-3, 4, 60)
    x, y = rng.normal(1, 1, (1500, 60)), rng.normal(0, 1, (1500, 120))
    count = lambda rows: np.stack([np.bincount(np.searchsorted(bins, row), minlength=61) for row in rows])  # noqa: E731
    found = auroc(ScoreBins.of(count(y), count(x)))
    assert np.mean([f.lower <= 0.7602 <= f.upper for f in found]) == pytest.approx(0.95, abs=0.02)


def fitted(neg, pos, x):
    loss = lambda b: (neg * np.logaddexp(0, b[0] + b[1] * x) + pos * np.logaddexp(0, -b[0] - b[1] * x)).sum()  # noqa: E731
    found = optimize.minimize(loss, [0.0, 1.0], method="BFGS", options={"gtol": 1e-8})
    p = expit(found.x[0] + found.x[1] * x)
    weight = (neg + pos) * p * (1 - p)
    design = np.stack([np.ones_like(x), x])
    return found.x, np.sqrt(np.diag(np.linalg.inv((design * weight) @ design.T)))


@pytest.mark.parametrize("per_cell", [False, True])
def test_the_cox_line_is_the_maximum_likelihood_fit_with_wald_errors(per_cell):
    rng = np.random.default_rng(5)
    neg, pos = draw(rng, 5, SKETCH_BINS, 0.5)
    x = sketch_logit() * 0.4
    logits = np.stack([x + 0.02 * i for i in range(5)]) if per_cell else x
    found = joint_fit(ScoreBins.of(neg, pos), logits)
    for i in range(5):
        line, errors = fitted(neg[i], pos[i], logits[i] if per_cell else x)
        assert (found.intercept[i], found.slope[i]) == pytest.approx(tuple(line), abs=1e-4)
        assert (found.intercept_se[i], found.slope_se[i]) == pytest.approx(tuple(errors), rel=1e-3)


def test_slope_and_intercept_are_read_from_the_same_line():
    neg, pos = draw(np.random.default_rng(6), 3, SKETCH_BINS)
    line = joint_fit(ScoreBins.of(neg, pos), sketch_logit())
    slopes, intercepts = (
        calibration_slope(ScoreBins.of(neg, pos), sketch_logit()),
        calibration_intercept_joint(ScoreBins.of(neg, pos), sketch_logit()),
    )
    assert [s.value for s in slopes] == line.slope.tolist()
    assert [s.value for s in intercepts] == line.intercept.tolist()
    assert slopes[0].upper - slopes[0].lower == pytest.approx(2 * 1.959964 * line.slope_se[0], rel=1e-6)


def test_calibration_in_the_large_makes_expected_and_observed_equal():
    neg, pos = draw(np.random.default_rng(8), 4, SKETCH_BINS)
    for i, found in enumerate(calibration_in_the_large(ScoreBins.of(neg, pos), sketch_logit())):
        p = expit(found.value + sketch_logit())
        assert ((neg + pos)[i] * p).sum() == pytest.approx(pos[i].sum(), rel=1e-6)
        information = ((neg + pos)[i] * p * (1 - p)).sum()
        assert found.upper - found.value == pytest.approx(1.959964 / np.sqrt(information), rel=1e-4)


def test_wald_intervals_hold_the_true_slope_about_as_often_as_they_say():
    rng = np.random.default_rng(12)
    x = rng.normal(-1, 1.5, (1000, 400))
    y = rng.random(x.shape) < expit(x)
    bins = sketch_bin(np.round(expit(x) * 1e6).astype(np.int64))
    count = lambda label: np.stack([np.bincount(b[m], minlength=SKETCH_BINS) for b, m in zip(bins, y == label, strict=True)])  # noqa: E731
    found = calibration_slope(ScoreBins.of(count(False), count(True)), sketch_logit())
    assert np.mean([f.lower <= 1.0 <= f.upper for f in found]) == pytest.approx(0.95, abs=0.025)


LOGITS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("neg", "pos", "reason"),
    [
        ([0, 0, 0, 0, 0], [1, 1, 1, 0, 0], Reason.NO_NEGATIVES),
        ([1, 1, 1, 0, 0], [0, 0, 0, 0, 0], Reason.NO_POSITIVES),
        ([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], Reason.NO_POSITIVES),
        ([0, 5, 0, 0, 0], [0, 4, 0, 0, 0], Reason.DEGENERATE_OUTCOMES),
        ([5, 5, 0, 0, 0], [0, 0, 5, 5, 0], Reason.SEPARATION),
        ([5, 5, 0, 0, 0], [0, 5, 5, 5, 0], Reason.SEPARATION),
        ([0, 0, 0, 5, 5], [5, 5, 0, 0, 0], Reason.SEPARATION),
        ([0, 0, -1, 5, 5], [5, 5, 0, 0, 5], Reason.DEGENERATE_OUTCOMES),
    ],
)
def test_a_line_that_does_not_exist_is_named(neg, pos, reason):
    beside = [[1, 1, 1, 1, 1], [1, 1, 1, 1, 2]]
    found = calibration_slope(ScoreBins.of([neg, beside[0]], [pos, beside[1]]), LOGITS)
    assert found[0] == Insufficient(reason, max(sum(neg) + sum(pos), 0))
    assert found[1].value > 0


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "between", "last"])
@pytest.mark.parametrize(
    ("neg", "pos", "reason"),
    [([0, 0, 0], [0, 0, 0], Reason.NO_POSITIVES), ([0, 3, 0], [0, 2, 0], Reason.DEGENERATE_OUTCOMES)],
    ids=["no rows", "one score"],
)
def test_a_line_that_does_not_exist_is_named_beside_lines_that_do(neg, pos, reason, at):
    logits = np.array([-1.0, 0.0, 1.0])
    alone = calibration_slope(ScoreBins.of([[4, 3, 1]], [[1, 2, 5]]), logits)[0]
    negs, poss = np.insert([[4, 3, 1]] * 2, at, neg, axis=0), np.insert([[1, 2, 5]] * 2, at, pos, axis=0)
    found = calibration_slope(ScoreBins.of(negs, poss), logits)
    refused = found.pop(at)
    assert isinstance(refused, Insufficient)
    assert refused.reason is reason
    assert found == [alone, alone]
    assert calibration_slope(ScoreBins.of([neg] * 3, [pos] * 3), logits) == [refused] * 3


def test_one_positive_inside_a_million_negatives_has_a_finite_fit():
    found = calibration_slope(ScoreBins.of([[10**6, 10**6, 0, 1, 0]], [[1, 0, 0, 0, 10**6]]), LOGITS)[0]
    line, _ = fitted(np.array([10**6, 10**6, 0, 1, 0]), np.array([1, 0, 0, 0, 10**6]), LOGITS)
    assert found.value == pytest.approx(line[1], rel=1e-3)


def test_every_micro_score_has_one_bin_and_bins_rise_with_the_score():
    bins = sketch_bin(np.arange(1_000_001))
    assert np.unique(bins).tolist() == list(range(SKETCH_BINS))
    assert (np.diff(bins) >= 0).all()
    assert np.flatnonzero(bins == 0).tolist() == [0]
    assert np.flatnonzero(bins == SKETCH_BINS - 1).tolist() == [1_000_000]
    assert sketch_bin(np.array([-5, 2_000_000, -(2**63), 2**63 - 1])).tolist() == [0, SKETCH_BINS - 1] * 2


def test_bins_are_finer_at_the_ends_of_the_logit_scale():
    bins = sketch_bin(np.arange(1_000_001))
    lowest = np.searchsorted(bins, np.arange(1, SKETCH_BINS))
    widths = np.diff(logit(lowest[lowest < 1_000_000] / 1e6))
    middle = widths[110:146]
    outer = widths[np.diff(lowest[lowest < 1_000_000]) > 1]
    assert outer.min() < 0.75 * middle.min()
    assert widths[13:-13].max() < 0.13


def test_the_logit_of_a_bin_lies_inside_it_and_the_exact_mean_improves_it():
    inner = sketch_logit()[1:-1]
    assert sketch_bin(np.round(expit(inner) * 1e6).astype(np.int64)).tolist() == list(range(1, SKETCH_BINS - 1))
    count = np.zeros(SKETCH_BINS, dtype=np.int64)
    total = count.copy()
    count[0], count[-1], count[200], total[-1], total[200] = 3, 2, 4, 2_000_000, 4 * 912_345
    found = bin_mean_logit(count, total)
    assert found[[0, 200, -1]] == pytest.approx([logit(1e-6), logit(0.912345), logit(1 - 1e-6)])
    assert found[100] == sketch_logit()[100]


def test_no_label_is_no_brier_score_no_ratio_and_no_z():
    none = Insufficient(Reason.NO_EXPOSURE)
    assert brier([0], [0], [0]) == [none]
    assert observed_expected([0], [0], [0]) == [none]
    assert spiegelhalter([0], [0], [0]) == [none]


def test_scores_that_sum_to_nothing_or_have_no_variance_are_degenerate():
    assert observed_expected([9], [1], [0]) == [Insufficient(Reason.DEGENERATE_OUTCOMES, 9)]
    assert spiegelhalter([9], [0], [0]) == [Insufficient(Reason.DEGENERATE_OUTCOMES, 9)]


def test_no_event_is_a_ratio_of_zero_with_an_upper_bound():
    found = observed_expected([50], [0], [2_000_000])[0]
    assert (found.value, found.lower) == (0.0, 0.0)
    assert found.upper == pytest.approx(3.6889 / 2, abs=1e-4)


def test_a_brier_score_of_equal_rows_does_not_pretend_to_be_certain():
    found = brier([30], [300_000], [3_000])[0]
    assert found.method == "wilson_bound"
    assert found.upper > 0.05


def test_brier_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(4)
    p = rng.beta(1, 4, (2000, 200))
    square = (p - (rng.random(p.shape) < p)) ** 2
    micro = lambda values: np.round(values * 1e6).astype(np.int64).sum(axis=1)  # noqa: E731
    truth = 0.2 - (0.2 * 0.8 / 6 + 0.04)
    found = brier(np.full(2000, 200), micro(square), micro(square**2))
    assert np.mean([f.lower <= truth <= f.upper for f in found]) == pytest.approx(0.95, abs=0.02)
