"""Quantile of numbers counted in bins with the exact sum of each bin, so that equal values come out exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.outcomes import outcomes
from detectors.within_bin import at_rank, lower_edges, spreads

_ROUNDING = 1e-9


@silent
def binned_quantile(count: ArrayLike, total: ArrayLike, edges: ArrayLike, *, q: float, method: str) -> list[Outcome]:
    """The smallest value that at least a share `q` of the numbers do not exceed, from counts and sums by bin, each (C, B).

    Definition 1 of Hyndman & Fan (1996, Am. Stat. 50:361), told at its rank inside its bin (within_bin.py): exact where the
    numbers are equal, off by less than the bin's width else, and on the right side of every bin edge. `edges` = upper edges
    (B,), ascending, in the unit of the sums. The bounds are the value: the quantile is told of the numbers seen, as `method`
    names.

    `no_exposure` where there are none, `degenerate_outcomes` where a count is negative, a number is not finite, or q not in
    (0, 1].

    >>> found = binned_quantile([[19, 0, 1]], [[38, 0, 60]], [4, 32, 64], q=0.95, method="p95")[0]
    >>> found.value, found.n, found.method
    (2.0, 20, 'p95')
    """
    counts, totals = np.atleast_2d(as_float(count)), np.atleast_2d(as_float(total))
    usable: Bool = np.all(np.isfinite(counts) & np.isfinite(totals) & (counts >= 0), axis=1) & (0 < q <= 1)
    counts = np.where(usable[:, None], counts, 0.0)
    n = counts.sum(axis=1)
    upto, asked = np.cumsum(counts, axis=1), q * n - _ROUNDING
    reached = (upto >= asked[:, None]) & (counts > 0)
    value = np.zeros(len(counts))
    if counts.shape[1]:
        at = np.arange(len(counts)), np.argmax(reached, axis=1)
        upper = np.broadcast_to(as_float(edges), counts.shape)
        size, mean = counts[at], totals[at] / np.maximum(counts[at], 1e-300)
        rank = np.ceil(asked - (upto[at] - size))
        value = at_rank(rank, size, mean, (lower_edges(upper)[at], upper[at]), spreads(counts)[at])
    refusals = [(~usable, Reason.DEGENERATE_OUTCOMES), (n == 0, Reason.NO_EXPOSURE)]
    return outcomes(value, value, value, n, method, refusals=refusals)
