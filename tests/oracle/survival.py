"""Quantiles of right-censored delays: Kaplan and Meier's estimate, the beta product interval of Fay, Brittain and Proschan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scipy import stats

Moments = tuple[float, float]
"""Mean, and mean of the square."""


def quantile_of_delays(delays: Sequence[tuple[float, bool]], q: float, level: float) -> tuple[float, float, float, str]:
    """(value, lower, upper, method) of (delay, seen) pairs, `seen` False where it was still waiting.

    The upper bound is the first delay after which the survival is at most 1 - q for sure, the lower one the first after which
    it may be, as far as the next event will tell; 0 where it may be from the start. What is not reached is the longest wait,
    for the upper bound with `upper_censored` in the method, for the value with `unreached`.
    """
    tail, share, longest = (1 - level) / 2, 1 - q, max(delay for delay, _ in delays)
    value = upper = None
    lower = 0.0 if _chance(_with_beta((1.0, 1.0), len(delays), 1), share) >= tail else None
    for delay, seen, survival, moments, left in _steps(delays):
        if value is None and seen and survival <= share + 1e-12:
            value = delay
        if upper is None and seen and _chance(moments, share) >= 1 - tail:
            upper = delay
        if lower is None and (left == 0 or _chance(_with_beta(moments, left, 1), share) >= tail):
            lower = delay
    method = "kaplan_meier" if upper is not None else "kaplan_meier_upper_censored"
    if value is None:
        method = "kaplan_meier_unreached_upper_censored"
    found = [longest if one is None else one for one in (value, lower, upper)]
    return found[0], found[1], found[2], method


def _steps(delays: Sequence[tuple[float, bool]]) -> Iterator[tuple[float, bool, float, Moments, int]]:
    """Delay, whether it was seen, survival and its moments after it, and who is left; of equal delays those seen come first."""
    at_risk, survival, moments = len(delays), 1.0, (1.0, 1.0)
    for delay in sorted({delay for delay, _ in delays}):
        for seen in (True, False):
            count = delays.count((delay, seen))
            if seen and count:
                survival *= 1 - count / at_risk
                moments = _with_beta(moments, at_risk - count + 1, count)
            at_risk -= count
            if count:
                yield delay, seen, survival, moments, at_risk


def _with_beta(moments: Moments, a: float, b: float) -> Moments:
    """Moments of the product with an independent beta(a, b)."""
    return moments[0] * a / (a + b), moments[1] * a * (a + 1) / ((a + b) * (a + b + 1))


def _chance(moments: Moments, share: float) -> float:
    """Probability of at most `share` under the beta of these moments."""
    mean, square = moments
    size = (mean - square) / (square - mean**2)
    return float(stats.beta.cdf(share, mean * size, (1 - mean) * size))
