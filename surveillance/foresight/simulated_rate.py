"""A number of incidents that was simulated, with the standard error that the simulation leaves it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Float

CLEARLY = 2.0
"""Standard errors beyond which chance of the simulation explains no difference."""
_FEWEST_PARTS = 8
"""Parts of a simulated time from which their own variance is taken; fewer are taken as Poisson."""
UNSEEN = 0.5
"""Incidents that may have been missed where none was seen: the Jeffreys prior of a Poisson mean."""


class Rate(NamedTuple):
    """Incidents per 30 days with a Monte Carlo standard error, 0 where the number is exact; `breached` = share of looks that
    breach the level."""

    per_30_days: float
    error: float = 0.0
    breached: float = 0.0

    def clearly_within(self, share: float) -> bool:
        """Whether it is no more than `share`, beyond the error of the simulation."""
        return self.per_30_days + CLEARLY * self.error <= share

    def fits(self, share: float) -> bool:
        """The same, or that not a single look breached: rarer things than those are not simulated."""
        return self.breached == 0.0 or self.clearly_within(share)


def squared_error(counts: Float, weights: Float) -> float:
    """Variance of the sum over scopes and parts of `weights` (S,) x `counts` (S, P), incidents of scopes S in parts P of a time.

    The parts are independent of each other and all alike; scopes may depend on each other.
    """
    parts = weights @ counts
    if len(parts) < _FEWEST_PARTS:
        return float((weights**2 @ counts).sum())
    return float(len(parts) * np.var(parts, ddof=1))


def chance_of_coincidence(breach: float, k: int, of: int) -> float:
    """Probability that an independent look is the k-th breached of the last `of`, at most; each breaches with `breach`.

    >>> round(chance_of_coincidence(0.01, 2, 3), 6)
    0.0002
    """
    ways = math.lgamma(of) - math.lgamma(k) - math.lgamma(of - k + 1)
    return math.exp(min(0.0, ways + k * math.log(breach)))


def in_quadrature(errors: Iterable[float]) -> float:
    """Standard error of a sum of independent numbers."""
    return math.hypot(*errors)
