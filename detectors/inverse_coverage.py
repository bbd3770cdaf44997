"""Observed/expected, Brier score and Spiegelhalter's Z when only part of the cases is labelled, by stratum.

Whether a case is labelled may depend on its stratum (the flag), not on the truth given the stratum. Then every labelled case
stands for inferences / labelled cases of its stratum (Begg & Greenes 1983, Biometrics 39:207; Horvitz & Thompson 1952, JASA
47:663). Variances take these weights as known, which is on the safe side. Counts and sums are (C, S): cells by strata.

Refused everywhere: `degenerate_outcomes` where counts or sums are none that rows can give or more is labelled than exists,
`no_exposure` where nothing was inferred, `verification_bias` where a stratum that exists has no labelled case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import MICRO, Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.outcomes import Refusal, impossible_share, outcomes
from detectors.spiegelhalter import e_value
from detectors.unit_mean import UnitMean


@dataclass(frozen=True, slots=True)
class Coverage:
    """Labelled cases, all inferences, and the weight of a labelled case, (C, S); `n` (C,) counts labelled cases."""

    labelled: Float
    inferences: Float
    weight: Float
    n: Float

    @staticmethod
    def of(labelled: ArrayLike, inferences: ArrayLike) -> Coverage:
        """Counts (C, S); the weight of a stratum without labelled cases is 0."""
        rows, cases = np.atleast_2d(as_float(labelled)), np.atleast_2d(as_float(inferences))
        weight = np.where(rows > 0, cases / np.where(rows > 0, rows, 1.0), 0.0)
        return Coverage(rows, cases, weight, rows.sum(axis=1))

    def refusals(self, impossible: Bool | None = None) -> tuple[Refusal, ...]:
        """As the module says; `impossible` (C, S) marks further sums that rows cannot give."""
        wrong = impossible_share(self.labelled, self.inferences)
        wrong = wrong if impossible is None else wrong | impossible
        unlabelled = (self.labelled == 0) & (self.inferences > 0)
        return (
            (np.any(wrong, axis=1), Reason.DEGENERATE_OUTCOMES),
            (self.inferences.sum(axis=1) == 0, Reason.NO_EXPOSURE),
            (np.any(unlabelled, axis=1), Reason.VERIFICATION_BIAS),
        )

    def total(self, values: Float, power: int = 1) -> Float:
        """Sum over strata of weight^power x values, (C,)."""
        found: Float = (self.weight**power * values).sum(axis=1)
        return found


@silent
def observed_expected(coverage: Coverage, events: ArrayLike, sum_p_micro: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Weighted O over weighted E, with the gamma interval of a weighted sum of Poisson counts (Fay & Feuer 1997, Stat. Med.
    16:791), which for equal weights is the exact one.

    >>> found = observed_expected(Coverage.of([[100, 100]], [[1000, 100]]), [[5, 40]], [[4_000_000, 40_000_000]])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3)
    (1.125, 0.63, 1.942)
    """
    observed, scores = np.atleast_2d(as_float(events)), np.atleast_2d(as_float(sum_p_micro)) / MICRO
    total, expected = coverage.total(observed), coverage.total(scores)
    lower, upper = _fay_feuer(total, coverage.total(observed, 2), coverage.weight.max(axis=1, initial=0.0), level)
    divisor = np.where(expected > 0, expected, 1.0)
    impossible = impossible_share(observed, coverage.labelled) | ~(expected > 0)[:, None]
    refusals = coverage.refusals(impossible)
    return outcomes(total / divisor, lower / divisor, upper / divisor, coverage.n, "fay_feuer_gamma", refusals=refusals)


def _fay_feuer(total: Float, variance: Float, largest: Float, level: float) -> tuple[Float, Float]:
    tail = (1.0 - level) / 2.0
    some = (total > 0) & (variance > 0)
    scale = np.where(some, variance / np.where(some, total, 1.0), 1.0)
    lower = np.where(some, scale * special.gammaincinv(np.where(some, total / scale, 1.0), tail), 0.0)
    above, wider = total + largest, variance + largest**2
    scale = wider / np.where(above > 0, above, 1.0)
    upper = scale * special.gammainccinv(above / np.where(scale > 0, scale, 1.0), tail)
    return lower, upper


