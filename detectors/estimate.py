"""The two things a detector may return: a number with its uncertainty, or the named reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self


class Reason(StrEnum):
    """Why a number cannot be given. A closed set: it is a metric label and part of the public contract."""

    BELOW_MINIMUM_N = "below_minimum_n"
    IMMATURE_LABELS = "immature_labels"
    NO_POSITIVES = "no_positives"
    NO_NEGATIVES = "no_negatives"
    DEGENERATE_OUTCOMES = "degenerate_outcomes"
    SEPARATION = "separation"
    VERIFICATION_BIAS = "verification_bias"
    NO_EXPOSURE = "no_exposure"
    STALE = "stale"
    UNKNOWN_REFERENCE = "unknown_reference"
    BLIND = "blind"
    PARTIAL = "partial"
    EXHAUSTED = "exhausted"


LARGEST_E = 1e300
"""Where e-values end, so that they stay numbers."""


class _Fields(NamedTuple):
    value: float
    lower: float
    upper: float
    n: int
    method: str
    p: float | None = None
    e: float | None = None


class Estimate(_Fields):
    """A finite value with ordered bounds, the n it rests on and the method that made it.

    `p` is the p-value of the null hypothesis the method names, `e` its e-value, where the method has one.

    Raises:
        ValueError: a number is not finite, or not lower <= value <= upper.

    >>> Estimate(0.2, 0.06, 0.51, 10, "wilson").upper
    0.51
    >>> Estimate(0.2, 0.3, 0.51, 10, "wilson")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: estimate is not finite, or its bounds are out of order: Estimate(value=0.2, lower=0.3, ...
    """

    __slots__ = ()

    def __new__(
        cls, value: float, lower: float, upper: float, n: int, method: str, p: float | None = None, e: float | None = None
    ) -> Self:
        found = super().__new__(cls, value, lower, upper, n, method, p, e)
        if not -math.inf < lower <= value <= upper < math.inf:
            raise ValueError(f"estimate is not finite, or its bounds are out of order: {found}")
        return found


@dataclass(frozen=True, slots=True)
class Insufficient:
    """No number: the reason, the n at hand and the n that would be needed (0 where n is not what is missing).

    >>> Insufficient(Reason.BELOW_MINIMUM_N, n=12, needed=30).needed
    30
    """

    reason: Reason
    n: int = 0
    needed: int = 0


Outcome = Estimate | Insufficient
