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

    Without a change the log of the ratio is about normal with variance (kurtosis - (n-3)/(n-1)) (1/n + 1/m), the kurtosis
    m4 / m2^2 of the window standing for both (Shoemaker 2003, Am. Stat. 57:103; O'Neill 2014, Am. Stat. 68:282), which gives
    `p` for the tail asked, and the bounds. A window without any variance is 0 for certain: p of the lower tail is 0.

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
    second, fourth, wrong = _central(sums, rows)
    constant = second <= 0
    ratio = second * (rows / np.maximum(rows - 1.0, 1.0)) / np.where(known, known_variance, 1.0)
    # Rounding and clipping of sums must not take the kurtosis where none can be: 1 to n.
    kurtosis = np.clip(fourth / np.where(constant, 1.0, second) ** 2, 1.0, rows)
    spread = kurtosis - (rows - 3.0) / np.maximum(rows - 1.0, 1.0)
    error = np.sqrt(np.maximum(spread, 0.0) * (1.0 / rows + 1.0 / np.where(known, m, 1.0)))
    z = np.where(constant, -np.inf, np.log(np.where(constant, 1.0, ratio)) / error)
    reach = np.exp(np.minimum(normal_quantile(level) * error, 700.0))
    refusals = [
        (~known, Reason.UNKNOWN_REFERENCE),
        (n == 0, Reason.NO_EXPOSURE),
        (~(n >= 2) | wrong, Reason.DEGENERATE_OUTCOMES),
    ]
    return outcomes(ratio, ratio / reach, ratio * reach, n, METHOD, refusals=refusals, p=_p(z, tail))


def _central(sums: PowerSums, rows: Float) -> tuple[Float, Float, Bool]:
    """Second and fourth central moments of each cell, and where the sums are none of any rows; all (C,)."""
    raw = [as_float(one) / rows for one in (sums.values, sums.squares, sums.cubes, sums.fourths)]
    mean, square, cube, fourth = raw
    second = square - mean**2
    blur = 2.0 * sums.resolution * (1.0 + np.abs(mean))
    central = fourth - 4.0 * mean * cube + 6.0 * mean**2 * square - 3.0 * mean**4
    wrong = ~np.isfinite(np.sum(raw, axis=0)) | (square < 0) | (second < -blur - 1e-9 * mean**2)
    return np.where(second > blur, second, 0.0), np.maximum(central, 0.0), wrong


def _p(z: Float, tail: Tail) -> Float:
    lower, upper = special.ndtr(z), special.ndtr(-z)
    if tail == "both":
        return np.minimum(2.0 * np.minimum(lower, upper), 1.0)
    found: Float = lower if tail == "lower" else upper
    return found
