"""Area under the ROC curve from binned scores, tie-aware, with DeLong's variance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Outcome
from detectors.intervals import Bounds, normal_quantile
from detectors.outcomes import outcomes
from detectors.score_bins import ScoreBins

_BISECTIONS = 60
_EXACT = 2.0**53
"""Whole numbers below are summed without rounding."""


@silent
def auroc(
    scores: ScoreBins, *, level: float = 0.95, reference: ArrayLike = np.nan, reference_se: ArrayLike = 0.0
) -> list[Outcome]:
    """P(score of a positive > score of a negative) + P(equal)/2 of each cell (C,).

    Variance from the placements of positives among negatives and the reverse (DeLong et al. 1988, Biometrics 44:837, whose
    sums over rows are sums over bins), interval symmetric on the logit scale (Pepe 2003, sec. 5.2). Where that variance is 0
    or not defined (perfect separation of the classes, one row in a class) the interval inverts the score test with the
    Hanley-McNeil variance (Newcombe 2006, Stat. Med. 25:559, method 5), which is finite and honest there; `method` says which.

    `p` is one-sided: an area this low or lower where the true one is the `reference` (C,), measured with standard error
    `reference_se`; none where the reference is NaN. It uses the variance of the interval: DeLong's on the logit scale, or
    Hanley-McNeil's at the reference.

    `no_positives`, `no_negatives` by class; `degenerate_outcomes` where a count is negative.

    >>> scores = ScoreBins.of([[3, 1, 1]], [[1, 1, 3]])
    >>> area = auroc(scores)[0]
    >>> round(area.value, 2), round(area.lower, 3), round(area.upper, 3), area.method
    (0.74, 0.347, 0.939, 'delong_logit')
    >>> round(auroc(scores, reference=[0.9])[0].p, 3)
    0.09
    """
    n0, n1 = scores.negatives, scores.positives
    exact = not scores.impossible.any() and bool(scores.n.sum() < _EXACT)
    area, variance = _area(scores, exact)
    flat = ~(variance > 1e-15) | (n0 < 2) | (n1 < 2) | (area <= 0) | (area >= 1)
    lower, upper = _logit_bounds(area, variance, flat, normal_quantile(level))
    method = ["delong_logit"] * len(area)
    needed = flat & ~scores.of_one_class & ~scores.impossible
    if needed.any():
        lower[needed], upper[needed] = _score_bounds(area[needed], n0[needed], n1[needed], normal_quantile(level))
        method = ["newcombe_score" if is_flat else "delong_logit" for is_flat in flat.tolist()]
    null = as_float(reference)
    p = None if np.isnan(null).all() else _p_of_shortfall(area, variance, flat, (n0, n1), null, as_float(reference_se))
    return outcomes(area, lower, upper, scores.n, method, refusals=scores.class_refusals(), p=p)


def _p_of_shortfall(
    area: Float, variance: Float, flat: Bool, sizes: tuple[Float, Float], reference: Float, reference_se: Float
) -> Float:
    known = (reference > 0) & (reference < 1)
    null = np.where(known, reference, 0.5)
    inner = np.where(flat, 0.5, area)
    spread_of_null = (reference_se / (null * (1.0 - null))) ** 2
    distance = np.log(inner / (1.0 - inner)) - np.log(null / (1.0 - null))
    on_logits = distance / np.sqrt(np.where(flat, 1.0, variance) / (inner * (1.0 - inner)) ** 2 + spread_of_null)
    at_null = (area - null) / np.sqrt(_hanley_mcneil(null, *sizes) + reference_se**2)
    return np.where(known, special.ndtr(np.where(flat, at_null, on_logits)), np.nan)


def _area(scores: ScoreBins, exact: bool) -> tuple[Float, Float]:
    """The area and DeLong's variance."""
    bins, n0, n1 = scores.at, scores.negatives, scores.positives
    above_neg, above_pos = _placements(scores) if exact else _placements_by_cell(scores)
    size0, size1 = np.where(n0 > 0, n0, 1.0), np.where(n1 > 0, n1, 1.0)
    weighted = scores.neg * above_pos
    area = bins.sum(weighted) / (2.0 * size1 * size0)
    weighted *= above_pos
    of_negatives = bins.sum(weighted) / (4.0 * size0 * size1 * size1) - area * area
    np.multiply(above_neg, above_neg, out=weighted)
    weighted *= scores.pos
    of_positives = bins.sum(weighted) / (4.0 * size1 * size0 * size0) - (1.0 - area) ** 2
    variance = of_positives / np.maximum(size1 - 1.0, 1.0) + of_negatives / np.maximum(size0 - 1.0, 1.0)
    return np.maximum(np.minimum(area, 1.0), 0.0), variance


def _placements(scores: ScoreBins) -> tuple[Float, Float]:
    """Twice the rows in higher bins plus those in the same bin, of negatives and of positives, (N,).

    Doubled, so that half a tie is a whole number. One running sum over all cells enters each with all its rows and leaves it
    with none; both classes are summed at once, as parts of complex numbers, because every addition waits for the one before.
    """
    bins = scores.at
    above = np.empty(len(scores.neg), np.complex128)
    np.multiply(scores.neg, -2.0, out=above.real)
    np.multiply(scores.pos, -2.0, out=above.imag)
    filled = slice(None) if bins.filled is None else bins.filled
    above[bins.begins[filled]] += 2.0 * (scores.negatives[filled] + 1j * scores.positives[filled])
    np.cumsum(above, out=above)
    return above.real + scores.neg, above.imag + scores.pos


def _placements_by_cell(scores: ScoreBins) -> tuple[Float, Float]:
    """The same where a running sum over all cells would round, so that the rows of one cell showed in the next."""
    ends = scores.at.begins[1:]
    neg, pos = (
        2.0 * np.concatenate([np.cumsum(cell[::-1])[::-1] for cell in np.split(counts, ends)]) - counts
        for counts in (scores.neg, scores.pos)
    )
    return neg, pos


def _logit_bounds(area: Float, variance: Float, flat: Bool, z: float) -> Bounds:
    inner = np.where(flat, 0.5, area)
    reach = z * np.sqrt(np.where(flat, 0.0, variance)) / (inner * (1.0 - inner))
    odds = inner / (1.0 - inner)
    factor = np.exp(np.minimum(reach, 700.0))
    return odds / (odds + factor), odds / (odds + 1.0 / factor)


def _score_bounds(area: Float, n0: Float, n1: Float, z: float) -> Bounds:
    """Both theta with (area - theta)^2 = z^2 V(theta), by bisection: the left side falls and the right rises towards them."""
    lower = _bisect(area, np.zeros_like(area), n0, n1, z)
    upper = _bisect(area, np.ones_like(area), n0, n1, z)
    return lower, upper


def _bisect(area: Float, end: Float, n0: Float, n1: Float, z: float) -> Float:
    inside, outside = area.copy(), end.copy()
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2.0
        accepted = (area - middle) ** 2 <= z * z * _hanley_mcneil(middle, n0, n1)
        inside = np.where(accepted, middle, inside)
        outside = np.where(accepted, outside, middle)
    return outside


def _hanley_mcneil(theta: Float, n0: Float, n1: Float) -> Float:
    spread = (1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta)
    return theta * (1.0 - theta) * (1.0 + ((n0 + n1) / 2.0 - 1.0) * spread) / n0 / n1
