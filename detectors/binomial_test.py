"""Test of a count of cases against a stated share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float, silent


@silent
def binomial_p(k: ArrayLike, n: ArrayLike, share: ArrayLike) -> Float:
    """Two-sided mid-p of k of n cases, both (C,), where `share` of them are expected, (C,): the smaller tail doubled.

    A tail counts half of P(k) (Lancaster 1961, JASA 56:223). NaN where the share is not between 0 and 1, or k not between 0
    and n > 0.

    >>> binomial_p([15, 2], [100, 100], [0.1, 0.0]).round(4).tolist()
    [0.1125, 0.0]
    """
    part, whole, p = as_float(k), as_float(n), as_float(share)
    sound = (part >= 0) & (part <= whole) & (whole > 0) & np.isfinite(whole) & (p >= 0) & (p <= 1)
    part, whole, p = (np.where(sound, values, fill) for values, fill in ((part, 0.0), (whole, 1.0), (p, 0.5)))
    fewer = np.where(part > 0, special.betainc(whole - part + 1.0, np.maximum(part, 1.0), 1.0 - p), 0.0)
    up_to = np.where(part < whole, special.betainc(np.maximum(whole - part, 1.0), part + 1.0, 1.0 - p), 1.0)
    lower = (fewer + up_to) / 2.0
    return np.where(sound, np.minimum(2.0 * np.minimum(lower, 1.0 - lower), 1.0), np.nan)
