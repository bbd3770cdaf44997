"""Mean of values between 0 and 1, from their sum and the sum of their squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import MICRO, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.outcomes import outcomes


@silent
def bounded_mean(
    n: ArrayLike, sum_micro: ArrayLike, square_micro: ArrayLike, *, reference: ArrayLike, level: float = 0.95
) -> list[Outcome]:
    """Mean of n rows with its normal interval, sd with n - 1, cut to [0, 1]; sums in millionths; all (C,).

    `p` is two-sided, of the mean against `reference` (C,), which is taken as known; none where that is NaN. Both take the mean
    as normal, which that of many bounded values is in the limit (Lindeberg 1922, Math. Z. 15:211).

    `no_exposure` where n is 0; `degenerate_outcomes` where it is 1, or where no values from 0 to 1 have such sums.

    >>> found = bounded_mean([100], [50_000_000], [29_000_000], reference=[0.55])[0]
    >>> found.value, round(found.lower, 4), round(found.p, 4)
    (0.5, 0.4606, 0.0129)
    """
    rows, total, squares = as_float(n), as_float(sum_micro) / MICRO, as_float(square_micro) / MICRO
    size = np.where(rows > 0, rows, 1.0)
    mean = total / size
    variance = np.maximum(squares - total * mean, 0.0) / np.maximum(size - 1.0, 1.0)
    error = np.sqrt(variance / size)
    reach = normal_quantile(level) * error
    tolerance = size / MICRO  # each square is rounded to a millionth
    impossible = ~((total >= 0) & (total <= size) & (squares <= total + tolerance) & (squares >= total * mean - 2.0 * tolerance))
    refusals = [(rows == 0, Reason.NO_EXPOSURE), (~(rows >= 2) | impossible, Reason.DEGENERATE_OUTCOMES)]
    p = _two_sided(mean - as_float(reference), error)
    return outcomes(
        mean, np.maximum(mean - reach, 0.0), np.minimum(mean + reach, 1.0), rows, "normal_mean", refusals=refusals, p=p
    )


def _two_sided(difference: Float, error: Float) -> Float:
    """P-value of a difference (C,) with this standard error (C,); without any error a difference is certain."""
    z = np.abs(difference) / np.where(error > 0, error, 1.0)
    p = np.where(error > 0, 2.0 * special.ndtr(-z), np.where(difference == 0, 1.0, 0.0))
    return np.where(np.isnan(difference), np.nan, np.minimum(p, 1.0))
