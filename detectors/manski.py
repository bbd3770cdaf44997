"""Bounds of accuracy over all cases while some labels are missing, with no assumption about the missing ones.

Whatever the missing labels say, the share over all cases lies between the shares that their worst and their best case would
give (Manski 1989, J. Hum. Resour. 24:343; for sensitivity and specificity Zhou 1993, Comm. Stat. 22:3177). The bounds show what
is not known, not chance: of complete labels they are the value itself. All counts are (C,): labelled flagged positives `tp`
and negatives `fp`, labelled unflagged positives `fn` and negatives `tn`, and all inferences `flagged` and `unflagged`. The value
is the share among the labelled, `n` its denominator.

Refused everywhere: `degenerate_outcomes` where counts are negative or more are labelled than exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.outcomes import outcomes

METHOD = "manski"


@silent
def sensitivity(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike
) -> list[Outcome]:
    """Share of positives that were flagged; `no_positives` where none is labelled.

    >>> found = sensitivity([80], [20], [8], [92], flagged=[110], unflagged=[112])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3)
    (0.909, 0.8, 0.918)
    """
    cases = _Cases.of(tp, fp, fn, tn, flagged, unflagged)
    return cases.among(cases.tp, cases.fn, cases.flagged_pending, cases.unflagged_pending, Reason.NO_POSITIVES)


@silent
def specificity(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike
) -> list[Outcome]:
    """Share of negatives that were not flagged; `no_negatives` where none is labelled.

    >>> found = specificity([80], [20], [8], [92], flagged=[110], unflagged=[112])[0]
    >>> round(found.lower, 3), round(found.upper, 3)
    (0.754, 0.839)
    """
    cases = _Cases.of(tp, fp, fn, tn, flagged, unflagged)
    return cases.among(cases.tn, cases.fp, cases.unflagged_pending, cases.flagged_pending, Reason.NO_NEGATIVES)


@silent
def ppv(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike) -> list[Outcome]:
    """Share of positives among the flagged; `no_exposure` where none of them is labelled.

    >>> found = ppv([80], [20], [8], [92], flagged=[110], unflagged=[112])[0]
    >>> round(found.lower, 3), round(found.upper, 3)
    (0.727, 0.818)
    """
    cases = _Cases.of(tp, fp, fn, tn, flagged, unflagged)
    return cases.among(cases.tp, cases.fp, cases.flagged_pending, cases.flagged_pending, Reason.NO_EXPOSURE)


@silent
def npv(tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike) -> list[Outcome]:
    """Share of negatives among the unflagged; `no_exposure` where none of them is labelled.

    >>> found = npv([80], [20], [8], [92], flagged=[110], unflagged=[112])[0]
    >>> round(found.lower, 3), round(found.upper, 3)
    (0.821, 0.929)
    """
    cases = _Cases.of(tp, fp, fn, tn, flagged, unflagged)
    return cases.among(cases.tn, cases.fn, cases.unflagged_pending, cases.unflagged_pending, Reason.NO_EXPOSURE)


@silent
def prevalence(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike
) -> list[Outcome]:
    """Share of positives among all; `no_exposure` where none is labelled.

    >>> found = prevalence([80], [20], [8], [92], flagged=[110], unflagged=[112])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3)
    (0.44, 0.396, 0.495)
    """
    cases = _Cases.of(tp, fp, fn, tn, flagged, unflagged)
    pending = cases.flagged_pending + cases.unflagged_pending
    return cases.among(cases.tp + cases.fn, cases.fp + cases.tn, pending, pending, Reason.NO_EXPOSURE)


@dataclass(frozen=True, slots=True)
class _Cases:
    tp: Float
    fp: Float
    fn: Float
    tn: Float
    flagged_pending: Float
    unflagged_pending: Float

    @staticmethod
    def of(*counts: ArrayLike) -> _Cases:
        tp, fp, fn, tn, flagged, unflagged = (np.atleast_1d(as_float(count)) for count in counts)
        return _Cases(tp, fp, fn, tn, flagged - tp - fp, unflagged - fn - tn)

    def among(self, inside: Float, outside: Float, may_be_in: Float, may_be_out: Float, none: Reason) -> list[Outcome]:
        """Share inside / (inside + outside), where cases without a label may all be inside at best, all outside at worst."""
        labelled = inside + outside
        value = inside / np.where(labelled > 0, labelled, 1.0)
        worst, best = labelled + may_be_out, labelled + may_be_in
        lower = inside / np.where(worst > 0, worst, 1.0)
        upper = (inside + may_be_in) / np.where(best > 0, best, 1.0)
        every = (self.tp, self.fp, self.fn, self.tn, self.flagged_pending, self.unflagged_pending)
        sound = np.logical_and.reduce([count >= 0 for count in every])
        refusals = [(~sound, Reason.DEGENERATE_OUTCOMES), (labelled == 0, none)]
        return outcomes(value, lower, upper, labelled, METHOD, refusals=refusals)
