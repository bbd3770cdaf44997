"""Numbers of a quiet field, as power sums of their standardised values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.evaluation.evidence import Scope
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.chance import Chance
from surveillance.foresight.quiet_bins import reference_shares
from surveillance.manifest.manifest import Manifest
from surveillance.panes.binning import feature_distribution
from surveillance.panes.plan import Series
from surveillance.panes.standard_scale import standard_scale
from surveillance.panes.statistics import Shape

_VALUES, _FEWEST_VALUES = 80, 8
"""Distinct values in all, and in a bin at least."""
_CLIP = 8.0
_UNITS = {Shape.SUM_MICRO: 1e6, Shape.FIRST_NANO: 1e9, Shape.SQUARE_NANO: 1e9, Shape.CUBE: 1e8, Shape.FOURTH: 1e8}


@dataclass(frozen=True, slots=True)
class QuietShape:
    """Values `z` (P,) with their `weight` (P,); `scale` shrinks or widens them around the mean. The `bins` before the sums stay
    empty, for nobody reads them."""

    bins: int
    z: Float
    weight: Float
    missing: float
    scale: float = 1.0

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        """Counts (W, length) of windows of `cases` inferences (W,)."""
        present = cases - chance.binomial(cases, self.missing)
        # Value by value: a sum of fourth powers is far from normal in a window of some hundred.
        drawn = chance.multinomial(present, self.weight)
        tail = np.zeros((len(cases), len(Shape)), np.int64)
        tail[:, Shape.NUMBERS] = present
        sums = drawn @ self._powers().T
        for (column, unit), power in zip(_UNITS.items(), (0, 0, 1, 2, 3), strict=True):
            tail[:, column] = np.round(sums[:, power] * unit)
        return np.concatenate([np.zeros((len(cases), self.bins), np.int64), tail], axis=1)

    def _powers(self) -> Float:
        """The first four powers (4, P) of the values."""
        centre = float((self.z * self.weight).sum())
        value = np.clip(centre + self.scale * (self.z - centre), -_CLIP, _CLIP)
        return np.stack([value, value**2, value**3, value**4])


def quiet_shape(manifest: Manifest, field: FieldAssumptions, series: Series, scope: Scope) -> QuietShape:
    """Values spread within the bins of the reference evenly, with the mean and the deviation it states."""
    subject = series.statistic.partition(":")[2]
    reference, counted = manifest.baselines.reference(subject), feature_distribution(manifest, subject)
    probs, unit = reference_shares(reference, counted, scope), standard_scale(manifest, subject)
    if counted is None or counted.edges is None:
        z = np.linspace(-3.0, 3.0, _VALUES)
        weight = np.exp(-(z**2) / 2)
    else:
        each = max(_FEWEST_VALUES, _VALUES // len(probs))
        edges, inside = np.array(counted.edges), (np.arange(each) + 0.5) / each
        z = (edges[:-1, None] + np.diff(edges)[:, None] * inside).ravel()
        weight = np.repeat(probs / each, each)
    weight = weight / weight.sum()
    own = reference.of(*scope[0]) if reference is not None and len(scope) == 1 else None
    mean = _stated(own.mean if own is not None else None, reference.mean if reference is not None else None, 0.0)
    sd = _stated(own.sd if own is not None else None, reference.sd if reference is not None else None, unit.sd)
    centre = float((z * weight).sum())
    spread = float(np.sqrt((weight * (z - centre) ** 2).sum())) or 1.0
    standard = ((z - centre) / spread * sd + mean - unit.mean) / unit.sd
    missing = (reference.missing if reference is not None else None) or 0.0
    return QuietShape(len(probs), standard, weight, missing)


def _stated(own: float | None, overall: float | None, default: float) -> float:
    return own if own is not None else overall if overall is not None else default
