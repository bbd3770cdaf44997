"""Out-of-distribution scores and input quality of a quiet field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.request import own_level
from surveillance.evaluation.evidence import Scope
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.chance import Chance
from surveillance.manifest.manifest import Manifest
from surveillance.panes import statistics
from surveillance.panes.plan import Series
from surveillance.panes.statistics import Ood, Quality

_QUALITY_SD = 0.1
_UNKNOWN_SHARE, _UNKNOWN_QUALITY = 0.02, 0.9


@dataclass(frozen=True, slots=True)
class QuietRates:
    """`value` = share of out-of-distribution scores, or mean quality."""

    is_quality: bool
    value: float

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        """Counts of windows of `cases` inferences (W,)."""
        if not self.is_quality:
            counts = np.zeros((len(cases), len(Ood)), np.int64)
            counts[:, Ood.SENT], counts[:, Ood.ABOVE] = cases, chance.binomial(cases, self.value)
            return counts
        counts = np.zeros((len(cases), len(Quality)), np.int64)
        noise = chance.standard_normal(len(cases)) * np.sqrt(cases) * _QUALITY_SD
        total = np.clip(cases * self.value + noise, 0, cases)
        mean = total / np.maximum(cases, 1)
        squares = np.clip(cases * (mean**2 + _QUALITY_SD**2), total * mean, total)
        counts[:, Quality.SENT] = cases
        counts[:, Quality.SUM_MICRO], counts[:, Quality.SQUARE_MICRO] = np.round(total * 1e6), np.round(squares * 1e6)
        return counts


def quiet_rates(manifest: Manifest, field: FieldAssumptions, series: Series, scope: Scope) -> QuietRates:
    """The world at the level that `baselines.operational` states."""
    is_quality = series.statistic.partition(":")[0] == statistics.QUALITY
    key = "input_quality_mean" if is_quality else "ood_share"
    level, operational = own_level(scope), manifest.baselines.operational
    figure = (operational.figure(key, *level) if level is not None else None) or operational.figure(key)
    unknown = _UNKNOWN_QUALITY if is_quality else _UNKNOWN_SHARE
    return QuietRates(is_quality, unknown if figure is None or figure.value is None else min(max(figure.value, 0.0), 1.0))
