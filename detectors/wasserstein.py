"""Wasserstein-1 distance of a window's bins from a reference distribution, in interquartile ranges of the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.histograms import histograms
from detectors.massart import massart_reach
from detectors.outcomes import outcomes

METHOD = "wasserstein_iqr_pearson_chi2"


@silent
def wasserstein(
    counts: ArrayLike, reference_probs: ArrayLike, reference_n: ArrayLike, edges: ArrayLike, *, level: float = 0.95
) -> list[Outcome]:
    """W1 = integral |Q - R| / IQR with the mass of each bin at its midpoint; counts and shares (C, B), edges (B + 1,).

    Q and R are the cumulative shares of the window and of the reference (Vallender 1974, Theory Prob. Appl. 18:784); the
    quartiles are those of the reference's shares, linear within bins. `p` is Pearson's, of the counts as they are. The
    bounds allow the empirical distribution functions their largest distance from their populations' (Massart 1990) between
    all midpoints. Smoothing and refusals: `histograms`; `unknown_reference` also where edges do not ascend.

    >>> found = wasserstein([[40, 60]], [[0.5, 0.5]], [1000], [0.0, 1.0, 2.0])[0]
    >>> round(found.value, 4), round(found.p, 4)
    (0.099, 0.0565)
    """
    both = histograms(counts, reference_probs, reference_n)
    limits = as_float(edges)
    ascending = limits.shape == (both.counts.shape[1] + 1,) and bool(np.isfinite(limits).all() and (np.diff(limits) > 0).all())
    limits = limits if ascending else np.arange(both.counts.shape[1] + 1.0)
    gaps = np.diff((limits[1:] + limits[:-1]) / 2.0)
    iqr = _iqr(both.reference / both.m[:, None], limits)
    apart = np.abs(np.cumsum(both.field_shares - both.reference_shares, axis=1)[:, :-1])
    value = (apart * gaps).sum(axis=1) / iqr
    reach = massart_reach(both.n, both.m, level) * gaps.sum() / iqr
    unordered = np.full(len(value), not ascending)
    return outcomes(
        value,
        np.maximum(value - reach, 0.0),
        np.minimum(value + reach, gaps.sum() / iqr),
        both.n,
        METHOD,
        refusals=[*both.refusals, (unordered, Reason.UNKNOWN_REFERENCE)],
        p=both.pearson_p,
    )


def _iqr(shares: Float, edges: Float) -> Float:
    """Interquartile range of shares (C, B) over bins with these edges (B + 1,), linear within bins, (C,)."""
    reached = np.concatenate([np.zeros((len(shares), 1)), np.cumsum(shares, axis=1)], axis=1)
    total = reached[:, -1:]
    quartiles = []
    for part in (0.25, 0.75):
        target = part * total
        at = np.minimum((reached[:, 1:] <= target).sum(axis=1), shares.shape[1] - 1)
        row = np.arange(len(shares))
        inside = (target[:, 0] - reached[row, at]) / shares[row, at]
        quartiles.append(edges[at] + (edges[at + 1] - edges[at]) * inside)
    found: Float = quartiles[1] - quartiles[0]
    return found
