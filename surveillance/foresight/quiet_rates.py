"""Out-of-distribution scores and input quality of a quiet field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.request import own_level
from surveillance.evaluation.evidence import Scope
from surveillance.foresight.assumptions import Assumption, FieldAssumptions
from surveillance.foresight.chance import Chance
from surveillance.foresight.field_scopes import scopes_of
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import InputQuality, OutOfDistribution
from surveillance.panes import statistics
from surveillance.panes.plan import Series
from surveillance.panes.statistics import Ood, Quality

_QUALITY_SD = 0.1
_OOD, _QUALITY = "ood_share", "input_quality_mean"
_UNKNOWN = {_OOD: 0.02, _QUALITY: 0.9}
"""Taken where a manifest states nothing, and named as defaults in a forecast."""


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
    key = _QUALITY if is_quality else _OOD
    stated = _stated(manifest, key, scope)
    return QuietRates(is_quality, _UNKNOWN[key] if stated is None else min(max(stated, 0.0), 1.0))


def assumptions_on_rates(manifest: Manifest, field: FieldAssumptions) -> Iterator[Assumption]:
    """What is assumed beside the rest where a monitor watches out-of-distribution scores or input quality."""
    for key, kind in ((_OOD, OutOfDistribution), (_QUALITY, InputQuality)):
        path = f"baselines.operational.{key}"
        watching = [monitor for monitor in manifest.surveillance.monitors if isinstance(monitor.metric, kind)]
        axis_sets = {axes for monitor in watching for axes in monitor.axes or ((),)}
        scopes = [scope.scope for axes in axis_sets for scope in scopes_of(manifest, field, axes)]
        overall = _stated(manifest, key, ())
        if overall is not None and scopes:
            yield Assumption(key, overall, path)
        elif any(_stated(manifest, key, scope) is None for scope in scopes):
            yield Assumption(key, _UNKNOWN[key], f"default: {path} is absent")
        if key == _QUALITY and scopes:
            yield Assumption("input_quality_sd", _QUALITY_SD, "default: a manifest states none")


def _stated(manifest: Manifest, key: str, scope: Scope) -> float | None:
    figure = manifest.baselines.operational.nearest(key, own_level(scope))
    return figure.value if figure is not None else None
