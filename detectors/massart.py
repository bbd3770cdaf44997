"""How far an empirical distribution function may lie from that of its population."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Float


def massart_reach(n: Float, m: Float, level: float) -> Float:
    """Largest |F_n - F| + |G_m - G| of two samples of n and m rows, both (C,), with probability `level` at least.

    P(sup |F_n - F| > t) <= 2 exp(-2 n t^2) whatever F is, each sample at half of 1 - level (Massart 1990, Ann. Prob. 18:1269).

    >>> massart_reach(np.array([200.0]), np.array([1e9]), 0.95).round(4).tolist()
    [0.1047]
    """
    budget = np.log(4.0 / (1.0 - level)) / 2.0
    found: Float = np.sqrt(budget / np.maximum(n, 1.0)) + np.sqrt(budget / np.maximum(m, 1.0))
    return found
