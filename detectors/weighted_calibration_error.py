"""Binned calibration error when only part of the cases is labelled, by stratum: weighted by inverse coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import MICRO, Float, as_float, silent
from detectors.calibration_error import METHOD, Gaps, root_mean_square
from detectors.estimate import Outcome, Reason
from detectors.inverse_coverage import Coverage
from detectors.outcomes import outcomes
from detectors.reliability_bins import GROUPS, ReliabilityBins

_TWO_ALIKE = 0.49
"""Of the expected sum of squares about a mean, the part that two rows of one weight leave: .5."""


@silent
def calibration_error(
    neg: ArrayLike, pos: ArrayLike, sum_micro: ArrayLike, inferences: ArrayLike, *, groups: int = GROUPS, level: float = 0.95
) -> list[Outcome]:
    """The error of `calibration_error.calibration_error`, each labelled case standing for inferences / labelled of its stratum.

    (Begg & Greenes 1983, Biometrics 39:207; Horvitz & Thompson 1952, JASA 47:663.) Counts (C, S, B) by stratum and score bin,
    sums of score in millionths (C, B) over both labels and all strata, `inferences` (C, S). Groups hold equal weight. The gap of
    a group is a weighted mean, its variance that of a ratio with the weights as known: sum w^2 (y - p - gap)^2 / (sum w)^2
    (Särndal, Swensson & Wretman 1992, 5.7), over what that sum is too small by for rows of one variance; under calibration it
    is sum w^2 p (1 - p) / (sum w)^2, and `p` follows from it, because given the score the labelled cases are like all. With
    every case labelled all numbers are those of the unweighted error. `n` counts labelled cases.

    Refusals as `Coverage.refusals`, and `degenerate_outcomes` as `ReliabilityBins.refusals`.

    >>> neg, pos = [[[70, 45], [0, 5]]], [[[30, 15], [0, 35]]]
    >>> found = calibration_error(neg, pos, [[20_000_000, 50_000_000]], [[1600, 40]], groups=2)[0]
    >>> round(found.value, 4), round(found.lower, 4), round(found.upper, 4), round(found.p, 4), found.n
    (0.1451, 0.0732, 0.2253, 0.0001, 200)
    """
    negatives, positives = as_float(neg), as_float(pos)
    rows = negatives + positives
    coverage = Coverage.of(rows.sum(axis=2), inferences)
    unweighted = ReliabilityBins.of(negatives.sum(axis=1), positives.sum(axis=1), sum_micro, groups=None)
    weight = coverage.weight[:, :, None]
    total = (weight * rows).sum(axis=1)
    bins = ReliabilityBins.of(
        (weight * negatives).sum(axis=1), (weight * positives).sum(axis=1), total * unweighted.score * MICRO, groups
    )
    error = root_mean_square(_gaps(bins, weight, negatives, positives), level)
    stray = (negatives.min(axis=2, initial=0.0) < 0) | (positives.min(axis=2, initial=0.0) < 0)
    refusals = (
        *coverage.refusals(stray),
        (unweighted.impossible | bins.impossible, Reason.DEGENERATE_OUTCOMES),
    )
    named = f"inverse_coverage_{METHOD}"
    return outcomes(error.value, error.lower, error.upper, coverage.n, named, refusals=refusals, p=error.p)


def _gaps(bins: ReliabilityBins, weight: Float, neg: Float, pos: Float) -> Gaps:
    """Gaps of weighted `bins`; `weight` (C, S, 1), counts (C, S, B)."""
    total, score, rows = bins.sums(bins.total), bins.score, neg + pos
    size = np.where(total > 0, total, 1.0)
    gap = (bins.sums(bins.pos) - bins.sums(bins.total * score)) / size
    second, third, fourth = ((weight**power * rows).sum(axis=1) for power in (2, 3, 4))
    of_pos, of_neg = ((weight**2 * counts).sum(axis=1) for counts in (pos, neg))
    chance = score * (1.0 - score)
    calibrated = bins.sums(second * chance) / size**2
    squares = bins.sums(of_pos * (1.0 - score) ** 2 + of_neg * score**2)
    residuals = bins.sums(of_pos - second * score)
    spread = bins.sums(second)
    about = np.maximum(squares - 2.0 * gap * residuals + gap**2 * spread, 0.0) / size**2
    left = 1.0 - 2.0 * bins.sums(third) / np.where(spread > 0, size * spread, 1.0) + spread / size**2
    heaviest = (weight * (rows > 0)).max(axis=1)
    most = np.stack([np.where(bins.group == group, heaviest, 0.0).max(axis=1) for group in range(bins.groups)], axis=1)
    return Gaps(
        weight=total / np.where(bins.n > 0, bins.n, 1.0)[:, None],
        gap=gap,
        variance=np.where(left > _TWO_ALIKE, about / np.where(left > _TWO_ALIKE, left, 1.0), calibrated),
        calibrated=calibrated,
        fourth=bins.sums(fourth * chance * (1.0 - 6.0 * chance)) / size**4,
        one_event=(most / size) ** 2,
    )
