"""`step`: one evaluation more, and what it makes of an incident. Pure; the watermark clock is an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

from detectors.estimate import Insufficient, Reason
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.verdict import Verdict
from surveillance.incidents.history import History
from surveillance.incidents.incident import Incident
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import is_about_inputs
from surveillance.manifest.metrics_safety import EventCount, RunRule
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import Monitor


@dataclass(frozen=True, slots=True)
class Change:
    """A line of an incident: what it became, and the actions it now asks for (mildest level first)."""

    incident: Incident
    actions: tuple[tuple[str, str], ...] = ()
    """(level, action) pairs."""


def step(
    incident: Incident | None, history: History, evidence: Evidence, manifest: Manifest, monitor: Monitor, now_ms: int
) -> Change | None:
    """The change that `evidence`, already in `history`, makes; None where it makes none."""
    is_open = incident is not None and incident.resolved_at_ms is None
    if monitor.dry_run or not (is_open or evidence.verdict is Verdict.BREACHED):
        return None
    level = reached_level(history, evidence, manifest, monitor)
    if level is not None:
        return _raised(incident, history, evidence, manifest, monitor, level, now_ms)
    if incident is not None and is_open and _is_cleared(history, evidence, manifest, monitor, incident.level):
        return Change(replace(incident, resolved_at_ms=now_ms, changed_at_ms=now_ms, lines=incident.lines + 1))
    return None


def reached_level(history: History, evidence: Evidence, manifest: Manifest, monitor: Monitor) -> str | None:
    """The highest level whose persistence holds, with this very window among those that breached it."""
    for level in reversed(LEVELS):
        if evidence.levels.get(level) is Verdict.BREACHED and _persists(history, evidence, manifest, monitor, level):
            return level
    return None


def _persists(history: History, evidence: Evidence, manifest: Manifest, monitor: Monitor, level: str) -> bool:
    limit = monitor.limits.by_level[level]
    if limit.sustained_ms is not None:
        return _is_sustained(history, evidence.end_ms, limit.sustained_ms, level)
    rule = manifest.persistence_of(monitor, level)

    def conclusive(entry: Evidence) -> bool:
        return entry.levels.get(level, Verdict.INCONCLUSIVE) is not Verdict.INCONCLUSIVE

    last = list(islice(history.newest_first(conclusive), rule.of))
    if evidence.end_ms not in {entry.end_ms for entry in last}:
        return False  # older than the last `of`: it updates evidence, never the incident
    return sum(entry.levels[level] is Verdict.BREACHED for entry in last) >= rule.k


def _is_sustained(history: History, end_ms: int, span_ms: int, level: str) -> bool:
    """Breached in every conclusive window of the span, which the scope must have been seen for."""
    if history.first_start_ms is None or history.first_start_ms > end_ms - span_ms:
        return False
    verdicts = [entry.levels.get(level) for entry in history.within(end_ms - span_ms, end_ms)]
    return Verdict.MET not in verdicts and Verdict.BREACHED in verdicts


def _is_cleared(history: History, evidence: Evidence, manifest: Manifest, monitor: Monitor, level: str) -> bool:
    rule = manifest.persistence_of(monitor, level)
    last = list(islice(history.newest_first(lambda entry: entry.verdict is not Verdict.INCONCLUSIVE), rule.clear_after))
    among = any(entry.end_ms == evidence.end_ms for entry in last)
    return among and len(last) == rule.clear_after and all(entry.verdict is Verdict.MET for entry in last)


def _raised(
    incident: Incident | None, history: History, evidence: Evidence, manifest: Manifest, monitor: Monitor, level: str, now_ms: int
) -> Change | None:
    is_open = incident is not None and incident.resolved_at_ms is None
    told = _to_be_told(evidence, monitor)
    if incident is not None and is_open and LEVELS.index(level) <= LEVELS.index(incident.level):
        if told <= incident.told:
            return None
        return Change(replace(incident, told=told, changed_at_ms=now_ms, lines=incident.lines + 1))
    policy = manifest.surveillance.levels.of(level)
    goes_on = incident is not None and (is_open or _may_reopen(incident, manifest, monitor, level, now_ms))
    known = incident if incident is not None and goes_on else _opened(incident, evidence, monitor, now_ms)
    raised = replace(
        known,
        level=level,
        breached_since_ms=history.breached_since(evidence.end_ms),
        changed_at_ms=now_ms,
        resolved_at_ms=None,
        ack_by_ms=now_ms + policy.ack_within_ms,
        decide_by_ms=now_ms + policy.decide_within_ms,
        lines=known.lines + 1,
        told=told,
    )
    return _with_actions(raised, manifest, monitor)


def _to_be_told(evidence: Evidence, monitor: Monitor) -> int:
    """What a line of its own is written for while an incident is open: each further event, and that a test is used up."""
    if isinstance(monitor.metric, EventCount) and monitor.is_cumulative:
        return evidence.outcome.n
    return int(isinstance(evidence.outcome, Insufficient) and evidence.outcome.reason is Reason.EXHAUSTED)


def _may_reopen(incident: Incident, manifest: Manifest, monitor: Monitor, level: str, now_ms: int) -> bool:
    """Whether the breach comes within the cooldown after the incident resolved."""
    resolved_at_ms = incident.resolved_at_ms
    return resolved_at_ms is not None and now_ms - resolved_at_ms <= manifest.persistence_of(monitor, level).cooldown_ms


def _opened(earlier: Incident | None, evidence: Evidence, monitor: Monitor, now_ms: int) -> Incident:
    """The next incident of this monitor and scope, no line of it written yet."""
    return Incident(
        tenant=evidence.tenant,
        manifest_digest=evidence.manifest_digest,
        monitor_id=monitor.id,
        scope=evidence.scope,
        ordinal=0 if earlier is None else earlier.ordinal + 1,
        level=LEVELS[0],
        opened_at_ms=now_ms,
        breached_since_ms=now_ms,
        changed_at_ms=now_ms,
        ack_by_ms=now_ms,
        decide_by_ms=now_ms,
        lines=0,
    )


def _with_actions(incident: Incident, manifest: Manifest, monitor: Monitor) -> Change:
    """The actions of the level reached and of every lower one that were not asked for yet.

    A rollback only where the manifest names the monitor, and never for drift (law 7), whatever a manifest says.
    """
    if isinstance(monitor.metric, RunRule):
        return Change(incident)  # supports, and is never the only ground
    may_roll_back = not is_about_inputs(monitor.metric)
    asked: list[tuple[str, str]] = []
    for level in LEVELS[: LEVELS.index(incident.level) + 1]:
        action = manifest.surveillance.levels.of(level).auto_emit
        if action is None or action in incident.emitted:
            continue
        if action == "rollback_request" and not (may_roll_back and manifest.rollback.triggers_at(monitor.id, level)):
            continue
        asked.append((level, action))
    return Change(replace(incident, emitted=(*incident.emitted, *(action for _, action in asked))), tuple(asked))
