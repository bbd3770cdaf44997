"""Rule on charts of labels: the days between false alarms that a design states are those that its limit gives."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.errors import Problem
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_performance import BernoulliCusum

SHORTFALL = 0.05
"""How far a run length may fall short of the stated one: limits are written rounded, and volumes are expectations."""


def stated_run_lengths_hold(view: LintView) -> Iterator[Problem]:
    """`design.arl0_days` of a CUSUM of misses or false alerts, against its `h` and the labels expected per day.

    A design is stated label by label. The forecast of false alarms folds labels as the evaluator does, which is rarer.
    """
    for path, monitor in view.monitors:
        metric = monitor.metric
        if not isinstance(metric, BernoulliCusum) or metric.event == "override" or monitor.design is None:
            continue
        limits = {level: limit.h for level, limit in monitor.limits.by_level.items() if limit.h is not None}
        for level, stated_days in monitor.design.arl0_days.items():
            if level not in limits:
                continue
            place = f"{path}.design.arl0_days.{level}"
            days = _days(view.manifest, metric, limits[level])
            if days is None:
                needed = "baselines.prevalence and an overall baselines.operational.expected_volume"
                yield Problem(place, f"cannot be checked without {needed}", "warning")
            elif days < (1 - SHORTFALL) * stated_days:
                message = (
                    f"h {limits[level]:g} gives a false alarm every {days:.3g} days label by label, not every {stated_days:g}; "
                    "a higher h makes it rarer"
                )
                yield Problem(place, message, "warning")


def _days(manifest: Manifest, metric: BernoulliCusum, h: float) -> float | None:
    """Mean days between false alarms; None where the manifest does not say how many cases to expect."""
    if not _cases_are_stated(manifest):
        return None
    from surveillance.foresight.assumptions import assumptions_of
    from surveillance.foresight.label_charts import LabelChart

    try:
        days = LabelChart(manifest, metric, assumptions_of(manifest), 1.0).arl0_days(h)
    except ValueError:
        return None
    return days if days > 0 else None


def _cases_are_stated(manifest: Manifest) -> bool:
    volume, prevalence = manifest.baselines.operational.expected_volume, manifest.baselines.prevalence
    hours = volume.hours() if volume is not None else None
    return hours is not None and sum(hours) > 0 and prevalence is not None and 0 < prevalence.value < 1


RULES = (stated_run_lengths_hold,)
