"""Area under the ROC curve when only part of the cases is labelled: weighted by inverse coverage, by stratum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.inverse_coverage import Coverage
from detectors.outcomes import outcomes


@silent
def auroc(
    neg: ArrayLike,
    pos: ArrayLike,
    inferences: ArrayLike,
    *,
    level: float = 0.95,
    reference: ArrayLike = np.nan,
    reference_se: ArrayLike = 0.0,
) -> list[Outcome]:
    """Weighted P(score of a positive > score of a negative) + P(equal)/2; counts (C, S, B), `inferences` (C, S).

    Every labelled case stands for inferences / labelled cases of its stratum (Begg & Greenes 1983, Biometrics 39:207; the
    inverse-probability estimator of Alonzo & Pepe 2005, JRSS C 54:173). Variance from weighted placements, each case counting
    once, on the logit scale; `p` as `auroc.auroc`.

    Refused: as `Coverage.refusals`; `no_positives`, `no_negatives`; `degenerate_outcomes` where one case of a class, or
    classes that do not overlap, leave no variance.

    >>> area = auroc([[[40, 5, 0], [0, 5, 10]]], [[[5, 5, 0], [0, 10, 40]]], [[550, 65]])[0]
    >>> round(area.value, 3), round(area.lower, 3), round(area.upper, 3), area.n
    (0.775, 0.639, 0.87, 120)
    """
    negatives, positives = as_float(neg), as_float(pos)
    coverage = Coverage.of((negatives + positives).sum(axis=2), inferences)
    weight = coverage.weight[:, :, None]
    n0, n1 = (weight * negatives).sum(axis=(1, 2)), (weight * positives).sum(axis=(1, 2))
    size0, size1 = np.where(n0 > 0, n0, 1.0), np.where(n1 > 0, n1, 1.0)
    below = _placements((weight * negatives).sum(axis=1)) / size0[:, None]
    above = 1.0 - _placements((weight * positives).sum(axis=1)) / size1[:, None]
    area = ((weight * positives).sum(axis=1) * below).sum(axis=1) / size1
    variance = _spread(weight, positives, below, area) / size1**2 + _spread(weight, negatives, above, area) / size0**2
    few = (negatives.sum(axis=(1, 2)) < 2) | (positives.sum(axis=(1, 2)) < 2)
    flat = few | ~(variance > 1e-15) | (area <= 0) | (area >= 1)
    lower, upper, p = _on_logits(area, variance, normal_quantile(level), as_float(reference), as_float(reference_se))
    refusals = (
        *coverage.refusals((negatives.min(axis=2, initial=0.0) < 0) | (positives.min(axis=2, initial=0.0) < 0)),
        (n1 <= 0, Reason.NO_POSITIVES),
        (n0 <= 0, Reason.NO_NEGATIVES),
        (flat, Reason.DEGENERATE_OUTCOMES),
    )
    return outcomes(area, lower, upper, coverage.n, "inverse_coverage_logit", refusals=refusals, p=p)


def _placements(weights: Float) -> Float:
    """Weight of lower bins plus half of the same bin, (C, B)."""
    found: Float = np.cumsum(weights, axis=1) - weights / 2.0
    return found


def _spread(weight: Float, counts: Float, placements: Float, area: Float) -> Float:
    """Sum of w^2 (placement - area)^2 over the cases of one class, (C,)."""
    found: Float = ((weight**2 * counts).sum(axis=1) * (placements - area[:, None]) ** 2).sum(axis=1)
    return found


def _on_logits(area: Float, variance: Float, z: float, reference: Float, reference_se: Float) -> tuple[Float, Float, Float]:
    inside = np.clip(area, 1e-12, 1.0 - 1e-12)
    centre, error = special.logit(inside), np.sqrt(np.maximum(variance, 0.0)) / (inside * (1.0 - inside))
    known = (reference > 0) & (reference < 1)
    null = np.where(known, reference, 0.5)
    spread = np.sqrt(error**2 + (reference_se / (null * (1.0 - null))) ** 2)
    p = np.where(known, special.ndtr((centre - special.logit(null)) / spread), np.nan)
    return special.expit(centre - z * error), special.expit(centre + z * error), p
