"""Verdicts: breached, met or inconclusive, by the conditions of each level. Insufficient evidence is never met.

A condition with an interval is breached when the whole interval lies on the wrong side, met when it lies wholly on the
right one. A condition without one is breached when it holds, else met. A level is breached when all its conditions are,
met when one is met; a monitor is breached when any level is, met when all are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from detectors.estimate import Estimate, Outcome
from surveillance.manifest.model_limits import LevelLimit


class Verdict(StrEnum):
    BREACHED = "breached"
    MET = "met"
    INCONCLUSIVE = "inconclusive"


class Finding(NamedTuple):
    """What a monitor found for one scope and window, before any limit.

    `baseline` is the manifest's number that `ratio_to_baseline` multiplies; `p` the p-value after correction for
    multiplicity; `coverage` that of the newest mature window; `silent` how many gateways miss at least a number of beats;
    `identical` how many windows in a row, this one included, hold the same counts, None where nothing is counted in bins.
    `above_by` are the bounds that `above` is judged by, the upper one None where it is not known; without them the value is.
    `exhausted` = a sequential test has used up its horizon; `hit` = a run rule's pattern ends here; `looks` share a p limit.
    `beside` is what stands beside the number for people and moves no verdict, by its public name.
    """

    outcome: Outcome
    baseline: float | None = None
    p: float | None = None
    coverage: float | None = None
    silent: Callable[[int], int] | None = None
    identical: int | None = None
    above_by: tuple[float, float | None] | None = None
    exhausted: bool = False
    hit: bool | None = None
    looks: int = 1
    beside: Mapping[str, Any] | None = None


_BREACHED_IF = {True: Verdict.BREACHED, False: Verdict.MET}


def level_verdict(limit: LevelLimit, finding: Finding, family: int = 1) -> Verdict:
    """Verdict of one level's conditions together; `family` = scopes that share an e-value's limit (e-Bonferroni)."""
    found = Verdict.BREACHED if limit.conditions else Verdict.INCONCLUSIVE
    for key, value in limit.conditions.items():
        verdict = condition_verdict(key, value, limit, finding, family)
        if verdict is Verdict.MET:
            return verdict
        if verdict is Verdict.INCONCLUSIVE:
            found = verdict
    return found


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Verdict of a monitor from its configured levels."""
    found = Verdict.INCONCLUSIVE
    for at, verdict in enumerate(verdicts):
        if verdict is Verdict.BREACHED:
            return verdict
        found = verdict if at == 0 or verdict is Verdict.INCONCLUSIVE else found
    return found


def condition_verdict(key: str, limit: Any, level: LevelLimit, finding: Finding, family: int = 1) -> Verdict:
    """Verdict of one condition."""
    if key == "coverage_mature_below":
        return Verdict.INCONCLUSIVE if finding.coverage is None else _BREACHED_IF[finding.coverage < limit]
    estimate = finding.outcome
    if not isinstance(estimate, Estimate):
        return Verdict.INCONCLUSIVE
    if key == "p":
        return Verdict.INCONCLUSIVE if finding.p is None else _BREACHED_IF[finding.p * finding.looks < limit]
    if key == "e":
        return Verdict.INCONCLUSIVE if estimate.e is None else _BREACHED_IF[estimate.e >= limit * family]
    if key == "identical_windows":
        return Verdict.INCONCLUSIVE if finding.identical is None else _BREACHED_IF[finding.identical >= limit]
    if key == "ratio_to_baseline":
        return Verdict.INCONCLUSIVE if finding.baseline is None else _above(estimate, limit * finding.baseline)
    if key == "above" and finding.above_by is not None:
        return _above_by(finding.above_by, limit)
    if key == "hit":
        return Verdict.INCONCLUSIVE if finding.hit is None else _BREACHED_IF[finding.hit]
    if key == "missed":
        return _BREACHED_IF[estimate.value >= limit and _enough_gateways(level, finding)]
    return _CONDITIONS[key](estimate, limit)


def _above_by(bounds: tuple[float, float | None], limit: float) -> Verdict:
    lower, upper = bounds
    if lower > limit:
        return Verdict.BREACHED
    return Verdict.MET if upper is not None and upper <= limit else Verdict.INCONCLUSIVE


def _enough_gateways(level: LevelLimit, finding: Finding) -> bool:
    if level.gateways is None or level.missed is None:
        return True
    return finding.silent is not None and finding.silent(level.missed) >= level.gateways


def _above(estimate: Estimate, limit: float) -> Verdict:
    if estimate.lower > limit:
        return Verdict.BREACHED
    return Verdict.MET if estimate.upper <= limit else Verdict.INCONCLUSIVE


def _below(estimate: Estimate, limit: float) -> Verdict:
    if estimate.upper < limit:
        return Verdict.BREACHED
    return Verdict.MET if estimate.lower >= limit else Verdict.INCONCLUSIVE


def _outside(estimate: Estimate, limit: tuple[float, float]) -> Verdict:
    low, high = limit
    if estimate.upper < low or estimate.lower > high:
        return Verdict.BREACHED
    return Verdict.MET if low <= estimate.lower and estimate.upper <= high else Verdict.INCONCLUSIVE


_CONDITIONS: Mapping[str, Callable[[Estimate, Any], Verdict]] = {
    "effect_min": lambda estimate, limit: _BREACHED_IF[estimate.value >= limit],
    "ge": lambda estimate, limit: _BREACHED_IF[estimate.value >= limit],
    "llr": lambda estimate, limit: _BREACHED_IF[estimate.value >= limit],
    "exhausted": lambda estimate, limit: Verdict.MET,  # a test that still gives a number is not used up
    "confirmed_causal": lambda estimate, limit: Verdict.MET,  # a signed decision on an event, which no count can be
    "h": lambda estimate, limit: _BREACHED_IF[estimate.value >= limit],
    "above": lambda estimate, limit: _BREACHED_IF[estimate.value > limit],
    "below": lambda estimate, limit: _BREACHED_IF[estimate.value < limit],
    "abs": _above,
    "abs_min": _above,
    "ci_lower_above": _above,
    "rr_ci_lower_above": _above,
    "ci_upper_below": _below,
    "outside": _outside,
}
