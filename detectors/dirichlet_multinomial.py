"""E-value of "these categories have the reference's shares": a Dirichlet mixture of multinomials against that one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, silent
from detectors.estimate import LARGEST_E
from detectors.histograms import histograms


@silent
def dirichlet_multinomial_e(
    counts: ArrayLike, reference_probs: ArrayLike, reference_n: ArrayLike, *, concentration: float = 1.0
) -> Float:
    """E-values (C,) of counts (C, B) against reference shares (C, B) of `reference_n` rows (C,); NaN where there are none.

    The shares r of the null hypothesis are the reference's, smoothed (`histograms`), so that a category that the reference
    never saw is rare and not impossible. The counts' probability under shares drawn from a Dirichlet distribution with
    parameters B r c, c the concentration, over that under r, is an e-value in closed form. Over the growing counts of one
    stream it is a martingale under r, so P(e >= 1/alpha at any time) <= alpha by Ville's inequality (Lindon & Malek 2022,
    NeurIPS 35:20180). Where the reference is itself a sample, that holds as far as its shares are those of the population.

    Raises:
        ValueError: the concentration is not positive and finite.

    >>> dirichlet_multinomial_e([[60, 40], [65, 35]], [[0.5, 0.5]] * 2, [1e9] * 2).round(2).tolist()
    [0.91, 11.46]
    """
    if not 0.0 < concentration < np.inf:
        raise ValueError(f"the concentration must be positive and finite: {concentration}")
    both = histograms(counts, reference_probs, reference_n)
    shares = both.reference_shares
    prior = shares * (shares.shape[1] * concentration)
    whole = prior.sum(axis=1)
    gained = special.gammaln(prior + both.counts) - special.gammaln(prior) - both.counts * np.log(shares)
    log_e = special.gammaln(whole) - special.gammaln(whole + both.n) + gained.sum(axis=1)
    refused = np.logical_or.reduce([mask for mask, _ in both.refusals])
    return np.where(refused, np.nan, np.exp(np.minimum(log_e, np.log(LARGEST_E))))
