"""Rules on what a monitor needs and may not have: a reference, a digest, an expectation, a window."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.errors import Problem
from surveillance.manifest.lint_view import LintView, dangling
from surveillance.manifest.metric_kind import CountingWord, Labelled
from surveillance.manifest.metrics_inputs import (
    ContextMix,
    Drift,
    FeatureShare,
    InputQuality,
    NormalChart,
    OutOfDistribution,
    Saturation,
    VarianceRatio,
)
from surveillance.manifest.metrics_operation import DigestMismatch, LabelArrivals, RateRatio, Volume
from surveillance.manifest.metrics_performance import (
    BernoulliCusum,
    BrierScore,
    Discrimination,
    Prevalence,
    ProportionVsFloor,
    SubgroupGap,
)
from surveillance.manifest.mix_reference import mix_reference
from surveillance.manifest.model_baselines import FeatureBaseline
from surveillance.manifest.model_distribution import Reference
from surveillance.manifest.model_monitors import PER_LABEL, Monitor

ALL_FEATURES = "*"


def features_are_known(view: LintView) -> Iterator[Problem]:
    """Features that metrics name have a baseline; `score` and `output_class` are known where a distribution is read."""
    features = [feature.name for feature in view.manifest.baselines.features]
    for path, monitor in view.monitors:
        metric = monitor.metric
        if not isinstance(metric, (Drift, FeatureShare, VarianceRatio, NormalChart)) or metric.feature is None:
            continue
        known = features if isinstance(metric, FeatureShare) else [*features, "score", "output_class"]
        if metric.feature == ALL_FEATURES:
            if not features:
                yield Problem(f"{path}.metric.feature", "there are no baseline features: * watches nothing", "warning")
        elif metric.feature not in known:
            # A share of missing values against a plain limit can be counted without any baseline.
            alone = metric.type == "missing_rate" and not _states(monitor, "ratio_to_baseline")
            found = dangling(f"{path}.metric.feature", "baseline feature", metric.feature, known)
            yield Problem(found.path, found.message, "warning" if alone else "error")


def references_are_there(view: LintView) -> Iterator[Problem]:
    """What a metric is compared with is in the manifest."""
    for path, monitor in view.monitors:
        yield from (Problem(f"{path}.metric", f"reference missing: {what}") for what in _missing_references(view, monitor))
        yield from _unsized_references(view, path, monitor)


def digests_are_declared(view: LintView) -> Iterator[Problem]:
    """Digest fields that are compared have a digest to be compared with."""
    declared = view.manifest.release.identities.digests
    for path, monitor in view.monitors:
        if not isinstance(monitor.metric, DigestMismatch):
            continue
        if not monitor.metric.compared:
            yield Problem(f"{path}.metric", "names no field to compare")
        for field in monitor.metric.compared:
            if field not in declared:
                yield Problem(f"{path}.metric", f'release.identities has no digest for "{field}": it can never differ', "warning")


def windows_suit_metrics(view: LintView) -> Iterator[Problem]:
    """`per_label` is for CUSUMs of labels; a chart of window means needs windows."""
    for path, monitor in view.monitors:
        is_cusum = isinstance(monitor.metric, BernoulliCusum)
        if monitor.window == PER_LABEL and not is_cusum:
            yield Problem(f"{path}.window", f"per_label is for bernoulli_cusum, not for {monitor.metric.type}")
        if is_cusum and monitor.window != PER_LABEL:
            yield Problem(f"{path}.window", "a bernoulli_cusum folds labels one by one: expected per_label", "warning")
        if isinstance(monitor.metric, NormalChart) and monitor.is_cumulative:
            yield Problem(f"{path}.window", f"{monitor.metric.type} charts one point per window: expected a window id")


def dispersion_is_stated(view: LintView) -> Iterator[Problem]:
    """Counts of labels and of uses vary more than Poisson counts do; dispersion 1 is a claim that they do not."""
    baselines = view.manifest.baselines
    for path, monitor in view.monitors:
        metric = monitor.metric
        if (
            isinstance(metric, LabelArrivals)
            and baselines.label_latency is not None
            and baselines.label_latency.dispersion is None
        ):
            yield Problem(
                f"{path}.metric", "baselines.label_latency.dispersion is not set: 1 is assumed, which alarms too often", "warning"
            )
        volume = baselines.operational.expected_volume
        if isinstance(metric, Volume) and metric.dispersion is None and volume is not None and volume.dispersion is None:
            what = "baselines.operational.expected_volume.dispersion"
            yield Problem(f"{path}.metric", f"{what} is not set: 1 is assumed, which alarms too often", "warning")


def labels_are_understood(view: LintView) -> Iterator[Problem]:
    """Metrics that mix flagged and unflagged cases know how often unflagged ones are verified; `require_mature` knows when."""
    latency = view.manifest.baselines.label_latency
    expected = None if latency is None else latency.verification.unflagged
    if expected is None and latency is not None:
        expected = latency.expected_coverage
    maturity = latency.maturity if latency is not None else None
    can_mature = maturity is not None and (maturity.coverage_min is not None or maturity.or_age_ms is not None)
    for path, monitor in view.monitors:
        metric = monitor.metric
        if not isinstance(metric, Labelled):
            continue
        mixes = not (isinstance(metric, (ProportionVsFloor, SubgroupGap)) and metric.event == "ppv")
        if mixes and expected is None:
            message = (
                "baselines.label_latency says no coverage of unflagged cases (verification.unflagged, else expected_coverage): "
                "verification bias cannot be judged against it"
            )
            yield Problem(f"{path}.metric", message, "warning")
        if metric.require_mature and not can_mature:
            yield Problem(
                f"{path}.metric.require_mature", "baselines.label_latency.maturity is not set: no window ever matures", "warning"
            )


def telemetry_carries_it(view: LintView) -> Iterator[Problem]:
    """Where `telemetry.schemas` lists schemas, those that a metric needs are among them."""
    schemas = {schema.partition("/")[0] for schema in view.manifest.surveillance.telemetry.schemas}
    for path, monitor in view.monitors:
        needed = monitor.metric.event_kind
        if schemas and needed not in schemas:
            yield Problem(
                f"{path}.metric", f"needs {needed} events, which surveillance.telemetry.schemas does not list", "warning"
            )


def _states(monitor: Monitor, key: str) -> bool:
    return any(key in limit.conditions for limit in monitor.limits.by_level.values())


def _features(view: LintView, name: str) -> list[FeatureBaseline]:
    features = view.manifest.baselines.features
    return [feature for feature in features if name in (ALL_FEATURES, feature.name)]


def _missing_references(view: LintView, monitor: Monitor) -> Iterator[str]:
    match monitor.metric:
        case Drift() as metric:
            yield from _distributions(view, metric)
        case FeatureShare() as metric:
            yield from _shares(view, monitor, metric)
        case NormalChart() as metric:
            yield from _chart(view, metric)
        case Saturation() as metric if _states(monitor, "ratio_to_baseline"):
            yield from _saturation(view, metric)
        case VarianceRatio() as metric if _states(monitor, "p"):
            yield from _variance(view, metric)
        case _:
            yield from _missing_expectations(view, monitor)


def _missing_expectations(view: LintView, monitor: Monitor) -> Iterator[str]:
    baselines = view.manifest.baselines
    match monitor.metric:
        case RateRatio(baseline_keys=keys) if not any(baselines.operational.figure(key) for key in keys):
            yield "baselines.operational." + " or ".join(keys)
        case Volume() if baselines.operational.expected_volume is None:
            yield "baselines.operational.expected_volume"
        case LabelArrivals() if not _has_latency_curve(view):
            yield "baselines.label_latency with p50_h, p95_h, p99_h and expected_coverage"
        case SubgroupGap(to="baseline", event=event) if baselines.metric(event) is None:
            yield f'baselines.metrics "{event}"'
        case ContextMix(axis=None):
            yield "axis"
        case ContextMix(axis=axis) if axis is not None and mix_reference(view.manifest, axis) is None:
            yield f'mix of "{axis}" (a categorical entry of baselines.features named as the axis or its field)'
        case OutOfDistribution(threshold=None) if view.manifest.operating_point.abstain.ood_above is None:
            yield "threshold, or operating_point.abstain.ood_above"
        case Discrimination() | BrierScore() as metric if _states(monitor, "p") and baselines.metric(metric.type) is None:
            yield f'baselines.metrics "{metric.type}"'
        case Prevalence() if _states(monitor, "p") and baselines.prevalence is None and baselines.metric("prevalence") is None:
            yield 'baselines.prevalence or baselines.metrics "prevalence"'
        case InputQuality() if _states(monitor, "p") and baselines.operational.figure("input_quality_mean") is None:
            yield "baselines.operational.input_quality_mean"


def _has_latency_curve(view: LintView) -> bool:
    latency = view.manifest.baselines.label_latency
    return latency is not None and None not in (latency.p50_h, latency.p95_h, latency.p99_h, latency.expected_coverage)


def _saturation(view: LintView, metric: Saturation) -> Iterator[str]:
    score = view.manifest.baselines.score
    sides = ("low", "high") if metric.side == "both" else (metric.side,)
    if score is None or any(getattr(score.saturation_share, side) is None for side in sides):
        yield "baselines.score.saturation_share." + " and ".join(sides)


def _variance(view: LintView, metric: VarianceRatio) -> Iterator[str]:
    reference = view.manifest.baselines.reference(metric.feature)
    if reference is None and metric.feature == "score":
        yield "baselines.score.sd"
    elif reference is not None and reference.sd is None:
        yield f'sd of "{metric.feature}"'


def _references(view: LintView, metric: Drift) -> list[tuple[str, Reference | None]]:
    named: list[tuple[str, Reference | None]] = [(one.name, one) for one in _features(view, metric.feature)]
    if metric.feature in ("score", "output_class") and not named:
        named = [(metric.feature, view.manifest.baselines.reference(metric.feature))]
    return named


def _distributions(view: LintView, metric: Drift) -> Iterator[str]:
    for name, reference in _references(view, metric):
        if reference is None or reference.distribution is None:
            yield f'distribution of "{name}" (bins.edges with probs, or probs by category)'
        elif metric.type == "wasserstein" and metric.feature != ALL_FEATURES and reference.distribution.edges is None:
            yield f'bins.edges of "{name}" (categories lie nowhere, so they have no Wasserstein distance)'


def _shares(view: LintView, monitor: Monitor, metric: FeatureShare) -> Iterator[str]:
    attribute = {"missing_rate": "missing", "absent_rate": "absent", "out_of_range_rate": "out_of_range"}[metric.type]
    for feature in _features(view, metric.feature):
        if metric.type == "out_of_range_rate" and feature.range is None and metric.feature != ALL_FEATURES:
            yield f'range of "{feature.name}"'
        if _states(monitor, "ratio_to_baseline") and getattr(feature, attribute) is None:
            yield f'share "{attribute}" of "{feature.name}"'


def _has_rate(view: LintView, numerator: CountingWord, denominator: CountingWord) -> bool:
    ratio = RateRatio(type="poisson_rate_ratio", numerator=numerator, exposure=denominator)
    return any(view.manifest.baselines.operational.figure(key) is not None for key in ratio.baseline_keys)


def _chart(view: LintView, metric: NormalChart) -> Iterator[str]:
    if metric.of == "rate":
        if metric.numerator is None or metric.denominator is None:
            yield "numerator and denominator of the rate"
        elif metric.mean is None and not _has_rate(view, metric.numerator, metric.denominator):
            yield f"mean of the rate, or baselines.operational.{metric.numerator}_per_100_{metric.denominator}"
        return
    if metric.of == "feature_mean" and metric.feature is None:
        yield "feature"
        return
    reference: Reference | None = view.manifest.baselines.score
    if metric.of == "feature_mean":
        reference = view.manifest.baselines.reference(metric.feature or "")
    for name in ("mean", "sd"):
        if getattr(metric, name) is None and (reference is None or getattr(reference, name) is None):
            yield f'{name} of "{metric.feature or "score"}"'


def _unsized_references(view: LintView, path: str, monitor: Monitor) -> Iterator[Problem]:
    """A reference without n gives `unknown_reference` for ever; a volume per site has no overall expectation to fall back on."""
    metric, manifest = monitor.metric, view.manifest
    if isinstance(metric, Drift) and manifest.baseline_n is None:
        for feature in _features(view, metric.feature):
            if feature.n is None:
                message = (
                    f'"{feature.name}" has no n and release.datasets.monitoring_baseline none either: always unknown_reference'
                )
                yield Problem(f"{path}.metric", message, "warning")
    volume = manifest.baselines.operational.expected_volume
    if isinstance(metric, Volume) and volume is not None and monitor.axes != ((("site",),) if volume.per == "site" else ()):
        message = f"expected volumes are per {volume.per}: other scopes are always unknown_reference; {_wanted_axes(volume.per)}"
        yield Problem(f"{path}.by", message, "warning")


def _wanted_axes(per: str) -> str:
    return "watch by: [site]" if per == "site" else "leave `by` out, or state volumes per: site with a key for each"


RULES = (
    features_are_known,
    references_are_there,
    digests_are_declared,
    windows_suit_metrics,
    dispersion_is_stated,
    labels_are_understood,
    telemetry_carries_it,
)