@silent
def brier(
    coverage: Coverage,
    sum_sq_micro: ArrayLike,
    sum_quartic_micro: ArrayLike,
    *,
    level: float = 0.95,
    reference: ArrayLike = np.nan,
    reference_se: ArrayLike = 0.0,
) -> list[Outcome]:
    """Weighted mean of (p - y)^2 with its linearised variance; interval and `p` as `brier.brier`.

    The rows are worth the simple rows of the same sum of squared weights (Kish 1965, Survey Sampling, 8.2). One look at 95 %
    holds .945 to .955 from about ten expected events among the labelled cases of the heaviest stratum on, .92 with six, .89 with
    two: most windows then show none of what weighs most.

    `degenerate_outcomes` also where the rows show no variance.

    >>> coverage = Coverage.of([[100, 50]], [[1000, 50]])
    >>> found = brier(coverage, [[5_000_000, 9_000_000]], [[2_000_000, 3_000_000]])[0]
    >>> round(found.value, 4), round(found.lower, 4), round(found.upper, 4)
    (0.0562, 0.0357, 0.0875)
    """
    squares = np.atleast_2d(as_float(sum_sq_micro)) / MICRO
    quartics = np.atleast_2d(as_float(sum_quartic_micro)) / MICRO
    size = coverage.total(coverage.labelled)
    divisor = np.where(size > 0, size, 1.0)
    mean = coverage.total(squares) / divisor
    about = quartics - 2.0 * mean[:, None] * squares + mean[:, None] ** 2 * coverage.labelled
    squared = coverage.total(coverage.labelled, 2)
    worth = divisor**2 / np.where(squared > 0, squared, 1.0)
    found = UnitMean(mean, coverage.total(about, 2) / np.where(squared > 0, squared, 1.0) * worth / (worth - 1.0), worth)
    lower, upper = found.bounds(level)
    wrong = impossible_share(squares, coverage.labelled) | impossible_share(quartics, coverage.labelled)
    flat = found.flat & (size > 0)
    null = as_float(reference)
    p = None if np.isnan(null).all() else found.tail(null, as_float(reference_se), upper=True)
    refusals = (*coverage.refusals(wrong), (flat, Reason.DEGENERATE_OUTCOMES))
    return outcomes(mean, lower, upper, coverage.n, "inverse_coverage_student_logit", refusals=refusals, p=p)


@silent
def spiegelhalter(
    coverage: Coverage, numerator_micro: ArrayLike, variance_micro: ArrayLike, *, level: float = 0.95
) -> list[Outcome]:
    """Z = sum w (y - p)(1 - 2p) / sqrt(sum w^2 (1 - 2p)^2 p (1 - p)): under calibration standard normal, whatever the weights.

    `e` is that of `spiegelhalter.spiegelhalter` on the unweighted sums: whether a case is labelled depends on its score alone,
    so the labelled ones are calibrated like all. `degenerate_outcomes` also where the variance is not positive.

    >>> found = spiegelhalter(Coverage.of([[100, 100]], [[1000, 100]]), [[1_000_000, 2_000_000]], [[2_000_000, 4_000_000]])[0]
    >>> round(found.value, 3), round(found.p, 3)
    (0.84, 0.401)
    """
    numerators, variances = (np.atleast_2d(as_float(sums)) / MICRO for sums in (numerator_micro, variance_micro))
    variance = coverage.total(variances, 2)
    usable = variance > 0
    z = coverage.total(numerators) / np.sqrt(np.where(usable, variance, 1.0))
    reach = normal_quantile(level)
    p = np.minimum(2.0 * special.ndtr(-np.abs(z)), 1.0)
    refusals = (*coverage.refusals(), (~usable & (coverage.n > 0), Reason.DEGENERATE_OUTCOMES))
    e = e_value(numerators.sum(axis=1), variances.sum(axis=1))
    return outcomes(z, z - reach, z + reach, coverage.n, "inverse_coverage_z", refusals=refusals, p=p, e=e)
