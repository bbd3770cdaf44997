"""Murphy's decomposition of the Brier score over groups of scores, with the two terms that lie within groups."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, silent
from detectors.estimate import Outcome
from detectors.outcomes import outcomes
from detectors.reliability_bins import GROUPS, ReliabilityBins

Term = Literal["brier", "reliability", "resolution", "uncertainty", "within_variance", "within_covariance"]


@silent
def murphy(
    neg: ArrayLike,
    pos: ArrayLike,
    sum_micro: ArrayLike,
    *,
    term: Term,
    corrected: bool = False,
    groups: int | None = GROUPS,
) -> list[Outcome]:
    """One term of Brier = reliability - resolution + uncertainty + within_variance - within_covariance, an identity.

    Arguments and refusals as `ReliabilityBins.of`; the Brier score is that of rows which stand at the mean score of their bin.
    The first three terms are Murphy's (1973, J. Appl. Meteor. 12:595), the last two what he leaves out where scores differ
    within a group (Stephenson, Coelho & Jolliffe 2008, Weather Forecast. 23:752). `corrected` takes the sampling bias out of
    the first three, which leaves their sum as it is (Ferro & Fricker 2012, QJRMS 138:1954); groups of one row stay as they are.
    A term describes the rows at hand, so its bounds are its value.

    >>> tables = [[80, 50]], [[20, 50]], [[10_000_000, 50_000_000]]
    >>> [round(murphy(*tables, term=term, groups=None)[0].value, 4) for term in ("reliability", "resolution", "uncertainty")]
    [0.005, 0.0225, 0.2275]
    >>> round(murphy(*tables, term="brier", groups=None)[0].value, 4)
    0.21
    """
    bins = ReliabilityBins.of(neg, pos, sum_micro, groups)
    value = _terms(bins, corrected)[term]
    return outcomes(value, value, value, bins.n, f"murphy_{term}", refusals=bins.refusals())


def _terms(bins: ReliabilityBins, corrected: bool) -> dict[Term, Float]:
    rows, n = bins.sums(bins.total), np.where(bins.n > 0, bins.n, 1.0)
    size = np.where(rows > 0, rows, 1.0)
    observed, score = bins.sums(bins.pos) / size, bins.sums(bins.total * bins.score) / size
    overall = bins.pos.sum(axis=1) / n
    off_score, off_observed = bins.score - _spread(bins, score), bins.pos - bins.total * _spread(bins, observed)
    terms: dict[Term, Float] = {
        "brier": (bins.pos * (1.0 - bins.score) ** 2 + bins.neg * bins.score**2).sum(axis=1) / n,
        "reliability": (rows * (score - observed) ** 2).sum(axis=1) / n,
        "resolution": (rows * (observed - overall[:, None]) ** 2).sum(axis=1) / n,
        "uncertainty": overall * (1.0 - overall),
        "within_variance": (bins.total * off_score**2).sum(axis=1) / n,
        "within_covariance": 2.0 * (off_observed * off_score).sum(axis=1) / n,
    }
    if corrected:
        of_groups = (rows * observed * (1.0 - observed) / np.maximum(rows - 1.0, 1.0) * (rows > 1)).sum(axis=1) / n
        of_all = terms["uncertainty"] / np.maximum(n - 1.0, 1.0) * (n > 1)
        terms["reliability"] = terms["reliability"] - of_groups
        terms["resolution"] = terms["resolution"] - of_groups + of_all
        terms["uncertainty"] = terms["uncertainty"] + of_all
    return terms


def _spread(bins: ReliabilityBins, of_groups: Float) -> Float:
    """What each bin's group has, (C, G) to (C, B)."""
    return np.take_along_axis(of_groups, bins.group, axis=1)
