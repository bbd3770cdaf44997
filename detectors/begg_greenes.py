"""Sensitivity, specificity and negative predictive value when only part of the cases is verified, by flag.

Verification may depend on the flag, not on the truth given the flag; then the share of positives among the verified of a
stratum holds for the whole stratum, and strata are weighted by their inferences, that is by inverse coverage (Begg & Greenes
1983, Biometrics 39:207). PPV needs no correction. All counts are (C,): verified flagged positives `tp` and negatives `fp`,
verified unflagged positives `fn` and negatives `tn`, and all inferences `flagged` and `unflagged`.

Refused everywhere: `verification_bias` where a stratum that exists has no verified case or nothing is unflagged,
`degenerate_outcomes` where counts are negative or more are verified than exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.outcomes import Refusal, outcomes

METHOD = "begg_greenes_logit"


@silent
def sensitivity(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike, level: float = 0.95
) -> list[Outcome]:
    """Share of positives that were flagged; `no_positives` where none is verified; `n` counts verified positives.

    >>> found = sensitivity([80], [20], [5], [95], flagged=[100], unflagged=[1000])[0]
    >>> round(found.value, 4), round(found.lower, 3), round(found.upper, 3)
    (0.6154, 0.398, 0.795)
    """
    strata = _Strata.of(tp, fp, fn, tn, flagged, unflagged)
    none = (strata.tp + strata.fn == 0, Reason.NO_POSITIVES)
    return _logit_share(strata, strata.tp, strata.fn, strata.tp + strata.fn, none, level)


@silent
def specificity(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike, level: float = 0.95
) -> list[Outcome]:
    """Share of negatives that were not flagged; `no_negatives` where none is verified; `n` counts verified negatives.

    >>> round(specificity([80], [20], [5], [95], flagged=[100], unflagged=[1000])[0].value, 4)
    0.9794
    """
    strata = _Strata.of(tp, fp, fn, tn, flagged, unflagged).swapped()
    none = (strata.tp + strata.fn == 0, Reason.NO_NEGATIVES)
    return _logit_share(strata, strata.tp, strata.fn, strata.tp + strata.fn, none, level)


@silent
def npv(
    tp: ArrayLike, fp: ArrayLike, fn: ArrayLike, tn: ArrayLike, *, flagged: ArrayLike, unflagged: ArrayLike, level: float = 0.95
) -> list[Outcome]:
    """Share of negatives among the unflagged; weights cancel within a stratum; `n` counts verified unflagged cases.

    >>> found = npv([80], [20], [5], [95], flagged=[100], unflagged=[1000])[0]
    >>> round(found.value, 4), round(found.lower, 3), round(found.upper, 3)
    (0.95, 0.885, 0.979)
    """
    strata = _Strata.of(tp, fp, fn, tn, flagged, unflagged)
    n = strata.fn + strata.tn
    value = strata.tn / np.where(n > 0, n, 1.0)
    good, bad = _off_the_ends(strata.tn, strata.fn)
    lower, upper = _expit_bounds(np.log(good / bad), 1.0 / good + 1.0 / bad, level)
    return outcomes(value, lower, upper, n, METHOD, refusals=strata.refusals())


@dataclass(frozen=True, slots=True)
class _Strata:
    tp: Float
    fp: Float
    fn: Float
    tn: Float
    flagged: Float
    unflagged: Float

    @staticmethod
    def of(*counts: ArrayLike) -> _Strata:
        return _Strata(*(np.atleast_1d(as_float(count)) for count in counts))

    def swapped(self) -> _Strata:
        """Negatives in the role of positives and unflagged in the role of flagged."""
        return _Strata(self.tn, self.fn, self.fp, self.tp, self.unflagged, self.flagged)

    def refusals(self) -> tuple[Refusal, ...]:
        verified, others = self.tp + self.fp, self.fn + self.tn
        negative: Bool = np.minimum.reduce([self.tp, self.fp, self.fn, self.tn]) < 0
        impossible = negative | ~(verified <= self.flagged) | ~(others <= self.unflagged)
        return (
            (impossible, Reason.DEGENERATE_OUTCOMES),
            (self.flagged + self.unflagged == 0, Reason.NO_EXPOSURE),
            ((verified == 0) | (others == 0), Reason.VERIFICATION_BIAS),
        )


def _logit_share(strata: _Strata, inside: Float, outside: Float, n: Float, none: Refusal, level: float) -> list[Outcome]:
    """Weighted inside / (inside + outside), its logit's variance by the delta method (Begg & Greenes 1983, eq. 3-4).

    The logit is that of the flagged share plus that of the positives' odds in both strata, three independent parts; counts
    of 0 get 1/2 for the interval only.
    """
    verified, others = strata.tp + strata.fp, strata.fn + strata.tn
    weighted_in = inside * (strata.flagged / np.where(verified > 0, verified, 1.0))
    weighted_out = outside * (strata.unflagged / np.where(others > 0, others, 1.0))
    whole = weighted_in + weighted_out
    value = weighted_in / np.where(whole > 0, whole, 1.0)
    tp, fp = _off_the_ends(strata.tp, strata.fp)
    fn, tn = _off_the_ends(strata.fn, strata.tn)
    flagged, unflagged = _off_the_ends(strata.flagged, strata.unflagged)
    logit = np.log(flagged / unflagged) + np.log(tp / (tp + fp)) - np.log(fn / (fn + tn))
    variance = 1.0 / flagged + 1.0 / unflagged + fp / (tp * (tp + fp)) + tn / (fn * (fn + tn))
    lower, upper = _expit_bounds(logit, variance, level)
    return outcomes(value, lower, upper, n, METHOD, refusals=(*strata.refusals(), none))


def _off_the_ends(one: Float, other: Float) -> tuple[Float, Float]:
    first, second = np.maximum(one, 0.0), np.maximum(other, 0.0)
    half = np.where((first == 0) | (second == 0), 0.5, 0.0)
    return first + half, second + half


def _expit_bounds(logit: Float, variance: Float, level: float) -> tuple[Float, Float]:
    reach = normal_quantile(level) * np.sqrt(variance)
    return 1.0 / (1.0 + np.exp(-np.clip(logit - reach, -700, 700))), 1.0 / (1.0 + np.exp(-np.clip(logit + reach, -700, 700)))
