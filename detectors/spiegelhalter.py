"""Spiegelhalter's test that probabilities are calibrated."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import MICRO, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.outcomes import outcomes


@silent
def spiegelhalter(n: ArrayLike, numerator_micro: ArrayLike, variance_micro: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Z = sum (y - p)(1 - 2p) / sqrt(sum (1 - 2p)^2 p (1 - p)), both sums in millionths over n labelled rows; all (C,).

    Under calibration Z is standard normal (Spiegelhalter 1986, Stat. Med. 5:421); `p` is two-sided and the bounds are
    Z -+ the normal quantile of the level.

    `no_exposure` where n is 0, `degenerate_outcomes` where the variance is not positive (all scores 0, 1/2 or 1).

    >>> z = spiegelhalter([100], [4_000_000], [4_000_000])[0]
    >>> z.value, round(z.p, 4)
    (2.0, 0.0455)
    """
    rows, numerator, variance = as_float(n), as_float(numerator_micro) / MICRO, as_float(variance_micro) / MICRO
    usable = variance > 0
    z = numerator / np.sqrt(np.where(usable, variance, 1.0))
    reach = normal_quantile(level)
    refusals = [(rows == 0, Reason.NO_EXPOSURE), (~(usable & (rows > 0)), Reason.DEGENERATE_OUTCOMES)]
    p = np.minimum(2.0 * special.ndtr(-np.abs(z)), 1.0)
    return outcomes(z, z - reach, z + reach, rows, "spiegelhalter_z", refusals=refusals, p=p)
