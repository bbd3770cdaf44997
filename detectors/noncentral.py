"""Bounds of a noncentrality: how far apart two distributions are when a chi-square statistic of their samples is as large."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Float
from detectors.intervals import Bounds, normal_quantile


def noncentrality(statistic: Float, degrees: int, level: float) -> Bounds:
    """Two-sided bounds of the noncentrality of a chi2 statistic (C,), by Sankaran's square-root approximation (1959,
    Biometrika 46:235), within 0.02 of the exact bounds' square roots where the statistic is far from its null distribution.

    Raises:
        ValueError: the level is not between 0 and 1.

    >>> lower, upper = noncentrality(np.array([40.0]), 9, 0.95)
    >>> lower.round(2).tolist(), upper.round(2).tolist()
    ([12.32], [59.36])
    """
    reach, offset = normal_quantile(level), (degrees - 1) / 2.0
    centre = np.sqrt(np.maximum(statistic - offset, 0.0))
    lower = np.maximum(centre - reach, 0.0) ** 2 - offset
    upper = (centre + reach) ** 2 - offset
    return np.maximum(lower, 0.0), np.maximum(upper, 0.0)
