"""Brier score: the mean squared difference of probability and outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import MICRO, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile, wilson
from detectors.outcomes import impossible_share, outcomes


@silent
def brier(
    n: ArrayLike,
    sum_sq_micro: ArrayLike,
    sum_quartic_micro: ArrayLike,
    *,
    level: float = 0.95,
    reference: ArrayLike = np.nan,
    reference_se: ArrayLike = 0.0,
) -> list[Outcome]:
    """Mean of (p - y)^2 over n labelled rows from sums of (p - y)^2 and (p - y)^4 in millionths; all (C,).

    The normal interval of a mean with the variance of the squares (Spiegelhalter 1986, Stat. Med. 5:421), cut to [0, 1].
    Where the rows show no variance (one row, or all rows alike) it would have no width; there the Wilson interval of the
    same mean stands, which is wide enough for every variable in [0, 1] (its variance is at most mean x (1 - mean)).

    `p` is one-sided: a score this high or higher where the true one is the `reference` (C,), measured with standard error
    `reference_se`; none where the reference is NaN. (Whether the score is what its own probabilities expect is
    `spiegelhalter`.)

    `no_exposure` where n is 0, `degenerate_outcomes` where the sums are not those of n squares.

    >>> [round(x, 3) for x in (lambda b: (b.value, b.lower, b.upper))(brier([100], [12_000_000], [4_000_000])[0])]
    [0.12, 0.088, 0.152]
    >>> round(brier([100], [12_000_000], [4_000_000], reference=[0.09])[0].p, 3)
    0.031
    """
    rows, squares, quartics = as_float(n), as_float(sum_sq_micro) / MICRO, as_float(sum_quartic_micro) / MICRO
    size = np.where(rows > 0, rows, 1.0)
    mean = squares / size
    variance = (quartics / size - mean * mean) / np.maximum(size - 1.0, 1.0)
    flat = (rows < 2) | ~(variance > 1e-12 / size)
    half = normal_quantile(level) * np.sqrt(np.where(flat, 0.0, variance))
    score_lower, score_upper = wilson(squares, size, level)
    lower = np.where(flat, score_lower, np.maximum(mean - half, 0.0))
    upper = np.where(flat, score_upper, np.minimum(mean + half, 1.0))
    impossible = impossible_share(squares, rows) | impossible_share(quartics, rows)
    refusals = [(rows == 0, Reason.NO_EXPOSURE), (impossible, Reason.DEGENERATE_OUTCOMES)]
    method = ["wilson_bound" if is_flat else "normal" for is_flat in flat.tolist()]
    null, null_se = as_float(reference), as_float(reference_se)
    spread = np.where(flat, null * (1.0 - null) / size, variance) + null_se**2
    p = special.ndtr(-(mean - null) / np.sqrt(spread))
    return outcomes(mean, lower, upper, rows, method, refusals=refusals, p=p)
