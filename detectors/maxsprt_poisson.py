"""Poisson maximised sequential probability ratio test: events against a known expectation, looked at as they come.

Kulldorff et al. 2011, Sequential Analysis 30:58; minimum events and delayed start: Kulldorff & Silva 2015, Statistics in
Medicine 34:2155. Time is mu, the number of events expected so far under the null hypothesis, and ends at the horizon T.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.outcomes import outcomes

_SMALLEST, _LARGEST = 1e-6, 100.0
"""Critical values that are looked for lie between these."""
_TOLERANCE = 1e-10
_NEGLIGIBLE = 1e-16


@silent
def log_likelihood_ratio(n: ArrayLike, mu: ArrayLike, *, minimum_events: int = 1) -> Float:
    """N ln(n/mu) - (n - mu): the best excess rate against the null; 0 below `minimum_events`, or without an excess.

    >>> [round(float(llr), 4) for llr in log_likelihood_ratio([4, 12, 12], [3.0, 3.0, 15.0], minimum_events=5)]
    [0.0, 7.6355, 0.0]
    """
    count, expected = as_float(n), as_float(mu)
    ratio = special.xlogy(count, count / expected) - (count - expected)
    return np.where((count >= minimum_events) & (count > expected), np.maximum(ratio, 0.0), 0.0)


@silent
def maxsprt_poisson(n: ArrayLike, mu: ArrayLike, *, horizon: float, minimum_events: int = 1) -> list[Outcome]:
    """The log likelihood ratio of n events where mu were expected; both (C,).

    `exhausted` where mu has reached the horizon: all of alpha is spent, so that a later excess would mean nothing;
    `no_exposure` where nothing was expected yet, `degenerate_outcomes` where n or mu is no count.

    >>> maxsprt_poisson([12], [3.0], horizon=20, minimum_events=4)[0].value.__round__(4)
    7.6355
    >>> maxsprt_poisson([12], [20.0], horizon=20)[0].reason.value
    'exhausted'
    """
    count, expected = as_float(n), as_float(mu)
    llr = log_likelihood_ratio(count, expected, minimum_events=minimum_events)
    impossible = ~((count >= 0) & (expected >= 0) & np.isfinite(count) & np.isfinite(expected))
    refusals = [
        (impossible, Reason.DEGENERATE_OUTCOMES),
        (expected >= horizon, Reason.EXHAUSTED),
        (expected == 0, Reason.NO_EXPOSURE),
    ]
    return outcomes(llr, llr, llr, count, "maxsprt_poisson", refusals=refusals)


@dataclass(frozen=True, slots=True)
class Performance:
    """What a test does before its horizon: probability of a signal, and mean mu at the signal where there is one (else inf)."""

    power: float
    mean_mu: float


def performance(
    critical_value: float, horizon: float, *, relative_risk: float = 1.0, minimum_events: int = 1, start: float = 0.0
) -> Performance:
    """Exact performance of the test that signals at LLR >= `critical_value`, when events come at `relative_risk` times the
    expected rate. `start` = mu before which it is not looked at (the delay D of the published tables).

    The n-th event signals iff it comes by mu_n, where LLR(n, mu_n) is the critical value. So counts that have not signalled
    are carried from one mu_n to the next, Poisson numbers added, and those that reach n by mu_n taken out.

    Raises:
        ValueError: a number is not positive and finite, or the start lies beyond the horizon.

    >>> round(performance(2.853937, 1.0).power, 6)
    0.05
    >>> found = performance(3.467952, 10.0, relative_risk=2.0)
    >>> round(found.power, 3), round(found.mean_mu, 2)
    (0.685, 4.13)
    """
    positive = (critical_value, horizon, relative_risk, float(minimum_events))
    if not (all(0 < number < math.inf for number in positive) and 0 <= start < horizon):
        raise ValueError(f"no test has cv={critical_value}, T={horizon}, RR={relative_risk}, M={minimum_events}, D={start}")
    alive, at = np.ones(1), 0.0
    power, mean = 0.0, 0.0
    n = minimum_events
    while _latest_mu(n, critical_value) < start:
        n += 1
    while at < horizon:
        until = min(_latest_mu(n, critical_value), horizon)
        signals, time = _signals(alive, n, at, until, max(start, at), relative_risk)
        power, mean = power + signals, mean + time
        alive, at = _carried(alive, (until - at) * relative_risk, n), until
        n += 1
        if alive.sum() < _NEGLIGIBLE:
            break
    return Performance(min(power, 1.0), mean / power if power > 0 else math.inf)


def critical_value(horizon: float, alpha: float, *, minimum_events: int = 1, start: float = 0.0) -> float:
    """The smallest critical value with which the test signals falsely with probability at most alpha before the horizon.

    It spends alpha exactly without a delayed start. With one, as many events may be one too few and one more too many.

    Raises:
        ValueError: no such value, because so many events come by the horizon with less probability than alpha.

    >>> round(critical_value(1.0, 0.05), 6), round(critical_value(20.0, 0.05, minimum_events=4), 6)
    (2.853937, 3.17637)
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1: {alpha}")

    def excess(value: float) -> float:
        return performance(value, horizon, minimum_events=minimum_events, start=start).power - alpha

    if excess(_SMALLEST) <= 0:
        raise ValueError(f"{minimum_events} events by {horizon:g} expected ones are less probable than {alpha:g}")
    found = float(optimize.brentq(excess, _SMALLEST, _LARGEST, xtol=_TOLERANCE))
    return found if excess(found) <= 0 else found + 2 * _TOLERANCE


def _latest_mu(n: int, critical_value: float) -> float:
    """Mu at which n events are just enough: the root below n of n ln(n/mu) - (n - mu) = critical value."""
    return -n * float(special.lambertw(-math.exp(-1.0 - critical_value / n)).real)


def _carried(alive: Float, mean: float, n: int) -> Float:
    """Probabilities of 0..n-1 events, none of which signalled, after Poisson(mean) more."""
    if mean <= 0:
        return alive[:n]
    most = min(n, math.ceil(mean + 12 * math.sqrt(mean) + 30))
    more = np.arange(most)
    return np.convolve(alive, np.exp(more * math.log(mean) - mean - special.gammaln(more + 1.0)))[:n]


def _signals(alive: Float, n: int, since: float, until: float, looked_from: float, rate: float) -> tuple[float, float]:
    """Probability that the n-th event comes in (since, until], and that probability times the mean mu of the signal.

    An event before the test is looked at signals at its start.
    """
    missing = n - np.arange(len(alive))
    width = (until - since) * rate
    reached = special.gammainc(missing, width)
    early = special.gammainc(missing, (looked_from - since) * rate)
    later = special.gammainc(missing + 1.0, width) - special.gammainc(missing + 1.0, (looked_from - since) * rate)
    time = early * looked_from + (reached - early) * since + missing / rate * later
    return float(alive @ reached), float(alive @ time)
