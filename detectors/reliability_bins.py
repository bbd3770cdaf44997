"""Groups of neighbouring score bins, and what a reliability diagram needs of each: rows, outcomes and scores.

Groups have equal mass, as those of Hosmer & Lemeshow (1980, Commun. Stat. A 9:1043).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import MICRO, Bool, Float, Int, as_float
from detectors.estimate import Reason
from detectors.outcomes import Refusal

GROUPS = 10
"""Groups of equal mass that a reliability diagram has where nothing else is said."""


@dataclass(frozen=True, slots=True)
class ReliabilityBins:
    """Counts per score bin, their exact mean score, and the group of each bin; all (C, B). `n` (C,) counts rows.

    A bin's rows all stand at its mean score, which sums of scores make exact: sums of p are those of the rows, sums of p^2
    lack the spread within single score bins, which is what the sketch is fine for.
    """

    neg: Float
    pos: Float
    score: Float
    group: Int
    groups: int
    n: Float
    impossible: Bool

    @staticmethod
    def of(neg: ArrayLike, pos: ArrayLike, sum_micro: ArrayLike, groups: int | None = GROUPS) -> ReliabilityBins:
        """Counts (C, B) in rising score order and sums of score in millionths over both labels; no `groups`: each bin is one.

        A bin belongs to the group in which the middle of its rows lies, so rows of one score are never parted.

        >>> bins = ReliabilityBins.of([[8, 6, 0]], [[2, 4, 10]], [[1_000_000, 4_000_000, 9_000_000]], groups=2)
        >>> bins.group.tolist(), bins.score.tolist(), bins.sums(bins.pos).tolist()
        ([[0, 1, 1]], [[0.1, 0.4, 0.9]], [[2.0, 14.0]])
        """
        negatives, positives = np.atleast_2d(as_float(neg)), np.atleast_2d(as_float(pos))
        scores = np.atleast_2d(as_float(sum_micro)) / MICRO
        total = negatives + positives
        wrong = ~((negatives >= 0) & (positives >= 0) & np.isfinite(total) & (scores >= 0) & (scores <= total * (1 + 1e-9)))
        impossible: Bool = np.any(wrong, axis=1)
        negatives, positives = _cleared(negatives, impossible), _cleared(positives, impossible)
        total = negatives + positives
        mean = np.where(total > 0, np.minimum(_cleared(scores, impossible) / np.where(total > 0, total, 1.0), 1.0), 0.0)
        width, n = total.shape[1], total.sum(axis=1)
        if groups is None:
            code = np.broadcast_to(np.arange(width), total.shape)
            return ReliabilityBins(negatives, positives, mean, code, max(width, 1), n, impossible)
        middle = np.cumsum(total, axis=1) - total / 2.0
        share = middle / np.where(n > 0, n, 1.0)[:, None]
        code = np.minimum((share * groups).astype(np.int64), groups - 1)
        return ReliabilityBins(negatives, positives, mean, code, groups, n, impossible)

    @property
    def total(self) -> Float:
        """Rows per score bin, (C, B)."""
        return self.neg + self.pos

    def sums(self, values: Float) -> Float:
        """Sums of values (C, B) over the bins of each group, (C, G), added in the order of the bins."""
        cells = len(values)
        at = (self.group + np.arange(cells)[:, None] * self.groups).ravel()
        found = as_float(np.bincount(at, weights=values.ravel(), minlength=cells * self.groups))
        return found.reshape(cells, self.groups)

    def refusals(self) -> tuple[Refusal, ...]:
        """`degenerate_outcomes` where counts or sums are none that rows can give, `no_exposure` where there is no row."""
        return ((self.impossible, Reason.DEGENERATE_OUTCOMES), (self.n == 0, Reason.NO_EXPOSURE))


def _cleared(values: Float, cells: Bool) -> Float:
    return np.where(cells[:, None], 0.0, values)
