"""Integrated calibration index: how far a smooth calibration curve lies from the scores, over the rows."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, silent
from detectors.estimate import Outcome
from detectors.intervals import normal_quantile
from detectors.outcomes import outcomes
from detectors.reliability_bins import ReliabilityBins

Index = Literal["ici", "e50", "e90", "emax"]
_SHARE: dict[Index, float] = {"e50": 0.5, "e90": 0.9, "emax": 1.0}

SPAN = 0.75
"""Share of the rows that each point of the curve is fitted to."""


@silent
def ici(neg: ArrayLike, pos: ArrayLike, sum_micro: ArrayLike, *, index: Index = "ici", level: float = 0.95) -> list[Outcome]:
    """Mean, median, 90 % quantile or maximum over the rows of |share expected by the curve - score|, in probability.

    Arguments and refusals as `ReliabilityBins.of` without groups. The curve is a local quadratic fit of the outcomes on the
    score to the nearest 75 % of the rows with tricube weights (loess: Cleveland 1979, JASA 74:829), as by Austin & Steyerberg
    (2019, Stat. Med. 38:4051), on the mean scores of the bins. The bounds put the curve everywhere at once where its normal
    interval is nearest to and farthest from the score, so they hold at least as often as they say, but for what smoothing hides.

    >>> found = ici([[80, 50, 20]], [[20, 50, 80]], [[10_000_000, 50_000_000, 90_000_000]])[0]
    >>> round(found.value, 4), round(found.lower, 4), round(found.upper, 4)
    (0.0667, 0.0144, 0.1516)
    """
    bins = ReliabilityBins.of(neg, pos, sum_micro, None)
    found = np.array([_of_cell(bins, cell, index, normal_quantile(level)) for cell in range(len(bins.n))]).reshape(-1, 3)
    return outcomes(found[:, 0], found[:, 1], found[:, 2], bins.n, f"loess_{index}", refusals=bins.refusals())


def _of_cell(bins: ReliabilityBins, cell: int, index: Index, z: float) -> tuple[float, float, float]:
    """The index and its bounds."""
    seen = np.flatnonzero(bins.total[cell])
    if len(seen) == 0:
        return 0.0, 0.0, 0.0
    rows, score = bins.total[cell, seen], bins.score[cell, seen]
    smoother = _smoother(rows, score)
    curve = np.clip(smoother @ (bins.pos[cell, seen] / rows), 0.0, 1.0)
    half_a_row = 0.5 / rows
    chance = np.clip(curve, np.minimum(half_a_row, 0.5), np.maximum(1.0 - half_a_row, 0.5))
    reach = z * np.sqrt((smoother**2) @ (chance * (1.0 - chance) / rows))
    distance = np.abs(curve - score)
    near, far = np.maximum(distance - reach, 0.0), np.minimum(distance + reach, 1.0)
    return _summary(distance, rows, index), _summary(near, rows, index), _summary(far, rows, index)


def _summary(distance: Float, rows: Float, index: Index) -> float:
    """Mean, or the smallest distance that its share of the rows does not exceed."""
    if index == "ici":
        return float((distance * rows).sum() / rows.sum())
    order = np.argsort(distance, kind="stable")
    reached = np.cumsum(rows[order]) >= _SHARE[index] * rows.sum() * (1.0 - 1e-12)
    return float(distance[order][int(reached.argmax())])


def _smoother(rows: Float, score: Float) -> Float:
    """Weight of each bin's observed share on the curve at each bin, (B, B)."""
    offset = score[None, :] - score[:, None]
    distance = np.abs(offset)
    order = np.argsort(distance, axis=1, kind="stable")
    enough = np.cumsum(rows[order], axis=1) >= SPAN * rows.sum() * (1.0 - 1e-12)
    farthest = np.take_along_axis(order, enough.argmax(axis=1)[:, None], axis=1)
    width = np.take_along_axis(distance, farthest, axis=1)
    near = np.where(width > 0, distance / np.where(width > 0, width, 1.0), np.where(distance > 0, 1.0, 0.0))
    weight = rows * (1.0 - np.minimum(near, 1.0) ** 3) ** 3
    scaled = np.where(width > 0, offset / np.where(width > 0, width, 1.0), 0.0)
    design = np.stack([np.ones_like(scaled), scaled, scaled**2], axis=-1)
    moments = np.einsum("bj,bjk,bjl->bkl", weight / weight.max(axis=1, keepdims=True), design, design)
    first_row = np.linalg.pinv(moments, rcond=1e-10, hermitian=True)[:, 0, :]
    found: Float = np.einsum("bk,bjk->bj", first_row, design) * weight / weight.max(axis=1, keepdims=True)
    return found
