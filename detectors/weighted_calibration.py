"""Calibration slope and intercept when only part of the cases is labelled: weighted by inverse coverage, with robust errors.

The line that maximises the weighted likelihood is the line of all cases (Begg & Greenes 1983 by way of Horvitz & Thompson;
Binder 1983, Int. Stat. Rev. 51:279); its error is that of weighted scores, sum w^2 (y - p)^2 x x' between two inverses of the
weighted information, because a case that stands for ten is one observation. Counts are (C, S, B): cells, strata, score bins.

Refused: as `inverse_coverage.Coverage.refusals`, then as `joint_fit` or `shift_fit`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float, silent
from detectors.calibration import joint_fit, shift_fit
from detectors.estimate import Outcome
from detectors.intervals import normal_quantile
from detectors.inverse_coverage import Coverage
from detectors.outcomes import outcomes
from detectors.score_bins import ScoreBins


@silent
def calibration_slope(
    neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike, inferences: ArrayLike, *, level: float = 0.95
) -> list[Outcome]:
    """Slope of the weighted joint fit; `bin_logit` (C, B) or (B,), `inferences` (C, S) the cases behind each stratum.

    >>> x = np.log([1/9, 1, 9])
    >>> found = calibration_slope([[[80, 50, 0], [0, 0, 20]]], [[[20, 50, 0], [0, 0, 80]]], x, [[2000, 100]])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3), found.n
    (0.631, 0.408, 0.854, 300)
    """
    cases = _Labelled(neg, pos, bin_logit, inferences)
    fit = joint_fit(ScoreBins.of(cases.weighted_neg, cases.weighted_pos), cases.logit)
    error = cases.errors(fit.intercept, fit.slope)
    reach = normal_quantile(level) * np.sqrt(error)
    refusals = (*cases.coverage.refusals(), *fit.refusals)
    return outcomes(fit.slope, fit.slope - reach, fit.slope + reach, cases.coverage.n, "inverse_coverage_irls", refusals=refusals)


@silent
def calibration_in_the_large(
    neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike, inferences: ArrayLike, *, level: float = 0.95
) -> list[Outcome]:
    """Weighted intercept with the slope fixed at 1; arguments as `calibration_slope`.

    >>> x = np.log([1/9, 1, 9])
    >>> found = calibration_in_the_large([[[80, 50, 0], [0, 0, 20]]], [[[20, 50, 0], [0, 0, 80]]], x, [[2000, 100]])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3)
    (0.253, -0.098, 0.603)
    """
    cases = _Labelled(neg, pos, bin_logit, inferences)
    fit = shift_fit(ScoreBins.of(cases.weighted_neg, cases.weighted_pos), cases.logit)
    fitted = special.expit(fit.shift[:, None] + cases.logit)
    information = (cases.weighted * fitted * (1.0 - fitted)).sum(axis=1)
    reach = normal_quantile(level) * np.sqrt(cases.squared_residuals(fitted).sum(axis=1)) / information
    refusals = (*cases.coverage.refusals(), *fit.refusals)
    method = "inverse_coverage_irls_slope_1"
    return outcomes(fit.shift, fit.shift - reach, fit.shift + reach, cases.coverage.n, method, refusals=refusals)


class _Labelled:
    """Labelled cases by stratum and bin, and their weighted sums over the strata."""

    def __init__(self, neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike, inferences: ArrayLike) -> None:
        self.neg, self.pos = as_float(neg), as_float(pos)
        self.coverage = Coverage.of((self.neg + self.pos).sum(axis=2), inferences)
        self.weight = self.coverage.weight[:, :, None]
        self.weighted_neg, self.weighted_pos = (self.weight * self.neg).sum(axis=1), (self.weight * self.pos).sum(axis=1)
        self.weighted = self.weighted_neg + self.weighted_pos
        self.logit: Float = np.broadcast_to(as_float(bin_logit), self.weighted.shape)

    def squared_residuals(self, fitted: Float) -> Float:
        """Sum of w^2 (y - p)^2 per bin, (C, B)."""
        share = fitted[:, None, :]
        found: Float = (self.weight**2 * (self.pos * (1.0 - share) ** 2 + self.neg * share**2)).sum(axis=1)
        return found

    def errors(self, intercept: Float, slope: Float) -> Float:
        """Robust variance of the slope, (C,)."""
        x = self.logit
        fitted = special.expit(intercept[:, None] + slope[:, None] * x)
        information, scores = self.weighted * fitted * (1.0 - fitted), self.squared_residuals(fitted)
        i0, i1, i2 = ((information * x**power).sum(axis=1) for power in (0, 1, 2))
        s0, s1, s2 = ((scores * x**power).sum(axis=1) for power in (0, 1, 2))
        found: Float = (i1**2 * s0 - 2.0 * i0 * i1 * s1 + i0**2 * s2) / (i0 * i2 - i1**2) ** 2
        return found
