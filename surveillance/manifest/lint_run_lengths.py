"""Rule on charts of labels: the days between false alarms that a design states are those that its limit gives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from surveillance.errors import Problem
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_performance import BernoulliCusum

SHORTFALL = 0.05
"""How far a run length may fall short of the stated one: limits are written rounded, and volumes are expectations."""


def stated_run_lengths_hold(view: LintView) -> Iterator[Problem]:
    """`design.arl0_days` of a CUSUM of misses or false alerts, against its `h` and the labels expected per day."""
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
                message = f"h {limits[level]:g} gives a false alarm every {days:.3g} days, not every {stated_days:g}"
                yield Problem(place, message, "warning")


def _days(manifest: Manifest, metric: BernoulliCusum, h: float) -> float | None:
    """Mean days between false alarms; None where the manifest does not say how many cases to expect."""
    cases = _cases_a_day(manifest, metric)
    if not cases:
        return None
    from detectors.bernoulli_cusum import false_alert_parameters, miss_parameters

    unflagged, flagged = _coverage(manifest)
    labelled = miss_parameters if metric.event == "miss" else false_alert_parameters
    seen_as_event, seen_else = (unflagged, flagged) if metric.event == "miss" else (flagged, unflagged)
    labels_a_day = cases * (metric.p0 * seen_as_event + (1 - metric.p0) * seen_else)
    if labels_a_day == 0:
        return None
    p = float(labelled(metric.p0, unflagged, flagged))
    p0, p1 = metric.p0, metric.p1
    if metric.verification_correction == "begg_greenes":
        p0, p1 = p, float(labelled(metric.p1, unflagged, flagged))
    labels = _run_length(p0, p1, p, h)
    return None if labels is None else labels / labels_a_day


def _cases_a_day(manifest: Manifest, metric: BernoulliCusum) -> float | None:
    """Positives for misses, negatives for false alerts."""
    volume, prevalence = manifest.baselines.operational.expected_volume, manifest.baselines.prevalence
    hours = volume.hours() if volume is not None else None
    if hours is None or prevalence is None or not 0 < prevalence.value < 1:
        return None
    share = prevalence.value if metric.event == "miss" else 1 - prevalence.value
    return sum(hours) / 7 * share


def _coverage(manifest: Manifest) -> tuple[float, float]:
    """Share of unflagged and of flagged cases that get a label."""
    latency = manifest.baselines.label_latency
    if latency is None:
        return 1.0, 1.0
    expected = 1.0 if latency.expected_coverage is None else latency.expected_coverage
    unflagged, flagged = latency.verification.unflagged, latency.verification.flagged
    return expected if unflagged is None else unflagged, expected if flagged is None else flagged


@lru_cache(maxsize=256)
def _run_length(p0: float, p1: float, p: float, h: float) -> float | None:
    """Labels between false alarms; None where there is no chart to compute. Remembered: it is solved for in half a second."""
    from detectors.bernoulli_cusum import run_length

    try:
        return run_length(p0, p1, p, h)
    except ValueError:
        return None


RULES = (stated_run_lengths_hold,)
