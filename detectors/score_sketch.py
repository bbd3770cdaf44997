"""Score bins that keep what calibration and discrimination need: 256 by logit, and one each for exactly 0 and exactly 1.

Scores are whole micro-units, 0 to 1_000_000. Towards both ends the bins narrow, down to a bin for every single micro-unit,
because a few scores of extreme logit carry much of the weight of a calibration slope.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from detectors.arrays import MICRO, Float, Int, as_float

SKETCH_BINS = 258
"""Bin 0 holds scores of exactly 0, the last scores of exactly 1, the 256 between are symmetric about 1/2."""

_HALF = (SKETCH_BINS - 2) // 2
_TOP = 1_000_000
_CLIP = 1e-6
_SINGLE = 12
"""Micro-units at each end with a bin of their own: there one unit is wider than a bin needs to be."""
_NARROWING = 0.6
"""Width on the logit scale of the outermost of the other bins over that of the middle ones."""


def sketch_bin(score_micro: Int) -> Int:
    """Bin of each score in micro-units, 0 to SKETCH_BINS - 1, rising with the score; scores outside [0, 1] go to the ends.

    >>> import numpy as np
    >>> sketch_bin(np.array([0, 1, 499_999, 500_000, 999_999, 1_000_000])).tolist()
    [0, 1, 128, 129, 256, 257]
    """
    return _table()[np.clip(score_micro, 0, _TOP)].astype(np.int64)


@cache
def sketch_logit() -> Float:
    """The logit that stands for each bin (SKETCH_BINS,): the middle of its lowest and highest score on the logit scale.

    >>> sketch_logit()[[0, 1, 257]].round(4).tolist()
    [-13.8155, -13.8155, 13.8155]
    """
    edges = _edges()
    middle: Float = (_logit(edges[:-1] / MICRO) + _logit((edges[1:] - 1) / MICRO)) / 2.0
    middle.flags.writeable = False
    return middle


def bin_mean_logit(count: ArrayLike, sum_micro: ArrayLike) -> Float:
    """Logit of the mean score of each bin from exact sums in micro-units, both (..., SKETCH_BINS); the default where empty.

    >>> import numpy as np
    >>> count = np.zeros(SKETCH_BINS); count[200] = 2
    >>> round(float(bin_mean_logit(count, count * 880_000)[200]), 4)
    1.9924
    """
    rows, total = as_float(count), as_float(sum_micro)
    found = np.broadcast_to(sketch_logit(), rows.shape).copy()
    filled = np.flatnonzero((rows > 0) & np.isfinite(total))
    found.ravel()[filled] = _logit(total.take(filled) / MICRO / rows.take(filled))
    return found


def _logit(probability: Float) -> Float:
    clipped = np.clip(probability, _CLIP, 1.0 - _CLIP)
    # A seventh of the time of scipy's, which is more exact only where the logit is close to 0.
    found: Float = np.log(clipped / (1.0 - clipped))
    return found


@cache
def _table() -> NDArray[np.int16]:
    table = np.repeat(np.arange(SKETCH_BINS, dtype=np.int16), np.diff(_edges()))
    table.flags.writeable = False
    return table


@cache
def _edges() -> Int:
    """Lowest score of each bin in micro-units, and one past the highest of the last: (SKETCH_BINS + 1,)."""
    start = float(special.logit((_SINGLE + 1) / MICRO))
    widths = np.linspace(_NARROWING, 1.0, _HALF - _SINGLE)
    logits = start * (1.0 - np.concatenate(([0.0], np.cumsum(widths)[:-1])) / widths.sum())
    low = np.concatenate((np.arange(1, _SINGLE + 1), np.round(special.expit(logits) * MICRO).astype(np.int64)))
    high = _TOP - low[::-1] + 1
    edges = np.concatenate(([0], low, [_TOP // 2], high[:-1], [_TOP, _TOP + 1]))
    edges.flags.writeable = False
    return edges
