"""Use of a quiet field: the two counting words of a rate, in the proportion the manifest states for them."""

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
from surveillance.manifest.metric_kind import CountingWord
from surveillance.manifest.metrics_operation import RateOf, RateRatio
from surveillance.manifest.metrics_performance import SiteOutlier
from surveillance.manifest.model_monitors import Monitor
from surveillance.manifest.model_operational import Figure
from surveillance.panes.statistics import Use

_COLUMNS = {word.name.lower(): word for word in Use}
_OF_ALERTS = frozenset({"alerts", "alert_onsets", "actioned_alerts", "overrides", "dismissals", "acks", "undelivered"})
_UNKNOWN_SHARE_OF_LIMIT = 0.7
"""Without a stated rate the field is taken to lie at this share of the mildest limit."""


@dataclass(frozen=True, slots=True)
class QuietUse:
    """`rate` of the numerator per denominator; `exposed` = denominators per inference. A rate of shares never exceeds 1."""

    numerator: CountingWord
    denominator: CountingWord
    rate: float
    exposed: float

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        """Counts (W, len(Use)) of windows of `cases` inferences (W,)."""
        counts = np.zeros((len(cases), len(Use)), np.int64)
        counts[:, Use.INFERENCES] = cases
        whole = cases if self.exposed >= 1 else chance.binomial(cases, self.exposed)
        part = chance.poisson(whole * self.rate) if self.rate > 1 else chance.binomial(whole, self.rate)
        self._put(counts, self.denominator, whole)
        self._put(counts, self.numerator, part)
        return counts

    def _put(self, counts: Int, word: CountingWord, amount: Int) -> None:
        if word == "undelivered":
            counts[:, Use.ALERTS] = np.maximum(counts[:, Use.ALERTS], amount)
            counts[:, Use.DELIVERED] = counts[:, Use.ALERTS] - amount
        elif word in _COLUMNS:
            counts[:, _COLUMNS[word]] = amount


@dataclass(frozen=True, slots=True)
class QuietVolume:
    """Inferences alone; `kept` = share of them that are made."""

    kept: float = 1.0

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        """Counts (W, len(Use)) of windows of `cases` inferences (W,)."""
        counts = np.zeros((len(cases), len(Use)), np.int64)
        counts[:, Use.INFERENCES] = chance.binomial(cases, self.kept)
        return counts


def quiet_use(manifest: Manifest, field: FieldAssumptions, monitor: Monitor, scope: Scope) -> QuietUse | QuietVolume:
    """The quiet world of a rate, of a rate ratio, of a site's rate among those of all, or of the volume itself."""
    metric = _rate_of(monitor)
    if metric is None:
        return QuietVolume()
    denominator = metric.exposure if isinstance(metric, RateRatio) else metric.denominator
    exposed = per_inference(field, denominator)
    figure = _rate_figure(manifest, metric, scope)
    if figure is not None and figure.value is not None:
        per = 1.0 if figure.value <= 1 and not isinstance(metric, RateRatio) else 100.0
        return QuietUse(metric.numerator, denominator, figure.value / per, exposed)
    limits = [value for limit in monitor.limits.by_level.values() for value in limit.conditions.values()]
    mildest = min((value for value in limits if isinstance(value, float | int)), default=0.0)
    return QuietUse(metric.numerator, denominator, _UNKNOWN_SHARE_OF_LIMIT * mildest, exposed)


def assumptions_on_use(manifest: Manifest, field: FieldAssumptions) -> Iterator[Assumption]:
    """What is assumed of rates that monitors watch and for which the manifest states nothing."""
    silent = []
    for monitor in manifest.surveillance.monitors:
        metric = _rate_of(monitor)
        scopes = [scope.scope for axes in monitor.axes or ((),) for scope in scopes_of(manifest, field, axes)]
        if metric is not None and any(_rate_figure(manifest, metric, scope) is None for scope in scopes):
            silent.append(monitor.id)
    if silent:
        source = f"default: baselines.operational states no rate for {', '.join(silent)}"
        yield Assumption("rate_of_limit", _UNKNOWN_SHARE_OF_LIMIT, source)


def _rate_of(monitor: Monitor) -> RateOf | RateRatio | None:
    metric = monitor.metric
    if isinstance(metric, SiteOutlier) and metric.numerator is not None and metric.denominator is not None:
        return RateOf(type="rate", numerator=metric.numerator, denominator=metric.denominator)
    return metric if isinstance(metric, RateOf | RateRatio) else None


def _rate_figure(manifest: Manifest, metric: RateOf | RateRatio, scope: Scope) -> Figure | None:
    keys = metric.baseline_keys if isinstance(metric, RateRatio) else _rate_keys(metric)
    return next((found for key in keys if (found := _figure(manifest, key, scope)) is not None), None)


def per_inference(field: FieldAssumptions, word: str) -> float:
    """How many of a counting word there are for each inference, at most one."""
    return field.alert_rate if word in _OF_ALERTS else 1.0


def _rate_keys(metric: RateOf) -> tuple[str, ...]:
    return (f"{metric.numerator.removesuffix('s')}_rate", f"{metric.numerator}_per_100_{metric.denominator}")


def _figure(manifest: Manifest, key: str, scope: Scope) -> Figure | None:
    found = manifest.baselines.operational.nearest(key, own_level(scope))
    return found if found is not None and found.value is not None else None
