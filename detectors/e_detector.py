"""e-detector for a rise of an event's probability: a chart that keeps its average run length whatever the data's distribution.

Shin, Ramdas & Rinaldo 2024, New England Journal of Statistics in Data Science 2:229 ("E-detectors: a nonparametric framework
for sequential change detection"). Each pane is an e-value of "the probability is at most p0"; the Shiryaev-Roberts form
M = (M + 1) x e has at least 1/alpha panes between false signals at M >= 1/alpha on average, by Doob's optional stopping.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import MOST, Float, numbers
from detectors.estimate import LARGEST_E

_BETS = 12
_NOTHING = -math.inf
_MOST_TRIALS = 1e19
"""More than any count there is, so that what is folded stays a number."""


@dataclass(frozen=True, slots=True)
class EDetector:
    """State over cells (C,): the log of M for each of the bets (C, bets), which are mixed with equal weights."""

    p0: float
    log_m: Float

    @property
    def value(self) -> Float:
        """M of each cell, shape (C,), at most 1e300.

        >>> start(0.1, cells=1).fold([5], [20]).value.round(2).tolist()
        [4.12]
        """
        mixed = special.logsumexp(_inside(self.log_m), axis=1) - math.log(_BETS)
        return np.exp(np.minimum(mixed, math.log(LARGEST_E)))

    def fold(self, events: ArrayLike, trials: ArrayLike) -> EDetector:
        """The state after a pane of `trials` with so many `events`, both (C,). A pane without trials is none.

        Each bet multiplies by 1 + b (x - p0) for every trial x, which is an e-value whatever else x depends on.
        """
        total = np.maximum(numbers(trials, _MOST_TRIALS), 0.0)
        seen = np.clip(numbers(events, _MOST_TRIALS), 0.0, total)
        bets = _bets(self.p0)
        gained = seen[:, None] * np.log1p(bets * (1.0 - self.p0)) + (total - seen)[:, None] * np.log1p(-bets * self.p0)
        before = _inside(self.log_m)
        after = np.logaddexp(before, 0.0) + gained
        return EDetector(self.p0, np.where(total[:, None] > 0, after, before))


def start(p0: float, *, cells: int) -> EDetector:
    """Nothing seen yet.

    Raises:
        ValueError: p0 is not strictly between 0 and 1.
    """
    if not 0 < p0 < 1:
        raise ValueError(f"p0 must lie between 0 and 1: {p0}")
    return EDetector(p0, np.full((cells, _BETS), _NOTHING))


def _inside(log_m: Float) -> Float:
    """The logarithms at most 1e300; where one is no number, nothing was seen."""
    return np.where(np.isnan(log_m), _NOTHING, np.minimum(log_m, MOST))


def _bets(p0: float) -> Float:
    """Bets that are best for rises to 1.1 up to about 6 times the odds: (p1 - p0) / (p0 (1 - p0)) for each p1."""
    odds = p0 / (1.0 - p0) * np.geomspace(1.1, 6.0, _BETS)
    p1 = odds / (1.0 + odds)
    return (p1 - p0) / (p0 * (1.0 - p0))
