"""The harm a monitor is there to see, as one number, and the world after it has set in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from surveillance.foresight.calibrated_scores import CalibratedScores
from surveillance.foresight.quiet_bins import QuietBins
from surveillance.foresight.quiet_events import QuietClocks, QuietEvents
from surveillance.foresight.quiet_field import World
from surveillance.foresight.quiet_labels import QuietLabels
from surveillance.foresight.quiet_rates import QuietRates
from surveillance.foresight.quiet_shape import QuietShape
from surveillance.foresight.quiet_use import QuietUse, QuietVolume
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import Drift, FeatureShare, NormalChart, Saturation
from surveillance.manifest.metrics_operation import ClockOffset, DuplicateRate, RateOf, RateRatio
from surveillance.manifest.metrics_performance import ProportionVsFloor, SiteOutlier, SubgroupGap
from surveillance.manifest.model_metrics import Metric
from surveillance.manifest.model_monitors import Monitor

SHARE_EFFECT = 0.10
"""Change of a share, where `coverage_rules.every_subgroup_metric_detectable` states none."""
DRIFT_EFFECT = 0.5
"""Standard deviations of single cases by which a distribution moves."""
_BISECTIONS = 25


@dataclass(frozen=True, slots=True)
class Harm:
    """`effect` in the unit of the metric type, as `text` writes it with the number in; `most` = the largest that makes sense."""

    effect: float
    text: str
    most: float
    falls: bool = False
    """Whether the number watched falls."""

    def told(self, effect: float) -> str:
        """The harm at some effect, in words."""
        return self.text.format(effect)

    def at(self, effect: float) -> Harm:
        """The same kind of harm at another size."""
        return replace(self, effect=effect)


_COUNTED = {
    "missing_rate": "missing values",
    "absent_rate": "values not sent",
    "out_of_range_rate": "values out of range",
    "saturation_share": "saturated scores",
}
_SPELLED = {"auroc": "AUROC", "ood_share": "share out of distribution", "quality_mean": "mean input quality"}
_BY_TYPE = {
    "observed_expected": Harm(0.5, "observed / expected rises by {:.3g}", 5.0),
    "calibration_slope": Harm(0.4, "calibration slope falls by {:.3g}", 0.95, falls=True),
    "calibration_intercept": Harm(0.5, "calibration intercept rises by {:.3g}", 5.0),
    "spiegelhalter": Harm(0.4, "calibration slope falls by {:.3g}", 0.95, falls=True),
    "calibration_error": Harm(0.4, "calibration slope falls by {:.3g}", 0.95, falls=True),
    "brier": Harm(0.5, "Brier score rises by {:.0%}", 5.0),
    "variance_ratio": Harm(0.5, "standard deviation of values falls by {:.0%}", 0.99, falls=True),
    "volume_vs_expected": Harm(0.5, "volume falls by {:.0%}", 0.99, falls=True),
    "site_outlier": Harm(SHARE_EFFECT, "share of one site moves by {:.3g}", 0.99, falls=True),
    "mix_shift": Harm(DRIFT_EFFECT, "mix moves by {:.3g} standard deviations", 5.0),
}


def harm_of(monitor: Monitor, share_effect: float) -> Harm | None:
    """The harm that is looked for: for shares a change by `share_effect`, for others one of a size that matters for the type."""
    metric = monitor.metric
    known = _BY_TYPE.get(metric.type)
    if known is not None:
        return known
    if isinstance(metric, Drift):
        return Harm(DRIFT_EFFECT, "mean moves by {:.3g} standard deviations of cases", 5.0)
    if isinstance(metric, SubgroupGap):
        return Harm(share_effect, f"{metric.event} falls by {{:.3g}}", 0.99, falls=True)
    if isinstance(metric, FeatureShare | Saturation):
        return Harm(share_effect, f"share of {_COUNTED[metric.type]} rises by {{:.3g}}", 0.99)
    if isinstance(metric, RateRatio):
        return Harm(1.0, f"{metric.numerator} per {metric.exposure} rise by {{:.0%}}", 20.0)
    if isinstance(metric, DuplicateRate):
        return Harm(share_effect, "share of retransmissions rises by {:.3g}", 0.99)
    if isinstance(metric, ClockOffset):
        mildest = min((limit.above for limit in monitor.limits.by_level.values() if limit.above is not None), default=0.0)
        return Harm(max(2 * mildest, 1.0), "clock stands {:.3g} s off", max(20 * mildest, 10.0))
    if metric.type in ("proportion_vs_floor", "auroc", "rate", "prevalence", "ood_share", "quality_mean"):
        return Harm(share_effect, f"{_watched(metric)} {_moves(monitor)} by {{:.3g}}", 0.99, falls=_falls(monitor))
    return None


def dispersion_of(manifest: Manifest, chart: NormalChart) -> float:
    """By how much more the means of a chart vary than chance makes them."""
    feature = manifest.baselines.feature(chart.feature) if chart.feature is not None else None
    return chart.dispersion or (feature.dispersion if feature is not None else None) or 1.0


def _watched(metric: Metric) -> str:
    if isinstance(metric, RateOf):
        return f"share of {metric.numerator} in {metric.denominator}"
    return metric.event if isinstance(metric, ProportionVsFloor) else _SPELLED.get(metric.type, metric.type)


def _falls(monitor: Monitor) -> bool:
    keys = {key for limit in monitor.limits.by_level.values() for key in limit.conditions}
    # Quality is watched for its fall, shares of what is odd for their rise, where a limit does not say which.
    return bool(keys & {"ci_upper_below", "below"}) or (monitor.metric.type in ("quality_mean", "auroc") and "p" in keys)


def _moves(monitor: Monitor) -> str:
    return "falls" if _falls(monitor) else "rises"


def harmed(world: World, monitor: Monitor, harm: Harm) -> World:
    """The world with the harm in it."""
    signed = -harm.effect if harm.falls else harm.effect
    if isinstance(world, QuietBins):
        return _harmed_bins(world, monitor.metric, harm.effect)
    if isinstance(world, QuietVolume):
        return replace(world, kept=max(1 + signed, 0.0))
    if isinstance(world, QuietUse):
        rate = world.rate * (1 + harm.effect) if monitor.metric.type == "poisson_rate_ratio" else world.rate + signed
        return replace(world, rate=max(rate, 0.0))
    if isinstance(world, QuietShape):
        return replace(world, scale=max(1 + signed, 1e-3))
    if isinstance(world, QuietRates):
        return replace(world, value=min(max(world.value + signed, 0.0), 1.0))
    if isinstance(world, QuietLabels):
        return _harmed_labels(world, monitor.metric, signed)
    if isinstance(world, QuietEvents):
        return replace(world, duplicated=min(world.duplicated + harm.effect, 1.0))
    if isinstance(world, QuietClocks):
        return replace(world, offset_s=harm.effect)
    return world


def _harmed_bins(world: QuietBins, metric: Metric, effect: float) -> QuietBins:
    if isinstance(metric, Saturation):
        low, high = metric.side in ("low", "both"), metric.side == "high"
        return replace(world, low=min(1.0, world.low + low * effect), high=min(1.0, world.high + high * effect))
    if isinstance(metric, FeatureShare):
        if metric.type == "missing_rate":
            return replace(world, missing=min(1.0, world.missing + effect))
        if metric.type == "absent_rate":
            return replace(world, absent=min(1.0, world.absent + effect))
        return replace(world, out_of_range=min(1.0, world.out_of_range + effect))
    return replace(world, shift=world.shift + effect)


def _harmed_labels(world: QuietLabels, metric: Metric, signed: float) -> QuietLabels:
    event = metric.proportion if isinstance(metric, SiteOutlier) else getattr(metric, "event", None)
    if isinstance(metric, ProportionVsFloor | SubgroupGap | SiteOutlier) and event is not None:
        return _harmed_proportion(world, event, signed)
    return replace(world, scores=_harmed_scores(world.scores, metric.type, signed))


def _harmed_proportion(world: QuietLabels, event: str, signed: float) -> QuietLabels:
    if event == "sensitivity":
        return replace(world, sensitivity=float(np.clip(world.sensitivity + signed, 0.0, 1.0)))
    if event == "specificity":
        return replace(world, specificity=float(np.clip(world.specificity + signed, 0.0, 1.0)))
    value = float(np.clip(world.predictive_values[event] + signed, 0.0, 1.0))
    return world.with_ppv(value) if event == "ppv" else world.with_npv(value)


def _harmed_scores(scores: CalibratedScores, kind: str, signed: float) -> CalibratedScores:
    if kind in ("observed_expected", "prevalence"):
        ratio = 1 + signed if kind == "observed_expected" else (scores.prevalence + signed) / scores.prevalence
        return scores.with_ratio(max(ratio, 0.0))
    if kind == "calibration_intercept":
        return scores.with_line(signed, 1.0)
    if kind == "auroc":
        target = max(0.5, scores.auroc() + signed)
        return _blurred_until(scores, lambda blurred: blurred.auroc() <= target)
    if kind == "brier":
        target = scores.brier() * (1 + signed)
        return _blurred_until(scores, lambda blurred: blurred.brier() >= target)
    return scores.with_slope(max(1 + signed, 0.01))


def _blurred_until(scores: CalibratedScores, reached: Callable[[CalibratedScores], bool]) -> CalibratedScores:
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(scores.blurred(middle)) else (middle, high)
    return scores.blurred(high)
