"""Difference of two independent shares, each as counts (k, n) of shape (C,), which may be fractional."""

from __future__ import annotations

import numpy as np
from scipy import special

from detectors.arrays import Float, silent
from detectors.intervals import Bounds
from detectors.proportion import Method, share_bounds

DIFFERENCE_METHODS: dict[Method, str] = {
    "wilson": "newcombe",
    "clopper_pearson": "newcombe_clopper_pearson",
    "confidence_sequence": "confidence_sequence_difference",
}
"""Name of the interval of a difference by that of the interval of a share."""


def share_of(k: Float, n: Float) -> Float:
    """Part of the whole, (C,); 0 where there is none."""
    found: Float = k / np.where(n > 0, n, 1.0)
    return found


@silent
def difference_bounds(one: tuple[Float, Float], other: tuple[Float, Float], method: Method, level: float) -> Bounds:
    """Bounds of the first share less the second: hybrid of both intervals (Newcombe 1998, Stat. Med. 17:873, method 10).

    With `confidence_sequence`, which must hold at all times, the difference of both sequences, each at half the error.

    >>> bounds = difference_bounds((np.array([56.0]), np.array([70.0])), (np.array([48.0]), np.array([80.0])), "wilson", 0.95)
    >>> [round(float(bound[0]), 4) for bound in bounds]
    [0.0524, 0.3339]
    """
    if method == "confidence_sequence":
        half_error = (1.0 + level) / 2.0
        low, high = share_bounds(*one, method, half_error)
        other_low, other_high = share_bounds(*other, method, half_error)
        return low - other_high, high - other_low
    low, high = share_bounds(*one, method, level)
    other_low, other_high = share_bounds(*other, method, level)
    first, second = share_of(*one), share_of(*other)
    difference = first - second
    down, up = np.hypot(first - low, other_high - second), np.hypot(high - first, second - other_low)
    return np.maximum(difference - down, -1.0), np.minimum(difference + up, 1.0)


@silent
def score_p(one: tuple[Float, Float], other: tuple[Float, Float]) -> Float:
    """Two-sided p of equal shares from the pooled share; 1 where all cases agree, NaN where a side has no case.

    >>> float(score_p((np.array([70.0]), np.array([100.0])), (np.array([800.0]), np.array([900.0])))[0].round(9))
    9.9e-08
    """
    (k, n), (k0, n0) = one, other
    pooled = (k + k0) / (n + n0)
    variance = pooled * (1.0 - pooled) * (1.0 / n + 1.0 / n0)
    z = np.where(variance > 0, (share_of(k, n) - share_of(k0, n0)) / np.sqrt(np.where(variance > 0, variance, 1.0)), 0.0)
    p = np.minimum(2.0 * special.ndtr(-np.abs(z)), 1.0)
    return np.where((n > 0) & (n0 > 0) & ~np.isnan(variance), p, np.nan)
