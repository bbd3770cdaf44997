"""Quantiles of delays of which some are still running, from log bins: waits that nobody ended are censored, not dropped."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.outcomes import outcomes

METHOD = "kaplan_meier"
UPPER_CENSORED = "kaplan_meier_upper_censored"
_ROUNDING = 1e-12


@silent
def delay_quantile(
    ended: ArrayLike, ended_sum: ArrayLike, censored: ArrayLike, censored_sum: ArrayLike, *, q: float, level: float = 0.95
) -> list[Outcome]:
    """The `q`-quantile of delays, from counts and exact sums of ended and of censored waits by bin, each (C, B), bins ascending.

    Survival by Kaplan & Meier (1958, JASA 53:457); the waits of a bin stand at their mean, so equal waits are exact. Bounds are
    where the beta product interval of the survival (Fay, Brittain & Proschan 2013, Biostatistics 14:723) holds 1 - q, as
    Brookmeyer & Crowley (1982, Biometrics 38:29) invert one. Where nobody is censored they are the exact ones of the binomial,
    so that of the 0.95-quantile has no upper end below 72 waits. Who was censored when another wait ended was still at risk.

    Measured coverage of one look at 95 % (Greenwood's log-log interval, for comparison, in brackets), exponential waits:

    ================ =========== =========== =========== ===========
    q, waits         .5, 60      .5, 400     .95, 60     .95, 400
    none censored    .971 (.959) .961 (.956) .990 (.927) .962 (.962)
    a fifth censored .965 (.949) .957 (.950) .988 (.753) .967 (.953)
    ================ =========== =========== =========== ===========

    The lower bound is 0 where so few waits exclude no shorter one. A quantile or bound that the survival never reaches is the
    longest wait seen; where that is the upper bound, the method is `kaplan_meier_upper_censored`, and what lies above is not
    known. Unit of the sums = unit of the delays. `n` = all waits.

    `no_exposure` where nobody waited; `degenerate_outcomes` where a count or sum is negative or not finite, or q not in (0, 1).

    >>> found = delay_quantile([[8, 1, 0]], [[80, 30, 0]], [[0, 0, 1]], [[0, 0, 500]], q=0.5)[0]
    >>> found.value, found.lower, found.upper, found.n, found.method
    (10.0, 10.0, 30.0, 10, 'kaplan_meier')
    >>> delay_quantile([[8, 1, 0]], [[80, 30, 0]], [[0, 0, 1]], [[0, 0, 500]], q=0.95)[0].method
    'kaplan_meier_upper_censored'
    """
    counts = [np.atleast_2d(as_float(one)) for one in (ended, ended_sum, censored, censored_sum)]
    total = (counts[0] + counts[2]).sum(axis=1)
    usable = np.all([np.isfinite(one).all(axis=1) & (one >= 0).all(axis=1) for one in counts], axis=0) & (0 < q < 1)
    done, done_sum, waiting, waiting_sum = (np.where(usable[:, None], one, 0.0) for one in counts)
    times, dropped = _mean(done_sum, done), _mean(waiting_sum, waiting)
    steps = _Steps.of((done, waiting), (times, dropped), events_first=dropped >= times)
    longest = np.maximum(_last(times, done), _last(dropped, waiting))
    share, tail = 1.0 - q, (1.0 - level) / 2.0
    reached = steps.first(steps.survival <= share + _ROUNDING, steps.events > 0)
    above = steps.first(steps.chance_below(share, over_next=False) >= 1.0 - tail, steps.events > 0)
    below = steps.first(steps.chance_below(share, over_next=True) >= tail, steps.leaving > 0)
    below = np.where(share**total >= tail, 0.0, below)
    value, lower, upper = (np.where(np.isnan(at), longest, at) for at in (reached, below, above))
    methods = np.where(np.isnan(above), UPPER_CENSORED, METHOD).tolist()
    refusals = [(~usable, Reason.DEGENERATE_OUTCOMES), (total == 0, Reason.NO_EXPOSURE)]
    return outcomes(value, lower, upper, total, methods, refusals=refusals)


class _Steps(NamedTuple):
    """Events, and the censored, in order of time: who was at risk, who left, how many of them by an event, when; (C, 2 B)."""

    at_risk: Float
    leaving: Float
    events: Float
    time: Float

    @staticmethod
    def of(counts: tuple[Float, Float], times: tuple[Float, Float], *, events_first: Bool) -> _Steps:
        """Ended and censored waits of each bin, and their mean times, (C, B)."""
        (done, waiting), (ended_at, dropped_at) = counts, times
        nobody = np.zeros_like(done)
        leaving = _in_turn(events_first, done, waiting)
        later = np.flip(np.cumsum(np.flip(leaving, axis=1), axis=1), axis=1)
        return _Steps(later, leaving, _in_turn(events_first, done, nobody), _in_turn(events_first, ended_at, dropped_at))

    @property
    def survival(self) -> Float:
        """Kaplan and Meier's, after each step."""
        return as_float(np.cumprod(1.0 - self.events / np.where(self.events > 0, self.at_risk, 1.0), axis=1))

    def chance_below(self, share: float, *, over_next: bool) -> Float:
        """How probably the survival after a step is at most `share`, (C, 2 B), by the product of betas of its events.

        With `over_next` it may have fallen already as far as the next event will show. The product is taken as the beta of the
        same mean and variance, kept as the log of the mean and that of 1 + variance / mean^2, as both are near 0 for many waits.
        """
        at_risk, events = self.at_risk, self.events
        log_mean = np.cumsum(np.log1p(-events / (at_risk + 1.0)), axis=1)
        log_spread = np.cumsum(np.log1p(events / ((at_risk - events + 1.0) * (at_risk + 2.0))), axis=1)
        left = at_risk - self.leaving
        if over_next:
            log_mean = log_mean - np.log1p(1.0 / left)
            log_spread = log_spread + np.log1p(1.0 / (left * (left + 2.0)))
        asked = (self.leaving > 0) & (left > 0 if over_next else events > 0)
        mean, spread = np.exp(log_mean[asked]), np.expm1(log_spread[asked])
        inside = -np.expm1(log_mean[asked] + log_spread[asked]) / spread
        chance = np.where(left > 0, 0.0, 1.0)
        chance[asked] = special.betainc(inside, -np.expm1(log_mean[asked]) / mean * inside, share)
        return chance

    def first(self, holds: Bool, among: Bool) -> Float:
        """Time (C,) of the first of some steps at which something holds; NaN where it never does."""
        found = holds & among
        if not found.shape[1]:
            return np.full(len(found), np.nan)
        first = np.argmax(found, axis=1)
        rows = np.arange(len(found))
        return np.where(found[rows, first], self.time[rows, first], np.nan)


def _in_turn(events_first: Bool, of_events: Float, of_censored: Float) -> Float:
    """Two steps for each bin, (C, 2 B)."""
    pair = np.where(events_first, of_events, of_censored), np.where(events_first, of_censored, of_events)
    return np.stack(pair, axis=2).reshape(len(of_events), 2 * of_events.shape[1])


def _mean(total: Float, count: Float) -> Float:
    return np.where(count > 0, total / np.maximum(count, 1e-300), 0.0)


def _last(times: Float, count: Float) -> Float:
    """The longest of the mean waits (C,) of bins that hold any."""
    longest: Float = np.max(np.where(count > 0, times, 0.0), axis=1, initial=0.0)
    return longest
