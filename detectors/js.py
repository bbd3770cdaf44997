"""Jensen-Shannon divergence of a window's bins from a reference distribution, in nats."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, silent
from detectors.estimate import Outcome
from detectors.histograms import histograms
from detectors.noncentral import noncentrality
from detectors.outcomes import outcomes

METHOD = "js_null_scaled_chi2"


@silent
def js(counts: ArrayLike, reference_probs: ArrayLike, reference_n: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """JSD = (KL(q | a) + KL(r | a)) / 2 with a = (q + r) / 2, q from the window's counts and r from the reference's, (C, B).

    The divergence itself, 0 to ln 2, not its root (Lin 1991, IEEE Trans. Inf. Theory 37:145). Without drift 8 JSD nm/(n+m)
    is chi2 with B-1 degrees of freedom (Grosse et al. 2002, Phys. Rev. E 65:041905), which gives `p`; the bounds invert it
    for the noncentrality, end at ln 2 and are widened to hold the value. Smoothing and refusals: `histograms`.

    >>> found = js([[60, 40]], [[0.5, 0.5]], [1000])[0]
    >>> round(found.value, 5), round(found.p, 4)
    (0.00496, 0.0576)
    """
    both = histograms(counts, reference_probs, reference_n)
    value = _divergence(both.field_shares, both.reference_shares)
    scale = 8.0 * both.scale
    lower, upper = noncentrality(value * scale, both.degrees, level)
    divisor = np.where(scale > 0, scale, 1.0)
    upper = np.minimum(upper / divisor, np.log(2.0))
    p = both.upper_tail(value * scale)
    return outcomes(value, lower / divisor, upper, both.n, METHOD, refusals=both.refusals, p=p)


def _divergence(q: Float, r: Float) -> Float:
    middle = (q + r) / 2.0
    # Per bin: q and r lie close together, and the two relative entropies cancel to their second order.
    found: Float = (special.rel_entr(q, middle) + special.rel_entr(r, middle)).sum(axis=1) / 2.0
    return np.maximum(found, 0.0)
