"""Distances of window counts to the reference, their null-scaled p and the Dirichlet-multinomial e-value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from .intervals import Floats


@dataclass(frozen=True)
class Histogram:
    """Window `counts` and reference `probs` (of `m` rows) over bins with `edges`, or over categories in the order given."""

    counts: Floats
    probs: Floats
    m: float
    edges: Floats | None

    @property
    def n(self) -> float:
        return float(self.counts.sum())

    @property
    def field(self) -> Floats:
        """Shares of the window after Jeffreys smoothing."""
        return _smoothed(self.counts)

    @property
    def reference(self) -> Floats:
        """Shares of the reference, smoothed in the same way."""
        return _smoothed(self.probs * self.m)

    @property
    def scale(self) -> float:
        return self.n * self.m / (self.n + self.m)

    def null_p(self, statistic: float) -> float:
        return float(stats.chi2.sf(statistic, len(self.counts) - 1))


def _smoothed(counts: Floats) -> Floats:
    found: Floats = (counts + 0.5) / (counts.sum() + len(counts) / 2)
    return found


def psi(one: Histogram) -> tuple[float, float]:
    distance = float(np.sum((one.field - one.reference) * np.log(one.field / one.reference)))
    return distance, one.null_p(distance * one.scale)


def js(one: Histogram) -> tuple[float, float]:
    """Jensen-Shannon divergence in nats."""
    middle = (one.field + one.reference) / 2
    distance = float(np.sum(special.rel_entr(one.field, middle) + special.rel_entr(one.reference, middle))) / 2
    return distance, one.null_p(8 * distance * one.scale)


def tv(one: Histogram) -> tuple[float, float]:
    """Total variation: half the sum of the differences of shares."""
    return float(np.abs(one.field - one.reference).sum()) / 2, pearson_p(one)


def ks(one: Histogram) -> tuple[float, float]:
    """Largest difference of the two cumulative shares at an edge."""
    return float(np.abs(np.cumsum(one.field) - np.cumsum(one.reference)).max()), pearson_p(one)


def wasserstein(one: Histogram) -> tuple[float, float] | None:
    """Mass of each bin at its midpoint, in units of the reference's interquartile range; None where bins have no width."""
    if one.edges is None:
        return None
    middles = (one.edges[1:] + one.edges[:-1]) / 2
    distance = float(stats.wasserstein_distance(middles, middles, one.field, one.reference))
    return distance / _iqr(one.edges, one.probs), pearson_p(one)


def _iqr(edges: Floats, probs: Floats) -> float:
    reached = np.concatenate([[0.0], np.cumsum(probs)]) / probs.sum()
    low, high = (_crossing(edges, reached, share) for share in (0.25, 0.75))
    return high - low


def _crossing(edges: Floats, reached: Floats, share: float) -> float:
    for left, right, below, above in zip(edges, edges[1:], reached, reached[1:], strict=False):
        if below <= share < above:
            return float(left + (right - left) * (share - below) / (above - below))
    return float(edges[-1])


def pearson_p(one: Histogram) -> float:
    """Pearson's chi2 of the 2 x B table of the counts as they are."""
    table = np.vstack([one.counts, one.probs * one.m])
    table = table[:, table.sum(axis=0) > 0]
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return one.null_p(float(((table - expected) ** 2 / expected).sum()))


def e_value(one: Histogram, concentration: float) -> float:
    """Dirichlet-multinomial mixture with prior B·p·c against the multinomial of the smoothed reference (Lindon & Malek 2022)."""
    prior = len(one.counts) * one.reference * concentration
    mixture = special.gammaln(prior.sum()) - special.gammaln(prior.sum() + one.n)
    mixture += float((special.gammaln(prior + one.counts) - special.gammaln(prior)).sum())
    log_e = float(mixture - (one.counts * np.log(one.reference)).sum())
    return math.exp(min(log_e, 690.0))


DISTANCES = {"psi": psi, "js": js, "tv": tv, "ks": ks, "wasserstein": wasserstein}
