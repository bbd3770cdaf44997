"""Labelled scores of many cells, as counts of both classes by score bin: read once for every detector on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, Float, silent
from detectors.estimate import Reason
from detectors.occupied import Occupied
from detectors.outcomes import Refusal


@dataclass(frozen=True, slots=True)
class ScoreBins:
    """The bins in use (N,) of all cells (C,), and how many rows of each class they hold."""

    at: Occupied
    neg: Float
    """(N,)"""
    pos: Float
    """(N,)"""
    fewer: Float
    """(N,) rows of the class that has fewer in the bin."""
    negatives: Float
    """(C,)"""
    positives: Float
    """(C,)"""
    n: Float
    """(C,) labelled rows."""
    impossible: Bool
    """(C,) where a count is negative or no number."""

    @staticmethod
    @silent
    def of(neg: ArrayLike, pos: ArrayLike) -> ScoreBins:
        """From counts of each class per bin in rising score order, both (C, B).

        >>> bins = ScoreBins.of([[3, 0, 1], [0, 0, 2]], [[1, 0, 3], [0, 0, 0]])
        >>> bins.negatives.tolist(), bins.positives.tolist(), bins.neg.tolist()
        ([4.0, 2.0], [4.0, 0.0], [3.0, 1.0, 2.0])
        """
        at = Occupied.of(neg, pos)
        of_negatives, of_positives = at.pick(neg), at.pick(pos)
        fewer = np.minimum(of_negatives, of_positives)
        negatives, positives = at.sum(of_negatives), at.sum(of_positives)
        n = negatives + positives
        impossible = ~np.isfinite(n) | (at.least(fewer) < 0)
        return ScoreBins(at, of_negatives, of_positives, fewer, negatives, positives, n, impossible)

    def class_refusals(self) -> tuple[Refusal, ...]:
        """Cells whose counts none can be, and cells without rows of one class."""
        return (
            (self.impossible, Reason.DEGENERATE_OUTCOMES),
            (~(self.positives > 0), Reason.NO_POSITIVES),
            (~(self.negatives > 0), Reason.NO_NEGATIVES),
        )

    @property
    def of_one_class(self) -> Bool:
        """(C,) which cells lack rows of a class."""
        return ~((self.positives > 0) & (self.negatives > 0))
