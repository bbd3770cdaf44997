"""Binned calibration error: how far observed shares are from mean scores, over groups of equal mass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, silent
from detectors.estimate import Outcome
from detectors.intervals import normal_quantile
from detectors.outcomes import outcomes
from detectors.reliability_bins import GROUPS, ReliabilityBins

METHOD = "debiased_rms_chi2"


@silent
def calibration_error(
    neg: ArrayLike, pos: ArrayLike, sum_micro: ArrayLike, *, groups: int | None = GROUPS, level: float = 0.95
) -> list[Outcome]:
    """Root of the debiased mean squared calibration error, in units of probability; arguments as `ReliabilityBins.of`.

    The plug-in error of a perfect model is not 0 but noise: each group's squared gap is too large by the gap's own variance,
    which is subtracted (Broecker 2012, Clim. Dyn. 39:655; Kumar, Liang & Ma 2019, NeurIPS 32); a sum below 0 is an error of 0.
    The interval takes the sum of squares as scaled noncentral chi2, scaled by the variances where the gaps are, and inverts it
    for the noncentrality by Sankaran's square root (1959, Biometrika 46:235); for the upper bound each group has one event
    more to vary by, without which it is too low where a group expects less than one. `p` is the upper tail of the same sum
    under calibration, where the scores say its mean and variance (Satterthwaite's chi2).

    Refusals as `ReliabilityBins.refusals`.

    >>> found = calibration_error([[70, 50]], [[30, 50]], [[20_000_000, 50_000_000]], groups=None)[0]
    >>> round(found.value, 4), round(found.lower, 4), round(found.upper, 4), round(found.p, 4)
    (0.0517, 0.0, 0.1293, 0.0895)
    """
    bins = ReliabilityBins.of(neg, pos, sum_micro, groups)
    error = root_mean_square(Gaps.of(bins), level)
    return outcomes(error.value, error.lower, error.upper, bins.n, METHOD, refusals=bins.refusals(), p=error.p)


@silent
def expected_calibration_error(
    neg: ArrayLike, pos: ArrayLike, sum_micro: ArrayLike, *, groups: int | None = GROUPS, level: float = 0.95
) -> list[Outcome]:
    """ECE = sum n_g/n |observed - mean score|, as it is published, noise included; arguments and refusals as above.

    (Pakdaman Naeini et al. 2015, AAAI 29.) The bounds put every group at once where its normal interval is nearest to and
    farthest from its mean score, so they hold at least as often as they say.

    >>> found = expected_calibration_error([[70, 50]], [[30, 50]], [[20_000_000, 50_000_000]], groups=None)[0]
    >>> round(found.value, 4), round(found.lower, 4), round(found.upper, 4)
    (0.05, 0.0049, 0.1444)
    """
    bins = ReliabilityBins.of(neg, pos, sum_micro, groups)
    gaps = Gaps.of(bins)
    size = np.abs(gaps.gap)
    reach = normal_quantile(level) * np.sqrt(np.maximum(gaps.variance, gaps.calibrated))
    lower = (gaps.weight * np.maximum(size - reach, 0.0)).sum(axis=1)
    upper = (gaps.weight * np.minimum(size + reach, 1.0)).sum(axis=1)
    return outcomes((gaps.weight * size).sum(axis=1), lower, upper, bins.n, "ece_pointwise", refusals=bins.refusals())


class Gaps(NamedTuple):
    """Groups of scores, all (C, G).

    Their share of all rows; observed share minus mean score; the variance of that difference as it is found in the group, and
    as it is where the scores are right, with its fourth cumulant; the square by which one event more would change it.
    """

    weight: Float
    gap: Float
    variance: Float
    calibrated: Float
    fourth: Float
    one_event: Float

    @staticmethod
    def of(bins: ReliabilityBins) -> Gaps:
        """The gaps of rows that all count the same."""
        rows = bins.sums(bins.total)
        size = np.where(rows > 0, rows, 1.0)
        gap = (bins.sums(bins.pos) - bins.sums(bins.total * bins.score)) / size
        chance = bins.score * (1.0 - bins.score)
        calibrated = bins.sums(bins.total * chance) / size**2
        squares = bins.sums(bins.pos * (1.0 - bins.score) ** 2 + bins.neg * bins.score**2)
        found = np.maximum(squares - rows * gap**2, 0.0) / np.maximum(rows - 1.0, 1.0) / size
        return Gaps(
            weight=rows / np.where(bins.n > 0, bins.n, 1.0)[:, None],
            gap=gap,
            variance=np.where(rows > 1, found, calibrated),
            calibrated=calibrated,
            fourth=bins.sums(bins.total * chance * (1.0 - 6.0 * chance)) / size**4,
            one_event=np.where(rows > 0, 1.0, 0.0) / size**2,
        )


class RootMeanSquare(NamedTuple):
    """The debiased error with its bounds, and the p of calibration; all (C,)."""

    value: Float
    lower: Float
    upper: Float
    p: Float


def root_mean_square(gaps: Gaps, level: float) -> RootMeanSquare:
    """The error of `calibration_error` from gaps of whatever rows."""
    square = (gaps.weight * gaps.gap**2).sum(axis=1)
    value = np.sqrt(np.maximum(square - (gaps.weight * gaps.variance).sum(axis=1), 0.0))
    lower, upper = _bounds(gaps, square, normal_quantile(level))
    return RootMeanSquare(value, lower, upper, _p_of_calibration(gaps, square))


def _bounds(gaps: Gaps, square: Float, z: float) -> tuple[Float, Float]:
    expected = gaps.weight * np.maximum(gaps.variance, gaps.calibrated)
    one_event = gaps.weight * gaps.one_event
    noise = expected.sum(axis=1)
    lower = _noncentrality(square, noise, _scale(gaps, expected, square), z)[0]
    upper = _noncentrality(square, noise, _scale(gaps, expected + one_event, square), z)[1]
    return np.sqrt(lower), np.minimum(np.sqrt(upper), 1.0)


def _scale(gaps: Gaps, variance: Float, square: Float) -> Float:
    """Mean weighted variance of the groups, each by its part in the sum of squares; by its own size where there is no gap."""
    part = np.where((square > 0)[:, None], gaps.weight * gaps.gap**2, variance)
    whole = part.sum(axis=1)
    scale: Float = (variance * part).sum(axis=1) / np.where(whole > 0, whole, 1.0)
    return scale


def _noncentrality(square: Float, noise: Float, scale: Float, z: float) -> tuple[Float, Float]:
    """Bounds of the squared error where `square` is scale x chi2 with noise / scale degrees of freedom."""
    divisor = np.where(scale > 0, scale, 1.0)
    offset = np.maximum(noise / divisor - 1.0, 0.0) / 2.0
    centre = np.sqrt(np.maximum(square / divisor - offset, 0.0))
    lower = np.maximum(np.maximum(centre - z, 0.0) ** 2 - offset, 0.0) * scale
    upper = np.maximum((centre + z) ** 2 - offset, 0.0) * scale
    return np.where(scale > 0, lower, square), np.where(scale > 0, upper, square)


def _p_of_calibration(gaps: Gaps, square: Float) -> Float:
    """1 where scores of 0 and 1 alone leave nothing to chance and came true, 0 where they did not."""
    mean = (gaps.weight * gaps.calibrated).sum(axis=1)
    variance = (gaps.weight**2 * (2.0 * gaps.calibrated**2 + gaps.fourth)).sum(axis=1)
    known = (mean > 0) & (variance > 0)
    half_degrees = mean**2 / np.where(known, variance, 1.0)
    p = special.gammaincc(half_degrees, half_degrees * square / np.where(known, mean, 1.0))
    return np.where(known, p, np.where(square > 0, 0.0, 1.0))
