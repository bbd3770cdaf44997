"""Rules on limits: what they mean together, how often they are looked at, and what they do over many scopes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from surveillance.errors import Problem
from surveillance.manifest.durations import DAY_MS, format_duration
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.metric_kind import IntervalFamily
from surveillance.manifest.metrics_inputs import Drift, is_about_inputs
from surveillance.manifest.metrics_performance import BernoulliCusum, Calibration, SubgroupGap
from surveillance.manifest.model_monitors import Monitor

STRICTER_WHEN_SMALLER = frozenset({"p", "ci_upper_below", "below", "coverage_mature_below"})
"""Limits that a worse field falls below; all other numbers are limits it rises above."""

METHODS: dict[IntervalFamily, tuple[str, ...]] = {
    "proportion": ("wilson", "clopper_pearson", "confidence_sequence", "newcombe"),
    "exact_poisson": ("exact_poisson",),
    "rate_ratio": ("conditional_binomial", "exact_poisson"),
    "wald": ("wald",),
    "delong": ("delong",),
    "kaplan_meier": ("kaplan_meier",),
    "none": (),
}
"""Interval methods by family."""


def monitors_have_limits(view: LintView) -> Iterator[Problem]:
    """A monitor without any limit never speaks."""
    for path, monitor in view.monitors:
        if not monitor.limits.by_level:
            yield Problem(f"{path}.limits", "no level has a limit: this monitor never opens an incident", "warning")


def levels_rise(view: LintView) -> Iterator[Problem]:
    """A higher level asks for stronger evidence than a lower one."""
    for path, monitor in view.monitors:
        for (low, mild), (high, severe) in combinations(monitor.limits.by_level.items(), 2):
            for key in mild.conditions.keys() & severe.conditions.keys():
                if _is_looser(key, severe.conditions[key], mild.conditions[key]):
                    yield Problem(
                        f"{path}.limits.{high}.{key}", f"looser than at {low}: {high} is reached before {low}", "warning"
                    )


def persistence_can_be_met(view: LintView) -> Iterator[Problem]:
    """`k` of `of` windows needs k <= of."""
    default = view.manifest.surveillance.persistence_default
    if default.k > default.of:
        yield Problem("surveillance.persistence_default.k", f"expected k <= of, got k {default.k} of {default.of}")
    for path, monitor in view.monitors:
        for level, limit in monitor.limits.by_level.items():
            holds = view.manifest.persistence_of(monitor, level)
            own = f"{path}.limits.{level}.persistence" if limit.persistence is not None else f"{path}.persistence"
            if holds.k > holds.of and (limit.persistence is not None or monitor.persistence is not None):
                yield Problem(f"{own}.k", f"expected k <= of, got k {holds.k} of {holds.of}")


def small_p_needs_an_effect(view: LintView) -> Iterator[Problem]:
    """With enough data any permanent offset between scopes is significant."""
    for path, monitor in view.monitors:
        if not isinstance(monitor.metric, Drift):
            continue
        foreign = [
            entry for entry, names in zip(monitor.by, monitor.axes, strict=True) if not _has_own_references(view, monitor, names)
        ]
        for level, limit in monitor.limits.by_level.items():
            if foreign and limit.p is not None and limit.effect_min is None:
                message = (
                    f"p limit without effect_min, and {', '.join(foreign)} has no reference of its own: "
                    "a harmless permanent offset breaches it for ever"
                )
                yield Problem(f"{path}.limits.{level}.p", message, "warning")


def raw_distances_are_folklore(view: LintView) -> Iterator[Problem]:
    """A raw distance depends on n: with 100 cases in 10 bins PSI is above 0.1 in 31 % of windows without any drift."""
    for path, monitor in view.monitors:
        if monitor.limits.mode == "raw":
            yield Problem(
                f"{path}.limits.mode", "raw distances depend on n; null_scaled_chi2 with effect_min does not", "warning"
            )


def intervals_suit_metrics(view: LintView) -> Iterator[Problem]:
    """The interval asked for is one the metric type has."""
    for path, monitor in view.monitors:
        methods = METHODS["exact_poisson" if monitor.metric.type == "observed_expected" else monitor.metric.interval_family]
        if not isinstance(monitor.metric, SubgroupGap):
            methods = tuple(method for method in methods if method != "newcombe")  # of a difference
        chosen = monitor.interval.method
        if chosen is not None and chosen not in methods:
            takes = f"one of {', '.join(methods)}" if methods else "no interval"
            yield Problem(f"{path}.interval.method", f"{monitor.metric.type} takes {takes}, got {chosen}")


def repeated_looks_are_paid_for(view: LintView) -> Iterator[Problem]:
    """An interval made for one look does not keep its level on overlapping or growing data."""
    for path, monitor in view.monitors:
        interval = view.manifest.interval_of(monitor)
        if interval.method in (None, "confidence_sequence") or not view.manifest.is_looked_at_repeatedly(monitor):
            continue
        looks, missed = _looks_a_year(view, monitor, interval.level)
        message = (
            f"{interval.method} holds for one look at level {interval.level:g}, and {looks}: in {missed:.0%} of years some "
            "interval misses the truth; to mend: windows that do not overlap, a higher interval.level, or, for a share, "
            "interval.method confidence_sequence"
        )
        yield Problem(f"{path}.interval", message, "warning")


def designs_are_possible(view: LintView) -> Iterator[Problem]:
    """A CUSUM needs two different hypotheses; an outside limit needs an inside; gateways need missed beats."""
    for path, monitor in view.monitors:
        metric = monitor.metric
        if isinstance(metric, BernoulliCusum) and metric.p0 == metric.p1:
            yield Problem(f"{path}.metric.p1", f"expected a probability other than p0, got {metric.p1:g}")
        for level, limit in monitor.limits.by_level.items():
            if limit.outside is not None and limit.outside[0] >= limit.outside[1]:
                yield Problem(f"{path}.limits.{level}.outside", f"expected lower < upper, got {list(limit.outside)}")
            if isinstance(metric, Calibration) and limit.outside is not None and not _contains_target(metric, limit.outside):
                yield Problem(f"{path}.limits.{level}.outside", "a well calibrated model lies outside it", "warning")


def drift_never_rolls_back(view: LintView) -> Iterator[Problem]:
    """Only a violated claim, wrong identity or serious harm arms a rollback."""
    by_id = {monitor.id: monitor for _, monitor in view.monitors}
    for index, (name, level) in enumerate(view.manifest.rollback.parsed_triggers):
        if level is not None and name in by_id and is_about_inputs(by_id[name].metric):
            message = f'"{name}" is a {by_id[name].metric.type} monitor: drift alone never rolls back'
            yield Problem(f"rollback.triggers[{index}]", message)


def _is_looser(key: str, severe: Any, mild: Any) -> bool:
    if key == "outside":
        return bool(severe[0] > mild[0] or severe[1] < mild[1])
    if isinstance(severe, bool):
        return False
    return bool(severe > mild if key in STRICTER_WHEN_SMALLER else severe < mild)


def _has_own_references(view: LintView, monitor: Monitor, axes: tuple[str, ...]) -> bool:
    metric = monitor.metric
    if len(axes) != 1 or not isinstance(metric, Drift):
        return False
    names = [feature.name for feature in view.manifest.baselines.features] if metric.feature == "*" else [metric.feature]
    axis = view.manifest.axis(axes[0])
    levels = axis.levels if axis is not None else None
    for name in names:
        reference = view.manifest.baselines.reference(name)
        own = reference.strata.get(axes[0], {}) if reference is not None else {}
        if levels is None or any(level not in own for level in levels):
            return False
    return True


def _looks_a_year(view: LintView, monitor: Monitor, level: float) -> tuple[str, float]:
    """How often it is looked at, in words, and the share of years in which some interval of this level misses the truth."""
    from surveillance.foresight.window_overlap import yearly_miss, yearly_miss_from_a_start

    window = view.manifest.surveillance.window(monitor.window) if monitor.window is not None else None
    if window is None:
        return "a cumulative series is looked at with every pane, and were it once a day alone", yearly_miss_from_a_start(level)
    looks = 365 * DAY_MS // window.slide_ms
    words = f'window "{window.id}" is looked at every {format_duration(window.slide_ms)}, {looks} times a year, overlapping'
    return words, yearly_miss(window.size_ms, window.slide_ms, level)


def _contains_target(metric: Calibration, outside: tuple[float, float]) -> bool:
    target = 0.0 if metric.type == "calibration_intercept" else 1.0
    return outside[0] <= target <= outside[1]


RULES = (
    monitors_have_limits,
    levels_rise,
    persistence_can_be_met,
    small_p_needs_an_effect,
    raw_distances_are_folklore,
    intervals_suit_metrics,
    repeated_looks_are_paid_for,
    designs_are_possible,
    drift_never_rolls_back,
)
