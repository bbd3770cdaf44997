"""Rules on numbers that lie outside what they can be: a percentage in place of a share, a threshold that no score reaches."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.errors import Problem
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.metric_kind import MetricKind
from surveillance.manifest.metrics_inputs import InputQuality, OutOfDistribution
from surveillance.manifest.metrics_operation import DuplicateRate, RateOf, RateRatio
from surveillance.manifest.metrics_performance import (
    BernoulliCusum,
    BrierScore,
    Discrimination,
    Prevalence,
    ProportionVsFloor,
    SubgroupGap,
)

SHARES = (ProportionVsFloor, Discrimination, BrierScore, Prevalence, OutOfDistribution, InputQuality, DuplicateRate)
SHARE_METRICS = frozenset({"sensitivity", "specificity", "ppv", "npv", "auroc", "brier"})
"""Ids of `baselines.metrics` whose values lie between 0 and 1."""

BREACHED_BELOW = frozenset({"ci_upper_below", "below"})
MEND = "write a share, such as 0.9 for 90 %"


def limits_can_be_crossed(view: LintView) -> Iterator[Problem]:
    """A limit lies among the values that its statistic can have."""
    for path, monitor in view.monitors:
        span = _span(monitor.metric)
        if span is None:
            continue
        for level, limit in monitor.limits.by_level.items():
            for key in ("ci_upper_below", "ci_lower_above", "above", "below"):
                value: float | None = getattr(limit, key)
                if value is None or span[0] <= value <= span[1]:
                    continue
                always = (value > span[1]) == (key in BREACHED_BELOW)
                yield Problem(
                    f"{path}.limits.{level}.{key}",
                    f"{monitor.metric.type} lies between {span[0]:g} and {span[1]:g}, got {value:g}, which is "
                    f"{'breached whatever happens' if always else 'never breached'}; {MEND}",
                )


def directions_are_of_harm(view: LintView) -> Iterator[Problem]:
    """A CUSUM of misses or false alerts looks for more of them; a rate ratio of 1 is what is expected."""
    for path, monitor in view.monitors:
        metric = monitor.metric
        if isinstance(metric, BernoulliCusum) and metric.event != "override" and metric.p1 < metric.p0:
            message = f"{metric.p1:g} is below p0 {metric.p0:g}: the chart sees when {metric.event} gets rarer, not more frequent"
            yield Problem(f"{path}.metric.p1", message, "warning")
        for level, limit in monitor.limits.by_level.items():
            ratio = limit.rr_ci_lower_above
            if isinstance(metric, RateRatio) and ratio is not None and ratio < 1:
                message = f"{ratio:g} is breached at the expected rate itself, whose ratio is 1: expected 1 or more"
                yield Problem(f"{path}.limits.{level}.rr_ci_lower_above", message, "warning")


def baselines_are_shares(view: LintView) -> Iterator[Problem]:
    """Validated shares lie between 0 and 1."""
    baselines = view.manifest.baselines
    if baselines.prevalence is not None:
        yield from _share("baselines.prevalence", baselines.prevalence.value)
    for index, metric in enumerate(baselines.metrics):
        if metric.id not in SHARE_METRICS:
            continue
        path = f"baselines.metrics[{index}]"
        if metric.overall is not None:
            yield from _share(f"{path}.overall", metric.overall.value)
        for axis, levels in metric.strata.items():
            for level, own in levels.items():
                yield from _share(f"{path}.strata.{axis}.{level}", own.value)


def thresholds_are_scores(view: LintView) -> Iterator[Problem]:
    """A threshold lies within the range of the score."""
    low, high = view.manifest.operating_point.score_range
    for index, threshold in enumerate(view.manifest.operating_point.thresholds):
        if not low <= threshold.value <= high:
            message = f"expected a score of operating_point.score_range, {low:g} to {high:g}, got {threshold.value:g}"
            yield Problem(f"operating_point.thresholds[{index}].value", message)


def detectable_effects_are_shares(view: LintView) -> Iterator[Problem]:
    """The effect that every subgroup metric must see is a change of a share."""
    wanted = view.manifest.surveillance.coverage_rules.every_subgroup_metric_detectable
    if wanted is not None and wanted.effect > 1:
        path = "surveillance.coverage_rules.every_subgroup_metric_detectable.effect"
        yield Problem(path, f"expected a change of a share, at most 1, got {wanted.effect:g}; write 0.1 for 10 points of 100")


def _span(metric: MetricKind) -> tuple[float, float] | None:
    """The least and the largest value of a statistic; None where it has no such bounds."""
    from surveillance.evaluation.estimators.use import is_share

    if isinstance(metric, SubgroupGap):
        return -1.0, 1.0
    if isinstance(metric, RateOf) and is_share(metric.numerator, metric.denominator):
        return 0.0, 1.0
    return (0.0, 1.0) if isinstance(metric, SHARES) else None


def _share(path: str, value: float) -> Iterator[Problem]:
    if not 0 <= value <= 1:
        yield Problem(path, f"expected a share from 0 to 1, got {value:g}; {MEND}")


RULES = (
    limits_can_be_crossed,
    directions_are_of_harm,
    baselines_are_shares,
    thresholds_are_scores,
    detectable_effects_are_shares,
)
