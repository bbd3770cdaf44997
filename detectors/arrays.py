"""Names for the array types that detectors take and give. The first axis is always the cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Int = NDArray[np.int64]
Float = NDArray[np.float64]
Bool = NDArray[np.bool_]

MICRO = 1e6
"""Fixed-point sums are in millionths."""

silent = np.errstate(all="ignore")
"""Decorates detectors: what overflows or is no number ends as a named reason in `outcomes`, not as a warning."""


MOST = 1e300
"""Where the states of charts end, so that they stay numbers."""


def numbers(values: ArrayLike, most: float = MOST) -> Float:
    """The values as float64 within +-`most`, 0 where one is no number.

    >>> numbers([1.5, np.nan, -np.inf], 1e9).tolist()
    [1.5, 0.0, -1000000000.0]
    """
    return np.clip(np.nan_to_num(as_float(values), nan=0.0, posinf=most, neginf=-most), -most, most)


def as_float(values: ArrayLike) -> Float:
    """The values as float64, so that no sum of counts can overflow; a new array unless they were float64 already.

    >>> as_float(np.array([2**62, 2**62])).sum() == 2.0**63
    np.True_
    >>> as_float([1, 2]).tolist()
    [1.0, 2.0]
    """
    return np.asarray(values, dtype=np.float64)
