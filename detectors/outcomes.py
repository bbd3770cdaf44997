"""From arrays over cells to one `Estimate` or `Insufficient` per cell: the only place where detectors build them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np

from detectors.arrays import Bool, Float
from detectors.estimate import Estimate, Insufficient, Outcome, Reason

Refusal = tuple[Bool, Reason]
"""Cells (C,) that get no number, and why."""

_LARGEST_N = 2.0**62


def outcomes(
    value: Float,
    lower: Float,
    upper: Float,
    n: Float,
    method: str | Sequence[str],
    *,
    refusals: Sequence[Refusal] = (),
    p: Float | None = None,
    e: Float | None = None,
) -> list[Outcome]:
    """One outcome per cell from arrays of shape (C,); the first refusal that holds for a cell wins.

    Bounds are widened to contain the value, which repairs rounding in their last digit. A cell whose numbers are not
    finite although no refusal names it is `degenerate_outcomes`: its input was no count that data can give. A cell whose `p`
    or `e` is NaN has none.

    >>> import numpy as np
    >>> ones = np.ones(2)
    >>> found = outcomes(ones / 2, ones * 0.4, ones * 0.6, ones * 9, "m", refusals=[(ones == [0, 1], Reason.NO_EXPOSURE)])
    >>> found[0].upper, found[1].reason.value
    (0.6, 'no_exposure')
    """
    lower = np.minimum(lower, value)
    upper = np.maximum(upper, value)
    reasons = _reasons(value, lower, upper, refusals)
    whole = _whole_numbers(n)
    methods = repeat(method) if isinstance(method, str) else method
    found = _estimates(value.tolist(), lower.tolist(), upper.tolist(), whole, methods, _known(p), _known(e))
    for cell, reason in reasons.items():
        found[cell] = Insufficient(reason, whole[cell])
    return found


def _estimates(*columns: Iterable[object]) -> list[Outcome]:
    """Estimates from their fields, each a column over the cells.

    They are made as the tuples they are, because what a call checks of one cell was checked of all at once: bounds contain the
    value, and a cell that is not finite is refused.
    """
    return list(map(tuple.__new__, repeat(Estimate), zip(*columns, strict=False)))


def _known(numbers: Float | None) -> Iterable[float | None]:
    if numbers is None:
        return repeat(None)
    return [number if math.isfinite(number) else None for number in numbers.tolist()]


def _reasons(value: Float, lower: Float, upper: Float, refusals: Sequence[Refusal]) -> dict[int, Reason]:
    named: dict[int, Reason] = {}
    finite = np.isfinite(value + lower + upper)
    for mask, reason in (*refusals, (~finite, Reason.DEGENERATE_OUTCOMES)):
        if np.count_nonzero(mask):
            for cell in np.flatnonzero(mask).tolist():
                named.setdefault(cell, reason)
    return named


def _whole_numbers(n: Float) -> list[int]:
    whole: list[int] = np.fmin(np.fmax(n, 0.0), _LARGEST_N).astype(np.int64).tolist()
    return whole


def impossible_share(k: Float, n: Float) -> Bool:
    """Where k of n is no share that counting can give: negative, or more than all."""
    return ~((k >= 0) & (k <= n))
