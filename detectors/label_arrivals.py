"""Labels that are expected to arrive in a window, by the latency curve of labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float

_KNOT_Z = tuple(float(z) for z in special.ndtri([0.5, 0.95, 0.99]))


@dataclass(frozen=True, slots=True)
class LatencyCurve:
    """Distribution of the hours from inference to label through its median, 95th and 99th percentile.

    Normal quantiles are piecewise linear in log time through the three points, and the end pieces continue.

    Raises:
        ValueError: the percentiles are not positive, finite and in rising order.

    >>> import numpy as np
    >>> LatencyCurve(24.0, 96.0, 240.0).cdf(np.array([0.0, 24.0, 48.0, 96.0, 240.0])).round(3).tolist()
    [0.0, 0.5, 0.795, 0.95, 0.99]
    """

    p50_h: float
    p95_h: float
    p99_h: float

    def __post_init__(self) -> None:
        if not 0 < self.p50_h <= self.p95_h <= self.p99_h < math.inf:
            raise ValueError(f"latency percentiles must be positive and rising: {self}")

    def cdf(self, age_h: ArrayLike) -> Float:
        """Share of labels that have arrived at each age in hours, any shape; 0 at and before age 0."""
        age = np.nan_to_num(as_float(age_h), nan=0.0)
        log_age = np.log(np.maximum(age, 1e-300))
        t50, t95, t99 = (math.log(hours) for hours in (self.p50_h, self.p95_h, self.p99_h))
        early = _KNOT_Z[0] + (log_age - t50) * _gradient(_KNOT_Z[1] - _KNOT_Z[0], t95 - t50)
        late = _KNOT_Z[1] + (log_age - t95) * _gradient(_KNOT_Z[2] - _KNOT_Z[1], t99 - t95)
        share: Float = special.ndtr(np.where(log_age < t95, early, late))
        return np.where(age > 0, share, 0.0)


def _gradient(rise: float, run: float) -> float:
    """Of a piece of the curve; two equal percentiles make it a step, not a division by zero."""
    return rise / max(run, 1e-9)


def latency_curve(p50_h: float, p95_h: float, p99_h: float) -> LatencyCurve:
    """The curve of a manifest's `label_latency`, percentiles in hours; raises as `LatencyCurve`.

    >>> float(latency_curve(1.0, 2.0, 3.0).cdf(2.0).round(2))
    0.95
    """
    return LatencyCurve(p50_h, p95_h, p99_h)


def expected_arrivals(
    inferences: ArrayLike,
    pane: ArrayLike,
    cell: ArrayLike,
    *,
    pane_mid_h: ArrayLike,
    cells: int,
    window_start_h: float,
    window_end_h: float,
    coverage: ArrayLike,
    curve: LatencyCurve,
) -> Float:
    """Labels expected to arrive in a window, shape (cells,), from inferences (R,) of a `pane` (R,) and `cell` (R,) each.

    Panes are numbers from 0 with their middles at `pane_mid_h` (P,); times are hours from any common origin. Each pane gives
    inferences x coverage x the curve's rise over the window, nothing for the time before its own middle. `coverage`, the
    share that is ever labelled, is one number or (cells,). A cell's rows are added up in the order in which they stand.

    >>> curve = latency_curve(24.0, 96.0, 240.0)
    >>> window = dict(pane_mid_h=[0, 24], cells=1, window_start_h=24, window_end_h=48, coverage=0.5, curve=curve)
    >>> expected_arrivals([100, 100], [0, 1], [0, 0], **window).round(2).tolist()
    [39.73]
    """
    middle = as_float(pane_mid_h)
    rise = curve.cdf(window_end_h - middle) - curve.cdf(window_start_h - middle)
    arriving = as_float(inferences) * np.maximum(rise, 0.0)[np.asarray(pane, np.int64)]
    return np.bincount(np.asarray(cell, np.int64), arriving, cells) * as_float(coverage)
