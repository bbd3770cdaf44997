"""Rule on sequential tests: the error that a test states is that which its limit leaves it."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.maxsprt_poisson import critical_value, performance
from surveillance.errors import Problem
from surveillance.manifest.lint_view import LintView
from surveillance.manifest.metrics_safety import MaxSprtPoisson

_ROUNDING = 0.01
"""By how much more than alpha a test may err: limits are written rounded."""


_LONGEST = 2_000.0
"""Expected events by the horizon of the longest test that is worked out: time grows with their square, 2,000 take .2 s."""


_NEVER = 60.0
"""A ratio that no test reaches with a probability worth a word, about e^-60 by each event."""
_SMALLEST_ALPHA = 1e-20


def limits_hold_the_stated_error(view: LintView) -> Iterator[Problem]:
    """`alpha` of a MaxSPRT, against the highest `llr` of its levels; milder levels are meant to be reached sooner."""
    for path, monitor in view.monitors:
        metric = monitor.metric
        limits = {level: limit.llr for level, limit in monitor.limits.by_level.items() if limit.llr is not None}
        if not isinstance(metric, MaxSprtPoisson) or not limits or metric.horizon > _LONGEST:
            continue
        level = max(limits, key=lambda one: limits[one])
        if limits[level] >= _NEVER:
            continue
        errs = performance(limits[level], metric.horizon, minimum_events=metric.minimum_events).power
        if errs > (1 + _ROUNDING) * metric.alpha:
            message = (
                f"llr {limits[level]:g} is reached by T with probability {errs:.3g} when nothing is wrong, more than alpha "
                f"{metric.alpha:g}{_needed(metric)}"
            )
            yield Problem(f"{path}.limits.{level}.llr", message, "warning")


def _needed(metric: MaxSprtPoisson) -> str:
    if metric.alpha < _SMALLEST_ALPHA:
        return ""
    found = critical_value(metric.horizon, metric.alpha, minimum_events=metric.minimum_events)
    return f", which needs llr {found:.6g}"


RULES = (limits_hold_the_stated_error,)
