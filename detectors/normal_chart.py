"""Normal charts: CUSUM and EWMA of standardised window means, folded one window after another."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float, numbers, silent

Tail = Literal["both", "upper", "lower"]

LARGEST_Z = 1e9
"""Where standardised means end, so that charts stay numbers: no chart has a limit near it."""


@silent
def standardised(total: ArrayLike, n: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> Float:
    """Windows with n rows as z = (total / n - mean) / (sd / sqrt(n)); all (C,); 0 where there is no row or no sd.

    >>> standardised([58.0], [100], [0.5], [0.5]).round(6).tolist()
    [1.6]
    """
    rows, spread = as_float(n), as_float(sd)
    usable = (rows > 0) & (spread > 0)
    z = (as_float(total) / np.where(usable, rows, 1.0) - as_float(mean)) / np.where(usable, spread, 1.0)
    return clipped(np.where(usable, z * np.sqrt(np.where(usable, rows, 1.0)), 0.0))


def clipped(z: Float) -> Float:
    """The z within +-LARGEST_Z, 0 where it is no number."""
    return numbers(z, LARGEST_Z)


@silent
def fold_cusum(sides: ArrayLike, z: ArrayLike, k: float) -> Float:
    """Both sides after one window: max(0, S + z - k) and max(0, S - z - k); sides (C, 2), upper first, z (C,).

    The tabular CUSUM of Page (1954, Biometrika 41:100) with allowance k; both sides start at 0.

    Raises:
        ValueError: k is negative or not finite.

    >>> fold_cusum([[0.0, 0.0]], [1.5], 0.5).tolist()
    [[1.0, 0.0]]
    """
    if not 0.0 <= k < math.inf:
        raise ValueError(f"the allowance k must be finite and not negative: {k}")
    s, step = numbers(sides), clipped(as_float(z))
    found: Float = np.maximum(s + np.stack([step - k, -step - k], axis=-1), 0.0)
    return found


@silent
def fold_ewma(sides: ArrayLike, z: ArrayLike, smoothing: float) -> Float:
    """Both sides after one window: E = (1 - lambda) E + lambda z, and -E; sides (C, 2), z (C,).

    The exponentially weighted moving average of Roberts (1959, Technometrics 1:239), in units of z; starts at 0.

    Raises:
        ValueError: the weight is not in (0, 1].

    >>> fold_ewma([[0.0, 0.0]], [2.0], 0.25).tolist()
    [[0.5, -0.5]]
    """
    if not 0.0 < smoothing <= 1.0:
        raise ValueError(f"the smoothing weight must be above 0 and at most 1: {smoothing}")
    s, step = numbers(sides), clipped(as_float(z))
    found: Float = (1.0 - smoothing) * s + smoothing * np.stack([step, -step], axis=-1)
    return found


def of_tail(sides: ArrayLike, tail: Tail) -> Float:
    """The statistic that a limit is compared with: the larger of the sides that the tail looks at, (C,).

    >>> of_tail([[1.0, 2.5]], "both").tolist(), of_tail([[1.0, 2.5]], "upper").tolist()
    ([2.5], [1.0])
    """
    s = as_float(sides)
    if tail == "both":
        return np.maximum(s[..., 0], s[..., 1])
    found: Float = s[..., 0 if tail == "upper" else 1]
    return found
