"""Spiegelhalter's test that probabilities are calibrated, and its e-value for repeated looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import MICRO, Float, as_float, silent
from detectors.estimate import LARGEST_E, Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.outcomes import outcomes

_BETS = (0.03, 0.08, 0.2, 0.5, 1.25, 3.0)
_MOST_UP, _MOST_DOWN = 1.0, 0.125
"""How far one row's (y - p)(1 - 2p) can lie above and below 0."""
_LARGEST_LOG_E = np.log(LARGEST_E)


@silent
def spiegelhalter(n: ArrayLike, numerator_micro: ArrayLike, variance_micro: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Z = sum (y - p)(1 - 2p) / sqrt(sum (1 - 2p)^2 p (1 - p)), both sums in millionths over n labelled rows; all (C,).

    Under calibration Z is standard normal (Spiegelhalter 1986, Stat. Med. 5:421); `p` is two-sided and the bounds are
    Z -+ the normal quantile of the level. `e` is the mean of fixed bets exp(l S - V (e^(l b) - 1 - l b) / b^2) on the same
    sums S and V, b bounding a row: supermartingales under calibration by Bennett's inequality, so that P(e >= 1/alpha at any
    number of rows) <= alpha (Freedman 1975, Ann. Prob. 3:100; Howard et al. 2020, Probab. Surv. 17:257).

    `no_exposure` where n is 0, `degenerate_outcomes` where the variance is not positive (all scores 0, 1/2 or 1).

    >>> z = spiegelhalter([100], [4_000_000], [4_000_000])[0]
    >>> z.value, round(z.p, 4), round(z.e, 2)
    (2.0, 0.0455, 0.98)
    """
    rows, numerator, variance = as_float(n), as_float(numerator_micro) / MICRO, as_float(variance_micro) / MICRO
    usable = variance > 0
    z = numerator / np.sqrt(np.where(usable, variance, 1.0))
    reach = normal_quantile(level)
    refusals = [(rows == 0, Reason.NO_EXPOSURE), (~(usable & (rows > 0)), Reason.DEGENERATE_OUTCOMES)]
    p = np.minimum(2.0 * special.ndtr(-np.abs(z)), 1.0)
    return outcomes(z, z - reach, z + reach, rows, "spiegelhalter_z", refusals=refusals, p=p, e=e_value(numerator, variance))


@silent
def e_value(numerator: Float, variance: Float) -> Float:
    """`e` of `spiegelhalter` from sums in units, (C,)."""
    sides = ((1.0, _MOST_UP), (-1.0, _MOST_DOWN))
    logs = [
        bet * side * numerator - variance * (np.expm1(bet * most) - bet * most) / most**2 for side, most in sides for bet in _BETS
    ]
    most = np.maximum.reduce(logs)
    # Bet by bet: a sum over the axis would add in another order, to another last bit, for another number of cells.
    total = sum((np.exp(log - most) for log in logs), np.zeros_like(most))
    found: Float = np.exp(np.minimum(most + np.log(total) - np.log(len(logs)), _LARGEST_LOG_E))
    return found
