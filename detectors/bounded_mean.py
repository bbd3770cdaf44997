"""Mean of values between 0 and 1, from their sum and the sum of their squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import MICRO, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.outcomes import outcomes
from detectors.unit_mean import UnitMean


@silent
def bounded_mean(
    n: ArrayLike, sum_micro: ArrayLike, square_micro: ArrayLike, *, reference: ArrayLike, level: float = 0.95
) -> list[Outcome]:
    """Mean of n rows with the interval of `unit_mean.UnitMean`, from sums in millionths; all (C,).

    That is Student's interval (1908, Biometrika 6:1) on the logit scale, Wilson's where the rows show no variance. `p` is
    two-sided, of the mean against `reference` (C,), which is taken as known; none where that is not from 0 to 1.

    `no_exposure` where n is 0; `degenerate_outcomes` where it is 1, or where no values from 0 to 1 have such sums.

    >>> found = bounded_mean([100], [50_000_000], [29_000_000], reference=[0.55])[0]
    >>> found.value, round(found.lower, 4), round(found.p, 4)
    (0.5, 0.4602, 0.0142)
    """
    rows, total, squares = as_float(n), as_float(sum_micro) / MICRO, as_float(square_micro) / MICRO
    size = np.where(rows > 0, rows, 1.0)
    mean = total / size
    found = UnitMean(mean, (squares - total * mean) / np.maximum(size - 1.0, 1.0), rows)
    lower, upper = found.bounds(level)
    tolerance = size / MICRO  # each square is rounded to a millionth
    impossible = ~((total >= 0) & (total <= size) & (squares <= total + tolerance) & (squares >= total * mean - 2.0 * tolerance))
    refusals = [(rows == 0, Reason.NO_EXPOSURE), (~(rows >= 2) | impossible, Reason.DEGENERATE_OUTCOMES)]
    known = as_float(reference)
    p = np.minimum(2.0 * np.minimum(found.tail(known), found.tail(known, upper=True)), 1.0)
    method = ["wilson_bound" if is_flat else "student_logit" for is_flat in found.flat.tolist()]
    return outcomes(mean, lower, upper, rows, method, refusals=refusals, p=p)
