"""Quantiles of delays of which some are still running, from log bins: waits that nobody ended are censored, not dropped."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
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
    those of Brookmeyer & Crowley (1982, Biometrics 38:29): where Greenwood's interval of the survival on the log-log scale
    holds 1 - q. Who was censored when another wait ended was still at risk.

    A quantile or bound that the survival never reaches is the longest wait seen; where that is the upper bound, the method is
    `kaplan_meier_upper_censored`, and what lies above is not known. Unit of the sums = unit of the delays. `n` = all waits.

    `no_exposure` where nobody waited; `degenerate_outcomes` where a count or sum is negative or not finite, or q not in (0, 1).

    >>> found = delay_quantile([[8, 1, 0]], [[80, 30, 0]], [[0, 0, 1]], [[0, 0, 500]], q=0.5)[0]
    >>> found.value, found.lower, found.upper, found.n, found.method
    (10.0, 10.0, 10.0, 10, 'kaplan_meier')
    >>> delay_quantile([[8, 1, 0]], [[80, 30, 0]], [[0, 0, 1]], [[0, 0, 500]], q=0.95)[0].method
    'kaplan_meier_upper_censored'
    """
    counts = [np.atleast_2d(as_float(one)) for one in (ended, ended_sum, censored, censored_sum)]
    total = (counts[0] + counts[2]).sum(axis=1)
    usable = np.all([np.isfinite(one).all(axis=1) & (one >= 0).all(axis=1) for one in counts], axis=0) & (0 < q < 1)
    done, done_sum, waiting, waiting_sum = (np.where(usable[:, None], one, 0.0) for one in counts)
    times, dropped = _mean(done_sum, done), _mean(waiting_sum, waiting)
    survival, low, high = _survival(done, waiting, at_risk_after=dropped >= times, z=normal_quantile(level))
    longest = np.maximum(_last(times, done), _last(dropped, waiting))
    bounds = [_reached(band, times, done, 1.0 - q) for band in (survival, low, high)]
    value, lower, upper = (np.where(np.isnan(at), longest, at) for at in bounds)
    open_above = np.isnan(bounds[2])
    methods = np.where(open_above, UPPER_CENSORED, METHOD).tolist()
    refusals = [(~usable, Reason.DEGENERATE_OUTCOMES), (total == 0, Reason.NO_EXPOSURE)]
    return outcomes(value, lower, upper, total, methods, refusals=refusals)


def _mean(total: Float, count: Float) -> Float:
    return np.where(count > 0, total / np.maximum(count, 1e-300), 0.0)


def _last(times: Float, count: Float) -> Float:
    """The longest of the mean waits (C,) of bins that hold any."""
    longest: Float = np.max(np.where(count > 0, times, 0.0), axis=1, initial=0.0)
    return longest


def _survival(done: Float, waiting: Float, *, at_risk_after: Bool, z: float) -> tuple[Float, Float, Float]:
    """Survival after each bin and its log-log interval, each (C, B)."""
    still = done + waiting
    later = np.flip(np.cumsum(np.flip(still, axis=1), axis=1), axis=1) - still
    at_risk = later + done + np.where(at_risk_after, waiting, 0.0)
    left = at_risk - done
    survival = as_float(np.cumprod(np.where(done > 0, left / np.maximum(at_risk, 1e-300), 1.0), axis=1))
    greenwood = np.cumsum(np.where(done > 0, done / (np.maximum(at_risk, 1e-300) * left), 0.0), axis=1)
    inside = (survival > 0) & (survival < 1)
    log = np.log(np.where(inside, survival, 0.5))
    width = z * np.sqrt(np.where(inside, greenwood, 0.0)) / np.abs(log)
    low, high = np.exp(log * np.exp(width)), np.exp(log * np.exp(-width))
    return survival, np.where(inside, low, survival), np.where(inside, high, survival)


def _reached(band: Float, times: Float, done: Float, share: float) -> Float:
    """Time (C,) at which a survival first is no more than `share`; NaN where it never is."""
    below = (band <= share + _ROUNDING) & (done > 0)
    first = np.argmax(below, axis=1) if below.shape[1] else np.zeros(len(below), np.int64)
    rows = np.arange(len(below))
    return np.where(below.any(axis=1), times[rows, first] if below.shape[1] else 0.0, np.nan)
