"""Power sums of standardised numbers, in fixed point: what means and variances of a window are made of."""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Bool, Float
from surveillance.ingest.accumulate import Increments
from surveillance.panes.standard_scale import StandardScale
from surveillance.panes.statistics import Shape

LARGEST_MEAN_Z = 1e6
LARGEST_Z = 8.0
"""Beyond it a number counts as if it were here: one wild value must not hide, or make, the variance of a window."""

_UNITS = {Shape.FIRST_NANO: 1e9, Shape.SQUARE_NANO: 1e9, Shape.CUBE: 1e8, Shape.FOURTH: 1e8}


def power_sums(numbers: Float, usable: Bool, scale: StandardScale, bins: int) -> list[Increments]:
    """What rows add to the columns of `SHAPE` behind its bins; numbers and `usable` have shape (n,)."""
    with np.errstate(over="ignore"):  # what overflows lies at the clip
        z = np.where(usable, (np.where(usable, numbers, 0.0) - scale.mean) / scale.sd, 0.0)
    found = [
        # Also where there is no number: a scope is there once it has an inference.
        Increments(bins + Shape.NUMBERS, usable.astype(np.int64)),
        Increments(bins + Shape.SUM_MICRO, _fixed(np.clip(z, -LARGEST_MEAN_Z, LARGEST_MEAN_Z), 1e6), usable),
    ]
    near = np.clip(z, -LARGEST_Z, LARGEST_Z)
    powers = (near, near**2, near**3, near**4)
    for (column, unit), values in zip(_UNITS.items(), powers, strict=True):
        found.append(Increments(bins + column, _fixed(values, unit), usable))
    return found


def _fixed(values: Float, unit: float) -> np.ndarray:
    return np.rint(values * unit).astype(np.int64)
