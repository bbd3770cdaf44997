"""The share k of n with the interval that the monitor names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import Bounds, beta_binomial_confidence_sequence, clopper_pearson, wilson
from detectors.outcomes import impossible_share, outcomes

Method = Literal["wilson", "clopper_pearson", "confidence_sequence"]

_INTERVALS: dict[Method, Callable[[ArrayLike, ArrayLike, float], Bounds]] = {
    "wilson": wilson,
    "clopper_pearson": clopper_pearson,
    "confidence_sequence": beta_binomial_confidence_sequence,
}


def share_bounds(k: ArrayLike, n: ArrayLike, method: Method, level: float) -> Bounds:
    """Bounds of the share k of n by the interval of that name, as `intervals` has it; counts may be fractional.

    >>> [round(float(bound[0]), 4) for bound in share_bounds([2], [10], "clopper_pearson", 0.95)]
    [0.0252, 0.5561]
    """
    return _INTERVALS[method](k, n, level)


@silent
def proportion(k: ArrayLike, n: ArrayLike, *, method: Method, level: float = 0.95) -> list[Outcome]:
    """The share of k in n, both (C,), in [0, 1], with one of the intervals of `intervals`.

    `wilson` is the score interval (Wilson 1927, JASA 22:209), `clopper_pearson` the exact one (Clopper & Pearson 1934,
    Biometrika 26:404), `confidence_sequence` holds at all n at once (Robbins 1970, Ann. Math. Stat. 41:1397).

    `no_exposure` where n is 0, `degenerate_outcomes` where k is not between 0 and n.

    Raises:
        ValueError: the level is not between 0 and 1.

    >>> proportion([2], [10], method="wilson")[0].upper.__round__(4)
    0.5098
    """
    part, whole = as_float(k), as_float(n)
    lower, upper = share_bounds(part, whole, method, level)
    value = part / np.where(whole > 0, whole, 1.0)
    refusals = [(whole == 0, Reason.NO_EXPOSURE), (impossible_share(part, whole), Reason.DEGENERATE_OUTCOMES)]
    return outcomes(value, lower, upper, whole, method, refusals=refusals)
