"""Kolmogorov-Smirnov distance of a window's bins from a reference distribution, and what it can be within the bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, silent
from detectors.estimate import Outcome
from detectors.histograms import histograms
from detectors.intervals import Bounds
from detectors.massart import massart_reach
from detectors.outcomes import outcomes

METHOD = "ks_binned_pearson_chi2"


@silent
def ks(counts: ArrayLike, reference_probs: ArrayLike, reference_n: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """D = largest |Q - R| at the edges of B bins, Q and R the cumulative shares of the window and of the reference, (C, B).

    Edges alone can miss a difference inside a bin, so the bounds are those of `within_bins`, widened by how far the two
    empirical distribution functions may lie from their populations' (Massart 1990). `p` is Pearson's, of the counts as they
    are: the Kolmogorov distribution does not hold on bins. Smoothing and refusals: `histograms`.

    >>> found = ks([[60, 40]], [[0.5, 0.5]], [1000])[0]
    >>> round(found.value, 4), round(found.p, 4)
    (0.099, 0.0565)
    """
    both = histograms(counts, reference_probs, reference_n)
    value, most = within_bins(both.field_shares, both.reference_shares)
    reach = massart_reach(both.n, both.m, level)
    lower, upper = np.maximum(value - reach, 0.0), np.minimum(most + reach, 1.0)
    return outcomes(value, lower, upper, both.n, METHOD, refusals=both.refusals, p=both.pearson_p)


def within_bins(q: Float, r: Float) -> Bounds:
    """Least and largest sup |Q - R| of distributions with these shares, q and r both (C, B): at the edges, and where one has all
    of a bin's mass at its left end and the other at its right.

    >>> least, most = within_bins(np.array([[0.5, 0.5]]), np.array([[0.4, 0.6]]))
    >>> least.round(2).tolist(), most.round(2).tolist()
    ([0.1], [0.6])
    """
    above, below = np.cumsum(q, axis=1), np.cumsum(r, axis=1)
    least = np.abs(above - below).max(axis=1, initial=0.0)
    most = np.maximum(above - (below - r), below - (above - q)).max(axis=1, initial=0.0)
    return least, np.maximum(least, most)
