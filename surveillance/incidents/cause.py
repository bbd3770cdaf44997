"""What stands in the incident line about where a drift came from, and how the same people fare by the performance monitors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from surveillance.evaluation.attribution import drift_attribution
from surveillance.evaluation.evidence import Evidence, Scope, window_body
from surveillance.evaluation.judging import Subject
from surveillance.evaluation.verdict import Verdict
from surveillance.incidents.history import History
from surveillance.manifest.model_monitors import Monitor
from surveillance.times import from_text

_TOLD = 3
"""Monitors that the sentence names; the others stand in the document."""


def attribution_body(
    subject: Subject, monitor: Monitor, evidence: Evidence, breached_since_ms: int, performance: Iterable[History]
) -> dict[str, Any] | None:
    """The key `attribution` of an incident line; None where the monitor is not about drift.

    `performance` = what is remembered of the monitors on labels. Of each monitor the scope is told that holds the drifted
    people most narrowly: the scope of the incident with the level that explains the drift, else that scope, else what it is
    part of, at last the whole.
    """
    body = drift_attribution(subject, monitor, evidence, breached_since_ms)
    if body is None:
        return None
    changed = body["change_point"].get("at")
    since_ms = breached_since_ms if changed is None else min(breached_since_ms, from_text(changed))
    scope = {pair for pair in evidence.scope if pair[0] != "feature"}
    narrowest: dict[str, tuple[tuple[bool, int], History, Evidence]] = {}
    for history in performance:
        newest = history.newest_at(evidence.end_ms)
        if newest is None or not set(newest.scope) <= scope | _explaining(body):
            continue
        rank = set(newest.scope) >= scope, len(newest.scope)
        known = narrowest.get(newest.monitor_id)
        if known is None or rank > known[0]:
            narrowest[newest.monitor_id] = rank, history, newest
    told = [_performance(history, newest, since_ms) for _, history, newest in narrowest.values()]
    return body | {"performance": told}


def _explaining(body: dict[str, Any]) -> set[tuple[str, str]]:
    explained = body["explained_by"]
    return {(explained["field"], explained["level"])} if _explains(explained) else set()


def _explains(explained: dict[str, Any]) -> bool:
    """Whether the level has surely more of the change than of the rows: everywhere alike is no explanation."""
    return "level" in explained and bool(explained["lower"] > explained["of_rows"])


def _performance(history: History, newest: Evidence, since_ms: int) -> dict[str, Any]:
    scope: Scope = newest.scope
    told: dict[str, Any] = {
        "monitor_id": newest.monitor_id,
        "scope": dict(scope),
        "verdict": newest.verdict.value,
        "reason": newest.reason,
        "window": window_body(newest.start_ms, newest.end_ms),
        "reaches_change": newest.end_ms > since_ms,
    }
    last = history.conclusive_at(newest.end_ms)
    if newest.verdict is Verdict.INCONCLUSIVE and last is not None:
        told["last_conclusive"] = {"verdict": last.verdict.value, "window": window_body(last.start_ms, last.end_ms)}
    return told


def cause_text(attribution: dict[str, Any], scope: Scope) -> str:
    """The attribution of an incident of this scope in words for a person, each part only where there is something to say."""
    kind = {
        "mix_shift": f"The mix by {attribution['mix'].get('field')} explains it",
        "within_stratum": "It is a change within the strata, not of their mix",
        "undetermined": "",
    }[attribution["kind"]]
    explained, changed = attribution["explained_by"], attribution["change_point"]
    words = [kind]
    if _explains(explained):
        words.append(f"{explained['field']} {explained['level']} accounts for {min(explained['share'], 1):.0%} of it")
    if "at" in changed:
        words.append(f"the level changed about {changed['at']}")
    incident = {axis: level for axis, level in scope if axis != "feature"}
    words += [_performance_text(one, incident) for one in attribution["performance"][:_TOLD]]
    text = "; ".join(word for word in words if word)
    return f" {text[0].upper()}{text[1:]}." if text else ""


def _performance_text(told: dict[str, Any], incident: dict[str, str]) -> str:
    named = ", ".join(f"{axis} {level}" for axis, level in told["scope"].items())
    where = "there" if told["scope"] == incident else f"for {named}" if named else "over all"
    if not told["reaches_change"]:
        return f"{told['monitor_id']} was {told['verdict']} {where} until {told['window']['end']}, before the change"
    text = f"{told['monitor_id']} is {told['verdict']} {where}"
    if told["reason"] is not None:
        text += f" ({told['reason']})"
    if "last_conclusive" in told:
        text += f", last {told['last_conclusive']['verdict']} at {told['last_conclusive']['window']['end']}"
    return text
