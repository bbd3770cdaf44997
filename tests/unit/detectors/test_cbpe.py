"""Label-free performance against labels drawn from the very scores, against enumeration, and by what it must not do."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from detectors import cbpe
from detectors.arrays import Bool, Float, Int
from detectors.auroc import auroc
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.score_bins import ScoreBins

SHARES: tuple[cbpe.Share, ...] = ("sensitivity", "specificity", "ppv", "npv")


def binned(score: Float, flagged: Bool) -> tuple[Int, Int]:
    """One bin per distinct score: counts and sums in millionths, (1, 2, bins)."""
    values, bin_of = np.unique(score, return_inverse=True)
    count, total = np.zeros((2, 1, 2, len(values)), np.int64)
    for one, flag, at in zip(score.tolist(), flagged.astype(int).tolist(), bin_of.tolist(), strict=True):
        count[0, flag, at] += 1
        total[0, flag, at] += round(one * 1e6)
    return count, total


def number(outcome: Outcome) -> Estimate:
    assert isinstance(outcome, Estimate), outcome
    return outcome


def test_auroc_is_expected_right_pairs_over_expected_pairs_by_enumeration_of_every_outcome() -> None:
    score = np.array([0.1, 0.3, 0.3, 0.6, 0.9])
    right = pairs = 0.0
    for labels in itertools.product((0, 1), repeat=len(score)):
        weight = np.prod(np.where(np.array(labels) == 1, score, 1.0 - score))
        for i, j in itertools.permutations(range(len(score)), 2):
            if labels[i] == 1 and labels[j] == 0:
                pairs += weight
                right += weight * ((score[i] > score[j]) + 0.5 * (score[i] == score[j]))
    found = number(cbpe.auroc(*binned(score, score > 0.5))[0])
    assert found.value == pytest.approx(right / pairs, abs=1e-12)


def test_expected_shares_and_brier_score_are_ratios_of_expected_counts() -> None:
    score = np.array([0.1, 0.2, 0.2, 0.6, 0.9, 0.9])
    flagged = score > 0.5
    cells = binned(score, flagged)
    tp, fp = score[flagged].sum(), (1 - score[flagged]).sum()
    fn, tn = score[~flagged].sum(), (1 - score[~flagged]).sum()
    expected = {"sensitivity": tp / (tp + fn), "specificity": tn / (tn + fp), "ppv": tp / (tp + fp), "npv": tn / (tn + fn)}
    assert {of: number(cbpe.share(of, *cells)[0]).value for of in SHARES} == pytest.approx(expected)
    assert number(cbpe.brier(*cells)[0]).value == pytest.approx(float((score * (1 - score)).mean()))


@pytest.mark.parametrize("size", [150, 2000])
def test_the_bounds_hold_what_labels_drawn_from_the_scores_show(size: int) -> None:
    rng = np.random.default_rng(20260504)
    score = np.round(rng.beta(0.4, 2.5, size), 2)
    flagged = score > 0.3
    label = rng.random((3000, size)) < score
    tp, fp = (label & flagged).sum(axis=1), (~label & flagged).sum(axis=1)
    fn, tn = (label & ~flagged).sum(axis=1), (~label & ~flagged).sum(axis=1)
    values, bin_of = np.unique(score, return_inverse=True)
    positives = np.stack([label[:, bin_of == at].sum(axis=1) for at in range(len(values))], axis=1)
    negatives = np.bincount(bin_of) - positives
    shown = {
        "sensitivity": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "ppv": tp / (tp + fp),
        "npv": tn / (tn + fn),
        "brier": ((score - label) ** 2).mean(axis=1),
        "auroc": np.array([number(area).value for area in auroc(ScoreBins.of(negatives, positives))]),
    }
    cells = binned(score, flagged)
    found: dict[str, Estimate] = {of: number(cbpe.share(of, *cells)[0]) for of in SHARES}
    found |= {"brier": number(cbpe.brier(*cells)[0]), "auroc": number(cbpe.auroc(*cells)[0])}
    for name, one in found.items():
        held = ((one.lower - 1e-12 <= shown[name]) & (shown[name] <= one.upper + 1e-12)).mean()
        assert 0.92 < held < 0.99, (name, held)
        assert one.value == pytest.approx(shown[name].mean(), abs=0.01), name


def test_the_quantiles_are_those_of_the_exact_poisson_binomial_within_one_case() -> None:
    score = np.array([0.02] * 60 + [0.3] * 25 + [0.8] * 15)
    exact = np.ones(1)
    for one in score:
        exact = np.convolve(exact, [1.0 - one, one])
    below = np.cumsum(exact)
    found = number(cbpe.share("ppv", *binned(score, np.ones(len(score), np.bool_)))[0])
    assert found.lower * len(score) == pytest.approx(int(np.searchsorted(below, 0.025)), abs=1.0)
    assert found.upper * len(score) == pytest.approx(int(np.searchsorted(below, 0.975)), abs=1.0)
    assert stats.binom.ppf(0.025, 100, score.mean()) < found.lower * 100, "binomial bounds would be too wide"


def test_scores_without_doubt_leave_no_width() -> None:
    score = np.array([0.0] * 50 + [1.0] * 10)
    for outcome in (cbpe.auroc(*binned(score, score > 0.5)), cbpe.share("sensitivity", *binned(score, score > 0.5))):
        assert number(outcome[0]).lower == number(outcome[0]).upper == 1.0


def test_what_scores_exclude_is_a_named_reason() -> None:
    zeros = binned(np.zeros(20), np.zeros(20, np.bool_))
    assert cbpe.auroc(*zeros)[0] == Insufficient(Reason.NO_POSITIVES, 20)
    assert cbpe.share("sensitivity", *zeros)[0] == Insufficient(Reason.NO_POSITIVES, 20)
    assert cbpe.share("ppv", *zeros)[0] == Insufficient(Reason.NO_EXPOSURE, 20)
    nothing = np.zeros((1, 2, 3), np.int64)
    assert cbpe.brier(nothing, nothing)[0] == Insufficient(Reason.NO_EXPOSURE)


def test_sums_that_no_scores_give_are_refused() -> None:
    assert cbpe.brier([[[1], [0]]], [[[2_000_000], [0]]])[0] == Insufficient(Reason.DEGENERATE_OUTCOMES, 1)
