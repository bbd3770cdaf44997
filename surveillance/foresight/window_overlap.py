"""Paths of looks at overlapping windows: each look has its own chance to breach, and neighbours share most of their events."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np

from surveillance.arrays import Bool, Float
from surveillance.foresight.chance import chance
from surveillance.times import DAY_MS

PATHS = 1000
_YEAR_MS = 365 * DAY_MS
_MOST_STRIDE, _MOST_LOOKS = 100, 730
"""Looks at one window while it moves by its own length, of more than which it hardly tells; looks that are drawn."""
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


def yearly_miss(size_ms: int, slide_ms: int, level: float) -> float:
    """Probability that in a year of looks at a sliding window some interval, each of which has this level, misses the truth."""
    stride = max(1, min(size_ms // slide_ms, _MOST_STRIDE))
    looks = max(1, round(_YEAR_MS * stride / size_ms))
    drawn = min(looks, _MOST_LOOKS)
    missed = _share_beyond(shared_noise(stride, drawn), level)
    return float(1.0 - (1.0 - missed) ** (looks / drawn))


def yearly_miss_from_a_start(level: float) -> float:
    """The same of what grows from a fixed start, looked at once a day."""
    days = _YEAR_MS // DAY_MS
    growing = np.cumsum(shared_noise(1, days), axis=1) / np.sqrt(np.arange(1, days + 1))
    return _share_beyond(growing, level)


def _share_beyond(noise: Float, level: float) -> float:
    return float((np.abs(noise) > _quantile((1.0 + level) / 2)).any(axis=1).mean())


def _quantile(share: float) -> float:
    return _NORMAL.inv_cdf(min(max(share, _LEAST), 1.0 - _LEAST))
