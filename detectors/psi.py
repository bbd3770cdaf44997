"""Population stability index of a window's bins against a reference distribution, scaled by its own null distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.outcomes import outcomes

METHOD = "psi_null_scaled_chi2"

_PROBABILITY_TOLERANCE = 0.02


@silent
def psi(counts: ArrayLike, reference_probs: ArrayLike, reference_n: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """PSI = sum (q - r) ln(q / r) over B bins, q from the window's counts and r from the reference's, both (C, B).

    Both are smoothed by Jeffreys' prior, (c + 1/2) / (n + B/2), the reference as counts probs x reference_n. Without drift
    PSI nm/(n+m) is chi2 with B-1 degrees of freedom, which gives `p` (upper tail; Yurdakul & Naranjo 2020, J. Risk Model
    Validation 14:4). The interval takes PSI nm/(n+m) as noncentral chi2 and inverts it for the noncentrality by Sankaran's
    square-root approximation (1959, Biometrika 46:235), within 0.02 of the exact bounds' square roots; it is widened to
    hold the value, which noise alone pushes above the distance of the distributions.

    `no_exposure` where the window is empty; `unknown_reference` where reference_n <= 0, where there are fewer than two bins
    or the probabilities are none; `degenerate_outcomes` where a count is negative.

    >>> found = psi([[60, 40]], [[0.5, 0.5]], [1000])[0]
    >>> round(found.value, 4), round(found.p, 4)
    (0.0397, 0.0573)
    """
    c, probs, m = np.atleast_2d(as_float(counts)), np.atleast_2d(as_float(reference_probs)), np.atleast_1d(as_float(reference_n))
    bins = c.shape[1]
    known = _known_reference(probs, m)
    impossible = ~np.all(np.isfinite(c) & (c >= 0), axis=1)
    c = np.where(impossible[:, None], 0.0, c)
    r_counts = np.where(known[:, None], probs, 1.0 / max(bins, 1))
    size = np.where(known, m, 1.0)
    n = c.sum(axis=1)
    value = _distance(_smooth(c, n), _smooth(r_counts * size[:, None], size))
    scale = size * (n / (n + size))
    statistic = value * scale
    degrees = max(bins - 1, 1)
    lower, upper = _noncentrality(statistic, degrees, normal_quantile(level))
    divisor = np.where(scale > 0, scale, 1.0)
    refusals = [
        (impossible, Reason.DEGENERATE_OUTCOMES),
        (n == 0, Reason.NO_EXPOSURE),
        (~known, Reason.UNKNOWN_REFERENCE),
    ]
    p = special.chdtrc(degrees, statistic)
    return outcomes(value, lower / divisor, upper / divisor, n, METHOD, refusals=refusals, p=p)


def _known_reference(probs: Float, m: Float) -> Bool:
    if probs.shape[1] < 2:
        return np.zeros(len(m), dtype=np.bool_)
    proper: Bool = np.all(np.isfinite(probs) & (probs >= 0), axis=1)
    total = np.where(proper[:, None], np.minimum(probs, 2.0), 0.0).sum(axis=1)
    known: Bool = proper & np.isfinite(m) & (m > 0) & (m <= 2.0**63) & (np.abs(total - 1.0) <= _PROBABILITY_TOLERANCE)
    return known


def _smooth(counts: Float, total: Float) -> Float:
    smoothed: Float = (counts + 0.5) / (total + counts.shape[1] / 2.0)[:, None]
    return smoothed


def _distance(q: Float, r: Float) -> Float:
    found: Float = ((q - r) * np.log(q / r)).sum(axis=1)
    return found


def _noncentrality(statistic: Float, degrees: int, z: float) -> tuple[Float, Float]:
    offset = (degrees - 1) / 2.0
    centre = np.sqrt(np.maximum(statistic - offset, 0.0))
    lower = np.maximum(centre - z, 0.0) ** 2 - offset
    upper = (centre + z) ** 2 - offset
    return np.maximum(lower, 0.0), np.maximum(upper, 0.0)
