"""Distances of a window's bins to the reference of each scope, each with its e-value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from detectors.dirichlet_multinomial import dirichlet_multinomial_e
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.js import js
from detectors.ks import ks
from detectors.psi import psi
from detectors.total_variation import total_variation
from detectors.wasserstein import wasserstein
from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.request import Request
from surveillance.evaluation.references import shares_of
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.model_distribution import Distribution, Reference
from surveillance.panes.binning import bin_count


class Compared(NamedTuple):
    """Counts (scopes, bins), reference shares (scopes, bins) and the rows behind those (scopes,); `edges` None = categories."""

    counts: Int
    shares: Float
    m: Int
    edges: tuple[float, ...] | None


Distance = Callable[[Compared, float], list[Outcome]]
"""Distance of each scope, with the interval of that level."""


def _wasserstein(two: Compared, level: float) -> list[Outcome]:
    if two.edges is None:  # categories lie nowhere
        return [Insufficient(Reason.UNKNOWN_REFERENCE, int(row.sum())) for row in two.counts]
    return wasserstein(two.counts, two.shares, two.m, two.edges, level=level)


DISTANCES: Mapping[str, Distance] = {
    "psi": lambda two, level: psi(two.counts, two.shares, two.m, level=level),
    "js": lambda two, level: js(two.counts, two.shares, two.m, level=level),
    "ks": lambda two, level: ks(two.counts, two.shares, two.m, level=level),
    "tv": lambda two, level: total_variation(two.counts, two.shares, two.m, level=level),
    "wasserstein": _wasserstein,
}


def compared(
    request: Request, distance: Distance, reference: Reference, counted: Distribution, *, concentration: float
) -> list[Finding]:
    """Findings of the window's first columns, the bins of `counted`, against each scope's reference."""
    bins = bin_count(counted)
    shares, m = shares_of(request.manifest, reference, counted, bins, request.scopes)
    counts = request.counts[:, :bins]
    outcomes = distance(Compared(counts, shares, m, counted.edges), request.level)
    e_values = dirichlet_multinomial_e(counts, shares, m, concentration=concentration)
    return [_finding(outcome, e) for outcome, e in zip(outcomes, e_values.tolist(), strict=True)]


def _finding(outcome: Outcome, e: float) -> Finding:
    if not isinstance(outcome, Estimate):
        return Finding(outcome)
    return Finding(outcome._replace(e=e), p=outcome.p)
