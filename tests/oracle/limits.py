"""From a number to the verdict of each level: breached, met or inconclusive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .policy import LEVELS, Document
from .question import Measure

NO_CONDITION = ("sustained", "persistence")


@dataclass(frozen=True)
class Facts:
    """What a condition may ask beside the number.

    Coverage of the newest mature window, missed beats of every gateway, windows in a row with equal bin counts, and how many
    scopes share an e limit.
    """

    coverage_mature: float | None = None
    gateway_gaps: tuple[int, ...] = ()
    identical: int | None = None
    family: int = 1


def level_verdicts(limits: Document, measure: Measure, facts: Facts) -> dict[str, str]:
    """Verdict of every configured level."""
    configured = [level for level in LEVELS if limits.get(level) is not None]
    if measure.reason == "exhausted":
        return _exhausted(limits, configured)
    if not measure.conclusive:
        return dict.fromkeys(configured, "inconclusive")
    return {level: _level(limits[level], measure, facts) for level in configured}


def _exhausted(limits: Document, configured: list[str]) -> dict[str, str]:
    """A test that used up its alpha is an incident: where a level says so, else at the lowest one."""
    named = [level for level in configured if limits[level].get("exhausted")] or configured[:1]
    return {level: "breached" if level in named else "inconclusive" for level in configured}


def overall(levels: Mapping[str, str]) -> str:
    """Breached when any level is, met when all are, else inconclusive."""
    if "breached" in levels.values():
        return "breached"
    return "met" if set(levels.values()) == {"met"} else "inconclusive"


def _level(conditions: Document, measure: Measure, facts: Facts) -> str:
    verdicts = {_condition(key, conditions, measure, facts) for key in conditions if key not in NO_CONDITION}
    if verdicts == {"breached"}:
        return "breached"
    return "met" if "met" in verdicts else "inconclusive"


def _gateways(conditions: Document, facts: Facts) -> str:
    return _holds(sum(gap >= conditions["missed"] for gap in facts.gateway_gaps) >= conditions["gateways"])


def _condition(key: str, conditions: Document, measure: Measure, facts: Facts) -> str:
    if key == "gateways":
        return _gateways(conditions, facts)
    bound = conditions[key]
    if key in FACTS:
        return FACTS[key](bound, measure, facts)
    if key in ("p", "coverage_mature_below"):
        p = measure.p if measure.adjusted_p is None else measure.adjusted_p
        found = p if key == "p" else facts.coverage_mature
        return "inconclusive" if found is None else _holds(found < bound)
    value = measure.value
    assert value is not None
    if key in ("ge", "h", "missed", "effect_min", "llr"):
        return _holds(value >= bound)
    if key == "above" and measure.method.startswith("kaplan_meier"):
        return _of_waits(bound, measure)
    if key == "above":
        return _holds(value > bound)
    if key == "below":
        return _holds(value < bound)
    return _interval(key, bound, measure)


def _of_waits(bound: float, measure: Measure) -> str:
    """By the interval; above an upper bound that nobody has reached anything may be."""
    assert measure.lower is not None
    assert measure.upper is not None
    return _three(measure.lower > bound, measure.upper <= bound and "unreached" not in measure.method)


FACTS: dict[str, Callable[[Any, Measure, Facts], str]] = {
    "e": lambda bound, measure, facts: _unless_none(measure.e, lambda e: e >= bound * facts.family),
    "identical_windows": lambda bound, measure, facts: _unless_none(facts.identical, lambda count: count >= bound),
    "hit": lambda bound, measure, facts: _unless_none(measure.hit, lambda hit: hit is bound),
    "exhausted": lambda bound, measure, facts: "met",
    "confirmed_causal": lambda bound, measure, facts: "met",
}
"""`exhausted` is judged before; `confirmed_causal` is decided by a person and never follows from telemetry."""


def _unless_none(found: Any, holds: Callable[[Any], bool]) -> str:
    return "inconclusive" if found is None else _holds(holds(found))


def _holds(condition: bool) -> str:
    return "breached" if condition else "met"


def _interval(key: str, bound: float | list[float], measure: Measure) -> str:
    lower, upper = measure.lower, measure.upper
    assert lower is not None
    assert upper is not None
    if key == "outside":
        low, high = bound  # type: ignore[misc]
        return _three(upper < low or lower > high, low <= lower and upper <= high)
    assert not isinstance(bound, list)
    if key == "ci_upper_below":
        return _three(upper < bound, lower >= bound)
    if key == "ratio_to_baseline":
        baseline = measure.thresholds.get(key)
        if baseline is None:
            return "inconclusive"
        bound = bound * baseline
    return _three(lower > bound, upper <= bound)


def _three(breached: bool, met: bool) -> str:
    return "breached" if breached else "met" if met else "inconclusive"
