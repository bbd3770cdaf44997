"""Quantiles of right-censored delays: Kaplan and Meier's estimate with Brookmeyer and Crowley's interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special


def quantile_of_delays(delays: Sequence[tuple[float, bool]], q: float, level: float) -> tuple[float, float, float, str]:
    """(value, lower, upper, method) of (delay, seen) pairs, `seen` False where it was still waiting.

    A bound is the smallest delay at which the log-log interval of the survival reaches 1 - q; one that is not reached is
    the longest wait, with `upper_censored` in the method.
    """
    longest = max(delay for delay, _ in delays)
    value = lower = upper = None
    for delay, survival, low, high in _curve(delays, float(special.ndtri((1 + level) / 2))):
        if value is None and survival <= 1 - q + 1e-12:
            value = delay
        if lower is None and low <= 1 - q + 1e-12:
            lower = delay
        if upper is None and high <= 1 - q + 1e-12:
            upper = delay
    method = "kaplan_meier" if upper is not None else "kaplan_meier_upper_censored"
    found = [longest if one is None else one for one in (value, lower, upper)]
    return found[0], found[1], found[2], method


def _curve(delays: Sequence[tuple[float, bool]], z: float) -> list[tuple[float, float, float, float]]:
    """(delay, survival, lower, upper) after each delay that was seen."""
    at_risk, survival, greenwood, curve = len(delays), 1.0, 0.0, []
    for delay in sorted({delay for delay, _ in delays}):
        ended = sum(one == delay and seen for one, seen in delays)
        if ended:
            survival *= 1 - ended / at_risk
            greenwood += ended / (at_risk * (at_risk - ended)) if at_risk > ended else math.inf
            curve.append((delay, survival, *_log_log(survival, greenwood, z)))
        at_risk -= sum(one == delay for one, _ in delays)
    return curve


def _log_log(survival: float, greenwood: float, z: float) -> tuple[float, float]:
    if survival <= 0 or math.isinf(greenwood):
        return 0.0, 0.0
    if survival >= 1:
        return 1.0, 1.0
    width = z * math.sqrt(greenwood) / abs(math.log(survival))
    return survival ** math.exp(width), survival ** math.exp(-width)
