"""A share when only part of the cases is verified, by flag, as the counts of a simple sample that would tell as much.

Verification may depend on the flag, not on the truth given the flag; then every verified case stands for w = inferences /
verified cases of its stratum (Begg & Greenes 1983, Biometrics 39:207). The corrected share R = A / (A + B) of weighted cases
inside and outside has the linearised variance sum N (w E[h^2] - (w - 1) E[h]^2) / (A + B)^2 over the strata, where h is 1 - R
of a case inside, -R of one outside and 0 of any other (Woodruff 1971, JASA 66:411): what is flagged is a sample, too. So R is
as sure as n = R (1 - R) / variance simple cases are (Kish 1965, Survey Sampling, 8.2; Korn & Graubard 1998, Surv. Methodol.
24:193), and every interval and test of simple counts serves. With all cases verified n is A + B.

A stratum in which no case was found on one side may hold some all the same. Whoever looks up from R therefore counts the cases
inside as if one more of the largest weight had been found, whoever looks down those outside (Fay & Feuer 1997, Stat. Med.
16:791); where all cases are verified, or many were found, that changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, Float, as_float
from detectors.estimate import Reason
from detectors.outcomes import Refusal, impossible_share

Event = Literal["prevalence", "sensitivity", "specificity", "npv"]
Counts = tuple[Float, Float]
"""Cases inside and all cases of a simple sample, (C,); fractional."""

_INSIDE, _OUTSIDE, _INSIDE_SQUARE, _OUTSIDE_SQUARE, _BOTH_IN, _IN_AND_OUT, _BOTH_OUT, _VERIFIED = range(8)


@dataclass(frozen=True, slots=True)
class VerifiedCounts:
    """Verified positives and negatives, and all inferences, of the unflagged and of the flagged; all (C, 2)."""

    positives: Float
    negatives: Float
    inferences: Float

    @staticmethod
    def of(
        tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike
    ) -> VerifiedCounts:
        """Counts (C,): verified flagged (`tp`, `fp`) and unflagged (`fn`, `tn`) cases, all inferences by flag."""
        pairs = ((fn, tp), (tn, fp), (unflagged, flagged))
        return VerifiedCounts(*(np.stack([np.atleast_1d(as_float(one)) for one in pair], axis=1) for pair in pairs))

    @property
    def wrong(self) -> Bool:
        """Cells whose counts are none that rows can give, (C,)."""
        verified = self.positives + self.negatives
        parts = impossible_share(self.positives, verified) | impossible_share(verified, self.inferences)
        found: Bool = np.any(parts | ~np.isfinite(self.inferences), axis=1)
        return found

    @property
    def unverified(self) -> Bool:
        """Cells with a stratum that exists and has no verified case, (C,)."""
        found: Bool = np.any((self.positives + self.negatives == 0) & (self.inferences > 0), axis=1)
        return found

    def refusals(self) -> tuple[Refusal, ...]:
        """`degenerate_outcomes`, `no_exposure` where nothing was inferred, `verification_bias`, as the properties say."""
        return (
            (self.wrong, Reason.DEGENERATE_OUTCOMES),
            (self.inferences.sum(axis=1) == 0, Reason.NO_EXPOSURE),
            (self.unverified, Reason.VERIFICATION_BIAS),
        )


@dataclass(frozen=True, slots=True)
class CorrectedShare:
    """A corrected share per cell, as sums over strata: `sums` (C, 8), and the `largest` weights inside and outside (C, 2)."""

    sums: Float
    largest: Float

    @staticmethod
    def of(counts: VerifiedCounts, event: Event) -> CorrectedShare:
        """The share of an event; a cell that `counts` refuses holds no case.

        >>> counts = VerifiedCounts.of([80], [20], [5], [95], flagged=[100], unflagged=[1000])
        >>> share = CorrectedShare.of(counts, "sensitivity")
        >>> round(float(share.value[0]), 4), [round(float(n[0]), 2) for n in (share.size_down, share.size_up)]
        (0.6154, [20.76, 20.76])
        """
        refused = (counts.wrong | counts.unverified)[:, None]
        positives, negatives, cases = (
            np.where(refused, 0.0, one) for one in (counts.positives, counts.negatives, counts.inferences)
        )
        verified = positives + negatives
        weight = np.where(verified > 0, cases / np.where(verified > 0, verified, 1.0), 0.0)
        unflagged, flagged = np.array([1.0, 0.0]), np.array([0.0, 1.0])
        side_in, may_in, side_out, may_out = {
            "prevalence": (positives, unflagged + flagged, negatives, unflagged + flagged),
            "sensitivity": (positives, flagged, positives, unflagged),
            "specificity": (negatives, unflagged, negatives, flagged),
            "npv": (negatives, unflagged, positives, unflagged),
        }[event]
        inside, outside = side_in * may_in, side_out * may_out
        share_in, share_out = (side / np.where(verified > 0, verified, 1.0) for side in (inside, outside))
        spared = cases * np.maximum(weight - 1.0, 0.0)
        terms = (
            weight * inside,
            weight * outside,
            weight**2 * inside,
            weight**2 * outside,
            spared * share_in**2,
            spared * share_in * share_out,
            spared * share_out**2,
            inside + outside,
        )
        sums = np.stack([term.sum(axis=1) for term in terms], axis=1)
        largest = np.stack([(weight * may).max(axis=1) for may in (may_in, may_out)], axis=1)
        return CorrectedShare(sums, largest)

    @property
    def others(self) -> CorrectedShare:
        """Of each cell the share of all other cells together, each case with the weight that it has in its own cell."""
        nothing = np.zeros((1, self.sums.shape[1]))
        before = np.cumsum(np.concatenate([nothing, self.sums[:-1]]), axis=0)[: len(self.sums)]
        after = np.cumsum(np.concatenate([nothing, self.sums[:0:-1]]), axis=0)[::-1][: len(self.sums)]
        least = np.zeros((1, 2))
        above = np.maximum.accumulate(np.concatenate([least, self.largest[:-1]]), axis=0)[: len(self.sums)]
        below = np.maximum.accumulate(np.concatenate([least, self.largest[:0:-1]]), axis=0)[::-1][: len(self.sums)]
        return CorrectedShare(before + after, np.maximum(above, below))

    @property
    def inside(self) -> Float:
        """Weighted cases inside, (C,)."""
        return self.sums[:, _INSIDE]

    @property
    def whole(self) -> Float:
        """Weighted cases that the share is of, (C,)."""
        found: Float = self.inside + self.sums[:, _OUTSIDE]
        return found

    @property
    def verified(self) -> Float:
        """Verified cases among them, (C,)."""
        return self.sums[:, _VERIFIED]

    @property
    def value(self) -> Float:
        """The share; 0 where there is no case."""
        found: Float = self.inside / np.where(self.whole > 0, self.whole, 1.0)
        return found

    @property
    def filled(self) -> Float:
        """The share where a side on which no case was found holds half a case of the largest weight, if not all are verified."""
        inside, outside = (
            np.where(self.sums[:, at] > 0, self.sums[:, at], np.maximum(self.largest[:, side] - 1.0, 0.0) / 2.0)
            for side, at in enumerate((_INSIDE, _OUTSIDE))
        )
        whole = inside + outside
        found: Float = inside / np.where(whole > 0, whole, 1.0)
        return found

    @property
    def size_down(self) -> Float:
        """Simple cases that would be as sure of what lies below the share, (C,)."""
        return self._size(0.0, 1.0)

    @property
    def size_up(self) -> Float:
        """Simple cases that would be as sure of what lies above the share, (C,)."""
        return self._size(1.0, 0.0)

    @property
    def down(self) -> Counts:
        """Counts for whoever looks down from the share."""
        return self.value * self.size_down, self.size_down

    @property
    def up(self) -> Counts:
        """Counts for whoever looks up from the share."""
        return self.value * self.size_up, self.size_up

    def _size(self, more_inside: float, more_outside: float) -> Float:
        share = self.value
        mean_in = self._mean_weight(_INSIDE, _INSIDE_SQUARE, 0, more_inside)
        mean_out = self._mean_weight(_OUTSIDE, _OUTSIDE_SQUARE, 1, more_outside)
        both_in, mixed, both_out = (self.sums[:, at] for at in (_BOTH_IN, _IN_AND_OUT, _BOTH_OUT))
        mean_h = (1.0 - share) ** 2 * both_in - 2.0 * share * (1.0 - share) * mixed + share**2 * both_out
        simple = share * (1.0 - share) * self.whole
        spared = np.where(simple > 0, mean_h / np.where(simple > 0, simple, 1.0), 0.0)
        effect = np.maximum((1.0 - share) * mean_in + share * mean_out - spared, 1.0)
        found: Float = self.whole / effect
        return found

    def _mean_weight(self, total: int, square: int, side: int, more: float) -> Float:
        most = self.largest[:, side]
        cases = self.sums[:, total] + more * most
        known = self.sums[:, square] + more * most**2
        return np.where(cases > 0, known / np.where(cases > 0, cases, 1.0), most)
