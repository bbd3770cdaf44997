"""Limits on plain values, without an interval: which value of one keeps false alarms inside a share of the budget."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Float
from surveillance.foresight.simulated_rate import Rate
from surveillance.manifest.metrics_inputs import ContextMix, Drift, InputQuality, OutOfDistribution
from surveillance.manifest.metrics_operation import DuplicateRate
from surveillance.manifest.metrics_performance import Prevalence
from surveillance.manifest.model_limits import LevelLimit
from surveillance.manifest.model_metrics import Metric

_MARGIN = 0.25
"""Of the way from the middle of the values to the last of them: so far beyond it a limit lies where none may breach."""


class PlainLimit(NamedTuple):
    """A condition on a value: breached above, or below, `value`; `last` = where a limit would say nothing more."""

    key: str
    value: float
    sign: int
    last: float


def plain_limit(metric: Metric, limit: LevelLimit) -> PlainLimit | None:
    """The condition of a level that compares the value itself; None where there is none."""
    of_shares = isinstance(metric, Prevalence | OutOfDistribution | InputQuality | DuplicateRate | ContextMix)
    if limit.above is not None:
        return PlainLimit("above", limit.above, 1, 1.0 if of_shares else math.inf)
    if limit.below is not None:
        return PlainLimit("below", limit.below, -1, 0.0 if of_shares else -math.inf)
    if isinstance(metric, Drift) and limit.ge is not None:
        return PlainLimit("ge", limit.ge, 1, math.inf)
    return None


def fitting_value(limit: PlainLimit, values: Float, rate: Callable[[float], Rate], share: float) -> float | None:
    """The limit nearest to the present one that fits, among ever rarer `values` (N,) of a quiet field; None where none does.

    `rate` of false alarms by limit falls as the limit moves outwards. Rounded outwards to three digits.
    """
    outwards = np.sort(limit.sign * values)
    beyond = outwards[outwards > limit.sign * limit.value]
    if not len(beyond):
        return None
    rarer = [_rounded(float(beyond[-at])) for at in _tail_places(len(beyond))]
    last = _rounded(float(beyond[-1] + _MARGIN * (beyond[-1] - np.median(outwards))))
    low, high = 0, len(rarer)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if rate(limit.sign * rarer[middle]).clearly_within(share) else (middle + 1, high)
    found = rarer[low] if low < len(rarer) else last
    usable = found < limit.sign * limit.last and (low < len(rarer) or rate(limit.sign * found).breached == 0.0)
    return limit.sign * found if usable else None


def _tail_places(values: int) -> list[int]:
    """Places from the end, each half as far as the one before: the last value is the rarest."""
    return [1 << power for power in reversed(range(values.bit_length()))]


def _rounded(value: float) -> float:
    """Up to three digits."""
    if value == 0.0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.3g}")
