"""Brier score: the mean squared difference of probability and outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import MICRO, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.outcomes import impossible_share, outcomes
from detectors.unit_mean import UnitMean


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

    The interval is `unit_mean.UnitMean`'s, with the variance of the squares (Spiegelhalter 1986, Stat. Med. 5:421): Student's
    on the logit scale, Wilson's where the rows show no variance (one row, or all rows alike).

    `p` is one-sided: a score this high or higher where the true one is the `reference` (C,), measured with standard error
    `reference_se`; none where the reference is NaN. (Whether the score is what its own probabilities expect is
    `spiegelhalter`.)

    `no_exposure` where n is 0, `degenerate_outcomes` where the sums are not those of n squares.

    >>> [round(x, 3) for x in (lambda b: (b.value, b.lower, b.upper))(brier([100], [12_000_000], [4_000_000])[0])]
    [0.12, 0.092, 0.156]
    >>> round(brier([100], [12_000_000], [4_000_000], reference=[0.09])[0].p, 3)
    0.019
    """
    rows, squares, quartics = as_float(n), as_float(sum_sq_micro) / MICRO, as_float(sum_quartic_micro) / MICRO
    size = np.where(rows > 0, rows, 1.0)
    mean = squares / size
    found = UnitMean(mean, (quartics - squares * mean) / np.maximum(size - 1.0, 1.0), rows)
    lower, upper = found.bounds(level)
    impossible = impossible_share(squares, rows) | impossible_share(quartics, rows)
    refusals = [(rows == 0, Reason.NO_EXPOSURE), (impossible, Reason.DEGENERATE_OUTCOMES)]
    method = ["wilson_bound" if is_flat else "student_logit" for is_flat in found.flat.tolist()]
    null = as_float(reference)
    p = None if np.isnan(null).all() else found.tail(null, as_float(reference_se), upper=True)
    return outcomes(mean, lower, upper, rows, method, refusals=refusals, p=p)
