"""Which statistics a metric type reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metric_kind import CountingWord
from surveillance.manifest.metrics_inputs import (
    ContextMix,
    Drift,
    FeatureShare,
    NormalChart,
    OutOfDistribution,
    Saturation,
    VarianceRatio,
)
from surveillance.manifest.metrics_operation import DigestMismatch, LowestValue, Quantile
from surveillance.manifest.metrics_performance import SiteOutlier
from surveillance.manifest.metrics_safety import EventCount, MaxSprtPoisson, RunRule, TrendTest
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.log_bins import limits_text
from surveillance.panes.safety import safety_statistic
from surveillance.times import SECOND_MS


class Reading(NamedTuple):
    """One series of windows per set of axes: the statistic it reads, and with `feature: "*"` the feature it is about."""

    statistic: str
    feature: str | None = None


Reader = Callable[[Manifest, Monitor], Iterator[Reading]]


def _events(uses: CountingWord | None) -> Reader:
    def read(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
        metric = monitor.metric
        assert isinstance(metric, MaxSprtPoisson | EventCount)
        yield Reading(safety_statistic(uses, metric.filter))

    return read


def _periodic(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, TrendTest | RunRule)
    chart = metric.chart if isinstance(metric, RunRule) else None
    if chart is None:
        yield Reading(safety_statistic(metric.uses, metric.filter))
    else:
        yield Reading(statistics.USE if chart.of == "rate" else f"{statistics.SHAPE}:{chart.subject}")


def _fixed(family: str) -> Reader:
    def read(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
        yield Reading(family)

    return read


def _features(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, Drift | FeatureShare)
    if metric.feature != "*":
        yield Reading(feature_statistic(manifest, metric.feature))
        return
    for feature in manifest.baselines.features:
        yield Reading(feature_statistic(manifest, feature.name), feature.name)


def feature_statistic(manifest: Manifest, name: str) -> str:
    """Where the bins of a feature, of `score` or of `output_class` are counted; a feature of such a name comes first."""
    if manifest.baselines.feature(name) is not None:
        return f"{statistics.FEATURE}:{name}"
    return {"score": statistics.SCORE, "output_class": statistics.OUTPUT}.get(name, f"{statistics.FEATURE}:{name}")


def _saturation(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, Saturation)
    # A width of its own is a statistic of its own.
    yield Reading(statistics.SCORE if metric.eps is None else f"{statistics.SCORE}:{metric.eps}")


def _variance(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, VarianceRatio)
    yield Reading(f"{statistics.SHAPE}:{metric.feature}")


def _normal_chart(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, NormalChart)
    yield Reading(statistics.USE if metric.of == "rate" else f"{statistics.SHAPE}:{metric.subject}")


def _mix(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, ContextMix)
    yield Reading(f"{statistics.MIX}:{metric.axis or ''}")


def _out_of_distribution(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, OutOfDistribution)
    threshold = metric.threshold if metric.threshold is not None else manifest.operating_point.abstain.ood_above
    yield Reading(f"{statistics.OOD}:{'' if threshold is None else threshold}")


def _digests(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, DigestMismatch)
    yield Reading(f"{statistics.IDENTITY}:{metric.type}:{','.join(sorted(set(metric.compared)))}")


def _site(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, SiteOutlier)
    yield Reading(statistics.USE if metric.proportion is None else statistics.LABELS)


def _delays(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, Quantile)
    if metric.field == "latency_ms":
        yield Reading(f"{statistics.LATENCIES}:{_edges_of(monitor, 1)}")
    else:
        yield Reading(f"{statistics.DELAYS}:{_edges_of(monitor, SECOND_MS)}")


def _clocks(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    yield Reading(f"{statistics.CLOCKS}:{_edges_of(monitor, SECOND_MS)}")


def _edges_of(monitor: Monitor, unit_ms: int) -> str:
    limits = (limit.above for limit in monitor.limits.by_level.values())
    return limits_text(above * unit_ms for above in limits if above is not None)


def _lowest(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    metric = monitor.metric
    assert isinstance(metric, LowestValue)
    yield Reading(f"{statistics.LOWEST}:{metric.field}")


READERS: Mapping[str, Reader] = {
    "psi": _features,
    "js": _features,
    "ks": _features,
    "wasserstein": _features,
    "tv": _features,
    "missing_rate": _features,
    "absent_rate": _features,
    "out_of_range_rate": _features,
    "variance_ratio": _variance,
    "cusum": _normal_chart,
    "ewma": _normal_chart,
    "mix_shift": _mix,
    "ood_share": _out_of_distribution,
    "quality_mean": _fixed(statistics.QUALITY),
    "saturation_share": _saturation,
    "identity_mismatch": _digests,
    "mismatch_count": _digests,
    "proportion_vs_floor": _fixed(statistics.LABELS),
    "observed_expected": _fixed(statistics.LABELS),
    "brier": _fixed(statistics.LABELS),
    "prevalence": _fixed(statistics.LABELS),
    "subgroup_gap": _fixed(statistics.LABELS),
    "site_outlier": _site,
    "spiegelhalter": _fixed(statistics.LABELS),
    "auroc": _fixed(statistics.LABEL_SCORES),
    "calibration_intercept": _fixed(statistics.LABEL_SCORES),
    "calibration_error": _fixed(statistics.LABEL_SCORES),
    "calibration_slope": _fixed(statistics.LABEL_SCORES),
    "poisson_rate_ratio": _fixed(statistics.USE),
    "rate": _fixed(statistics.USE),
    "heartbeat_gap": _fixed(statistics.BEATS),
    "duplicate_rate": _fixed(statistics.EVENTS),
    "volume_vs_expected": _fixed(statistics.USE),
    "quantile": _delays,
    "clock_offset_s": _clocks,
    "min_value": _lowest,
    "maxsprt_poisson": _events("inferences"),
    "event_count": _events(None),
    "trend_test": _periodic,
    "run_rule": _periodic,
    "label_arrivals_vs_expected": _fixed(statistics.ARRIVALS),
    "bernoulli_cusum": _fixed(statistics.FLOW),
}

LABEL_FREE_TYPES = frozenset({"proportion_vs_floor", "auroc", "brier"})
"""Metric types beside whose number stands what the scores alone promise."""
TREATED = {statistics.LABELS: statistics.TREATED_LABELS, statistics.LABEL_SCORES: statistics.TREATED_SCORES}
"""Statistic of treated cases alone, in the layout of the one that counts them with the others."""


def read_beside(metric_type: str, statistic: str) -> tuple[str, ...]:
    """Statistics by the same axes that are read for what stands beside a number on labels."""
    if statistic not in TREATED:
        return ()
    if metric_type not in LABEL_FREE_TYPES:
        return (TREATED[statistic],)
    # Whether labels reject the scores is told from their bins: sums over all rows let errors at both ends cancel.
    by_score = () if statistic == statistics.LABEL_SCORES else (statistics.LABEL_SCORES,)
    return (TREATED[statistic], statistics.LABEL_FREE, *by_score)


def readings(manifest: Manifest, monitor: Monitor) -> Iterator[Reading]:
    """What a monitor reads."""
    return READERS[monitor.metric.type](manifest, monitor)
