"""Verdicts: breached, met or inconclusive, by the conditions of each level. Insufficient evidence is never met.

A condition with an interval is breached when the whole interval lies on the wrong side, met when it lies wholly on the
right one. A condition without one is breached when it holds, else met. A level is breached when all its conditions are,
met when one is met; a monitor is breached when any level is, met when all are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from detectors.estimate import Estimate, Outcome, Reason
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
    `beside` is what stands beside the number for people and moves no verdict, by its public name; `lacks` = why something that
    a limit asks besides the number cannot be told.
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
    lacks: Reason | None = None


BREACHED, MET, INCONCLUSIVE = Verdict
_ALL_MET = {MET}
_BREACHED_IF = {True: BREACHED, False: MET}


def level_verdict(level: LevelLimit, finding: Finding, family: int = 1) -> Verdict:
    """Verdict of one level's conditions together; `family` = scopes that share an e-value's limit (e-Bonferroni)."""
    outcome = finding.outcome
    found = BREACHED if level.conditions else INCONCLUSIVE
    for key, limit in level.conditions.items():
        if key == "coverage_mature_below":  # the one condition that asks for no number
            verdict = INCONCLUSIVE if finding.coverage is None else _BREACHED_IF[finding.coverage < limit]
        elif not isinstance(outcome, Estimate):
            verdict = INCONCLUSIVE
        elif key == "e":
            verdict = INCONCLUSIVE if outcome.e is None else _BREACHED_IF[outcome.e >= limit * family]
        elif key == "missed":
            verdict = _BREACHED_IF[outcome.value >= limit and _enough_gateways(level.gateways, limit, finding)]
        else:
            verdict = _CONDITIONS[key](outcome, finding, limit)
        if verdict is MET:
            return verdict
        if verdict is INCONCLUSIVE:
            found = verdict
    return found


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Verdict of a monitor from its configured levels."""
    found = set(verdicts)
    if BREACHED in found:
        return BREACHED
    return MET if found == _ALL_MET else INCONCLUSIVE


def _at_least(estimate: Estimate, finding: Finding, limit: float) -> Verdict:
    return BREACHED if estimate.value >= limit else MET


def _p(estimate: Estimate, finding: Finding, limit: float) -> Verdict:
    p = finding.p
    return INCONCLUSIVE if p is None else _BREACHED_IF[p * finding.looks < limit]


def _identical(estimate: Estimate, finding: Finding, limit: int) -> Verdict:
    run = finding.identical
    return INCONCLUSIVE if run is None else _BREACHED_IF[run >= limit]


def _hit(estimate: Estimate, finding: Finding, limit: bool) -> Verdict:
    hit = finding.hit
    return INCONCLUSIVE if hit is None else _BREACHED_IF[hit]


def _enough_gateways(gateways: int | None, missed: int, finding: Finding) -> bool:
    return gateways is None or (finding.silent is not None and finding.silent(missed) >= gateways)


def _value_above(estimate: Estimate, finding: Finding, limit: float) -> Verdict:
    """Of the value, or of the bounds where the monitor is judged by those."""
    if finding.above_by is None:
        return _BREACHED_IF[estimate.value > limit]
    lower, upper = finding.above_by
    if lower > limit:
        return BREACHED
    return MET if upper is not None and upper <= limit else INCONCLUSIVE


def _value_below(estimate: Estimate, finding: Finding, limit: float) -> Verdict:
    return _BREACHED_IF[estimate.value < limit]


def _interval_above(estimate: Estimate, finding: Finding, limit: float) -> Verdict:
    if estimate.lower > limit:
        return BREACHED
    return MET if estimate.upper <= limit else INCONCLUSIVE


def _interval_below(estimate: Estimate, finding: Finding, limit: float) -> Verdict:
    if estimate.upper < limit:
        return BREACHED
    return MET if estimate.lower >= limit else INCONCLUSIVE


def _outside(estimate: Estimate, finding: Finding, limit: tuple[float, float]) -> Verdict:
    low, high = limit
    if estimate.upper < low or estimate.lower > high:
        return BREACHED
    return MET if low <= estimate.lower and estimate.upper <= high else INCONCLUSIVE


def _ratio_to_baseline(estimate: Estimate, finding: Finding, limit: float) -> Verdict:
    baseline = finding.baseline
    return INCONCLUSIVE if baseline is None else _interval_above(estimate, finding, limit * baseline)


def _never(estimate: Estimate, finding: Finding, limit: object) -> Verdict:
    return MET


_CONDITIONS: Mapping[str, Callable[[Estimate, Finding, Any], Verdict]] = {
    "p": _p,
    "effect_min": _at_least,
    "ge": _at_least,
    "llr": _at_least,
    "h": _at_least,
    "exhausted": _never,  # a test that still gives a number is not used up
    "confirmed_causal": _never,  # a signed decision on an event, which no count can be
    "identical_windows": _identical,
    "hit": _hit,
    "above": _value_above,
    "below": _value_below,
    "abs": _interval_above,
    "abs_min": _interval_above,
    "ci_lower_above": _interval_above,
    "rr_ci_lower_above": _interval_above,
    "ci_upper_below": _interval_below,
    "outside": _outside,
    "ratio_to_baseline": _ratio_to_baseline,
}
"""By contract key. Two more stand in `level_verdict`, for a finding does not say all that they need; the rest of
contract/monitors.md's keys qualify a condition, or ask for no number."""
