"""Standard error of any function of independent counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detectors.arrays import Float


def poisson_error(function: Callable[[Float], Float], counts: Float) -> float:
    """Standard error of `function` at Poisson counts of shape (K,): the root of the summed squares of its changes when one
    count moves by its own standard deviation (delta method with finite steps; Rao 1973, Linear Statistical Inference, 6a).

    `function` takes counts of shape (..., K) and gives shape (...). Without a finite answer the error is infinite.

    >>> round(poisson_error(lambda c: c[..., 0] / c.sum(axis=-1), np.array([50.0, 50.0])), 3)
    0.05
    """
    step = np.diag(np.minimum(np.sqrt(counts), counts))
    changes = (function(counts + step) - function(counts - step)) / 2
    total = float(np.sqrt(np.sum(np.square(changes[counts > 0]))))
    return total if np.isfinite(total) else float("inf")
