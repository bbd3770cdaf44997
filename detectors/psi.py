"""Population stability index of a window's bins against a reference distribution, scaled by its own null distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, silent
from detectors.estimate import Outcome
from detectors.histograms import histograms
from detectors.noncentral import noncentrality
from detectors.outcomes import outcomes

METHOD = "psi_null_scaled_chi2"


@silent
def psi(counts: ArrayLike, reference_probs: ArrayLike, reference_n: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """PSI = sum (q - r) ln(q / r) over B bins, q from the window's counts and r from the reference's, both (C, B).

    Without drift PSI nm/(n+m) is chi2 with B-1 degrees of freedom, which gives `p` (upper tail; Yurdakul & Naranjo 2020,
    J. Risk Model Validation 14:4). The bounds invert it for the noncentrality and are widened to hold the value, which noise
    alone pushes above the distance of the distributions. Smoothing and refusals: `histograms`.

    >>> found = psi([[60, 40]], [[0.5, 0.5]], [1000])[0]
    >>> round(found.value, 4), round(found.p, 4)
    (0.0397, 0.0573)
    """
    both = histograms(counts, reference_probs, reference_n)
    value = _distance(both.field_shares, both.reference_shares)
    statistic = value * both.scale
    lower, upper = noncentrality(statistic, both.degrees, level)
    scale = np.where(both.scale > 0, both.scale, 1.0)
    p = both.upper_tail(statistic)
    return outcomes(value, lower / scale, upper / scale, both.n, METHOD, refusals=both.refusals, p=p)


def _distance(q: Float, r: Float) -> Float:
    found: Float = ((q - r) * np.log(q / r)).sum(axis=1)
    return found
