"""What stands in the incident line about where a drift came from, and how the same people fare by the performance monitors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from surveillance.evaluation.attribution import drift_attribution
from surveillance.evaluation.evidence import Evidence, Scope, window_body
from surveillance.evaluation.judging import Subject
from surveillance.manifest.model_monitors import Monitor


def attribution_body(
    subject: Subject, monitor: Monitor, evidence: Evidence, breached_since_ms: int, performance: Iterable[Evidence]
) -> dict[str, Any] | None:
    """The key `attribution` of an incident line; None where the monitor is not about drift.

    `performance` = the newest evaluations of the monitors on labels. Those of the very scope are told, else those of the whole.
    """
    body = drift_attribution(subject, monitor, evidence, breached_since_ms)
    if body is None:
        return None
    scope = tuple(pair for pair in evidence.scope if pair[0] != "feature")
    newest = [one for one in performance if one.end_ms <= evidence.end_ms]
    told = [one for one in newest if one.scope == scope] or [one for one in newest if not one.scope]
    return body | {"performance": [_performance(one) for one in told]}


def _performance(evidence: Evidence) -> dict[str, Any]:
    scope: Scope = evidence.scope
    return {
        "monitor_id": evidence.monitor_id,
        "scope": dict(scope),
        "verdict": evidence.verdict.value,
        "window": window_body(evidence.start_ms, evidence.end_ms),
    }


def cause_text(attribution: dict[str, Any]) -> str:
    """The attribution in words for a person, each sentence only where there is something to say."""
    kind = {
        "mix_shift": f"The mix by {attribution['mix'].get('field')} explains it",
        "within_stratum": "It is a change within the strata, not of their mix",
        "undetermined": "",
    }[attribution["kind"]]
    explained, changed = attribution["explained_by"], attribution["change_point"]
    words = [kind]
    if explained.get("lower", 0) > 0:
        words.append(f"{explained['field']} {explained['level']} accounts for {min(explained['share'], 1):.0%} of it")
    if "at" in changed:
        words.append(f"the level changed about {changed['at']}")
    told = [f"{one['monitor_id']} is {one['verdict']} there" for one in attribution["performance"]]
    words += told[:3]
    text = "; ".join(word for word in words if word)
    return f" {text[0].upper()}{text[1:]}." if text else ""
