"""Paths of looks at overlapping windows: each look has its own chance to breach, and neighbours share most of their events."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from surveillance.arrays import Bool, Float
from surveillance.foresight.chance import chance

PATHS = 1000
_NORMAL = NormalDist()
_LEAST = 1e-9


@lru_cache(maxsize=16)
def shared_noise(stride: int, looks: int) -> Float:
    """Standard normal paths (PATHS, looks), correlated as sums over `stride` steps that move on by one step a look."""
    steps = chance("overlap", str(stride)).standard_normal((PATHS, looks + stride - 1))
    total = np.concatenate([np.zeros((PATHS, 1)), np.cumsum(steps, axis=1)], axis=1)
    noise: Float = (total[:, stride:] - total[:, :-stride]) / np.sqrt(stride)
    return noise


def verdict_paths(breach: Float, met: Float, stride: int) -> tuple[Bool, Bool]:
    """Breached and met (PATHS, looks) where each look has these chances: a Gaussian copula with the windows' overlap."""
    noise = shared_noise(stride, len(breach))
    low = np.array([_quantile(share) for share in breach.tolist()])
    high = np.array([_quantile(1.0 - share) for share in met.tolist()])
    return noise < low, noise > high


def _quantile(share: float) -> float:
    return _NORMAL.inv_cdf(min(max(share, _LEAST), 1.0 - _LEAST))
