"""Total variation distance of a window's bins, or categories, from a reference distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, silent
from detectors.estimate import Outcome
from detectors.histograms import histograms
from detectors.outcomes import outcomes

METHOD = "tv_pearson_chi2"


@silent
def total_variation(
    counts: ArrayLike, reference_probs: ArrayLike, reference_n: ArrayLike, *, level: float = 0.95
) -> list[Outcome]:
    """TV = sum |q - r| / 2 over B bins, q from the window's counts and r from the reference's, both (C, B); 0 to 1.

    `p` is Pearson's, of the counts as they are. The bounds hold the distance of the two populations for any of them: a
    sample of n lies within sqrt((B-1)/n)/2 of its population on average, and exceeds that by t with probability exp(-2nt^2)
    at most (McDiarmid 1989, Surveys in Combinatorics, p. 148), and so for the m rows of the reference. Smoothing and
    refusals: `histograms`.

    >>> found = total_variation([[60, 40]], [[0.5, 0.5]], [1000])[0]
    >>> round(found.value, 4), round(found.upper, 2), round(found.p, 4)
    (0.099, 0.34, 0.0565)
    """
    both = histograms(counts, reference_probs, reference_n)
    value = np.abs(both.field_shares - both.reference_shares).sum(axis=1) / 2.0
    reach = _reach(both.n, both.degrees, level) + _reach(both.m, both.degrees, level)
    lower, upper = np.maximum(value - reach, 0.0), np.minimum(value + reach, 1.0)
    return outcomes(value, lower, upper, both.n, METHOD, refusals=both.refusals, p=both.pearson_p)


def _reach(rows: Float, degrees: int, level: float) -> Float:
    """How far a sample of so many rows may lie from its population; two of them at once with probability `level`."""
    size = np.maximum(rows, 1.0)
    found: Float = np.sqrt(degrees / size) / 2.0 + np.sqrt(np.log(2.0 / (1.0 - level)) / (2.0 * size))
    return found
