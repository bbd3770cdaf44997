"""Variance of a window against that of its reference, from power sums."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.outcomes import outcomes

METHOD = "log_variance_normal"

Tail = Literal["both", "lower", "upper"]


class PowerSums(NamedTuple):
    """Rows of each cell, and the sums of their values, of the squares, cubes and fourth powers; all (C,).

    `resolution` = largest error of one square, as fixed-point sums make it: a variance below it is none.
    """

    n: ArrayLike
    values: ArrayLike
    squares: ArrayLike
    cubes: ArrayLike
    fourths: ArrayLike
    resolution: float = 0.0


@silent
def variance_ratio(
    sums: PowerSums, reference_variance: ArrayLike, reference_n: ArrayLike, *, tail: Tail = "lower", level: float = 0.95
) -> list[Outcome]:
    """Sample variance (n - 1) over the reference's variance, known from `reference_n` rows; both (C,).

    Bounds, and `p` for the tail asked, take the log of the ratio as normal after Bonett (2006, Comput. Stat. Data Anal. 50:775),
    the window's kurtosis standing for both sides; `p` is 0.025 where a 95 % bound is 1. The kurtosis of a sample is unbiased for
    normal values alone and far too small for skewed ones: where it shows heavy tails it is taken to be at least 3 + 1.5 x
    skewness^2, which is that of gamma values (Pearson's type III). Measured coverage of one look at 95 % (the kurtosis as it is
    in brackets), against a known variance:

    ============================ =========== =========== =========== ===========
    n                            20          50          100         400
    normal                       .951 (.903) .949 (.926) .950 (.939) .952 (.950)
    uniform, two humps           .935 (.943) .942 (.949) .948 (.951) .949 (.950)
    Student's t, 8 d. f.         .940 (.866) .938 (.906) .940 (.922) .942 (.936)
    gamma, skewness 1            .932 (.852) .936 (.896) .941 (.914) .949 (.933)
    exponential, skewness 2      .886 (.771) .915 (.844) .931 (.881) .943 (.922)
    lognormal, skewness 1.75     .888 (.772) .900 (.839) .915 (.875) .935 (.922)
    lognormal, skewness 6.2      .745 (.576) .768 (.671) .787 (.725) .832 (.811)
    ============================ =========== =========== =========== ===========

    So it holds to 1 % from 20 values on where they are bell-shaped, from 100 with skewness 1, from some 400 with skewness 2, and
    never in practice where one value in a hundred makes most of the variance: such a feature is better watched by its bins.

    A window without any variance is 0 for certain: p of the lower tail is 0.

    `unknown_reference` where the reference has no variance or no rows, `no_exposure` where the window is empty,
    `degenerate_outcomes` where it holds one row, or sums that no rows can have.

    >>> two_values = PowerSums([100], [0], [25], [0], [6.25])
    >>> found = variance_ratio(two_values, [0.5], [1000])[0]
    >>> round(found.value, 4), found.p < 0.001
    (0.5051, True)
    """
    n, m, known_variance = as_float(sums.n), as_float(reference_n), as_float(reference_variance)
    rows = np.where(n > 0, n, 1.0)
    known = (known_variance > 0) & np.isfinite(known_variance) & (m > 0) & np.isfinite(m)
    second, kurtosis, wrong = _moments(sums, rows)
    constant = second <= 0
    ratio = second * (rows / np.maximum(rows - 1.0, 1.0)) / np.where(known, known_variance, 1.0)
    z = normal_quantile(level)
    own, others = (_widening(size, z) for size in (rows, np.where(known, m, 1.0)))
    error = np.sqrt(own**2 * _log_variance(kurtosis, rows) + others**2 * _log_variance(kurtosis, np.where(known, m, 1.0)))
    centre = ratio * own / others
    score = np.where(constant, -np.inf, np.log(np.where(constant, 1.0, centre)) / error)
    reach = np.exp(np.minimum(z * error, 700.0))
    refusals = [
        (~known, Reason.UNKNOWN_REFERENCE),
        (n == 0, Reason.NO_EXPOSURE),
        (~(n >= 2) | wrong, Reason.DEGENERATE_OUTCOMES),
    ]
    return outcomes(ratio, centre / reach, centre * reach, n, METHOD, refusals=refusals, p=_p(score, tail))


def _widening(rows: Float, z: float) -> Float:
    """Bonett's c = n / (n - z), which makes up for the skewness of a small sample's variance; at most 2."""
    return rows / (rows - np.minimum(z, rows / 2.0))


def _log_variance(kurtosis: Float, rows: Float) -> Float:
    """Variance of the log of a sample variance."""
    return np.maximum(kurtosis - (rows - 3.0) / rows, 0.0) / np.maximum(rows - 1.0, 1.0)


def _moments(sums: PowerSums, rows: Float) -> tuple[Float, Float, Bool]:
    """Second central moment and kurtosis of each cell, and where the sums are none of any rows; all (C,)."""
    raw = [as_float(one) / rows for one in (sums.values, sums.squares, sums.cubes, sums.fourths)]
    mean, square, cube, fourth = raw
    second = square - mean**2
    blur = 2.0 * sums.resolution * (1.0 + np.abs(mean))
    third = cube - 3.0 * mean * square + 2.0 * mean**3
    central = fourth - 4.0 * mean * cube + 6.0 * mean**2 * square - 3.0 * mean**4
    wrong = ~np.isfinite(np.sum(raw, axis=0)) | (square < 0) | (second < -blur - 1e-9 * mean**2)
    varying = second > blur
    scale = np.where(varying, second, 1.0)
    # Rounding and clipping of sums must not take either where none can be: the kurtosis of n rows is 1 to n.
    flatness = np.clip(np.where(varying, central, 3.0) / scale**2, 1.0, rows)
    skewness = np.where(varying, third**2 / scale**3, 0.0)
    return np.where(varying, second, 0.0), _kurtosis(flatness, np.minimum(skewness, flatness - 1.0), rows), wrong


def _kurtosis(sample: Float, squared_skewness: Float, rows: Float) -> Float:
    """Kurtosis that the sample's moments speak for: unbiased if normal (Joanes & Gill 1998, Statistician 47:183, G1 and G2)."""
    few = rows <= 3
    n = np.where(few, 4.0, rows)
    unbiased = np.maximum(3.0 + (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * (sample - 3.0) + 6.0), 1.0)
    of_gamma = 3.0 + 1.5 * squared_skewness * n * (n - 1.0) / (n - 2.0) ** 2
    return np.where(few, 3.0, np.where(unbiased > 3.0, np.maximum(unbiased, of_gamma), unbiased))


def _p(z: Float, tail: Tail) -> Float:
    lower, upper = special.ndtr(z), special.ndtr(-z)
    if tail == "both":
        return np.minimum(2.0 * np.minimum(lower, upper), 1.0)
    found: Float = lower if tail == "lower" else upper
    return found
