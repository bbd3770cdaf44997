"""The public lines of contract/interfaces.md: incident, trigger and status, as documents ready to be printed or published."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from detectors.estimate import Estimate, Insufficient
from surveillance.arrays import NOT_SENT_MS
from surveillance.evaluation.evidence import Evidence, Scope, estimate_body, window_body
from surveillance.evaluation.verdict import Verdict
from surveillance.events.kinds import VALUE_WHEN_NOT_SENT
from surveillance.incidents.cause import cause_text
from surveillance.incidents.incident import Incident
from surveillance.ingest.ledger import Ledger
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_operation import HeartbeatGap
from surveillance.manifest.metrics_safety import RunRule, TrendTest
from surveillance.manifest.model_limits import LevelLimit
from surveillance.manifest.model_monitors import Monitor
from surveillance.times import to_text

Line = dict[str, Any]


def line_text(line: Mapping[str, Any]) -> str:
    """One line of NDJSON; keys stand in the order of the object, so the same line gives the same bytes."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def incident_line(
    incident: Incident, evidence: Evidence, manifest: Manifest, monitor: Monitor, attribution: dict[str, Any] | None = None
) -> Line:
    """The line of an incident that opened, escalated or resolved on this evidence; `attribution` only of drift that opened."""
    limit = monitor.limits.by_level.get(incident.level)
    line: Line = {
        "kind": "incident",
        "incident_id": incident.incident_id,
        "monitor_id": monitor.id,
        "hazard_id": monitor.hazard_id,
        "level": incident.level,
        "state": incident.state,
        "scope": dict(incident.scope),
        "release_id": manifest.release.release_id,
        "manifest_digest": incident.manifest_digest,
        "opened_at": to_text(incident.opened_at_ms),
        "changed_at": to_text(incident.changed_at_ms),
        "resolved_at": None if incident.resolved_at_ms is None else to_text(incident.resolved_at_ms),
        "breached_since": to_text(incident.breached_since_ms),
        "window": window_body(evidence.start_ms, evidence.end_ms),
        "estimate": estimate_body(evidence.outcome),
        "limit": {} if limit is None else limit_body(limit),
        "owner": manifest.surveillance.levels.of(incident.level).owner,
        "ack_by": to_text(incident.ack_by_ms),
        "decide_by": to_text(incident.decide_by_ms),
        "playbook": monitor.playbook,
        "summary": summary_text(incident, evidence, manifest, monitor, attribution),
    }
    if evidence.pooled_to is not None:
        line["pooled_to"] = dict(evidence.pooled_to)
    line |= _tenant(incident.tenant)
    if attribution is not None:
        line["attribution"] = attribution
    return line


def limit_body(limit: LevelLimit) -> dict[str, Any]:
    """The conditions of a level by their contract keys."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in limit.keys.items() if key != "persistence"}


def summary_text(
    incident: Incident, evidence: Evidence, manifest: Manifest, monitor: Monitor, attribution: dict[str, Any] | None = None
) -> str:
    """For a person: what, of which type, where, how large, against which limit, since which window, why, and the deadlines."""
    where = _where_text(incident.scope)
    if evidence.pooled_to is not None:
        where += f" (too few cases by itself: the number is that of {_where_text(evidence.pooled_to)})"
    what = {"open": "is breached", "resolved": "is met again"}[incident.state]
    limit = monitor.limits.by_level.get(incident.level)
    against = "" if limit is None else " against " + ", ".join(f"{key} {value}" for key, value in limit_body(limit).items())
    since = _since_text(incident, evidence, manifest, monitor) if incident.state == "open" else ""
    subject = (
        f"{monitor.id} ({monitor.metric.type}) {what} at level {incident.level} for {where} of {manifest.release.release_id}"
    )
    number = estimate_text(evidence, monitor.interval.level)
    cause = "" if attribution is None else cause_text(attribution, incident.scope)
    return f"{subject}: {number}{_p_text(incident, evidence, limit)}{against}{since}.{cause}{_deadline_text(incident)}"


def _where_text(scope: Scope) -> str:
    return ", ".join(f"{axis} {level}" for axis, level in scope) or "all sites and groups"


def _since_text(incident: Incident, evidence: Evidence, manifest: Manifest, monitor: Monitor) -> str:
    """What is known of when it began. A window may begin long before the harm, so it is not said that the harm began there."""
    if isinstance(monitor.metric, HeartbeatGap) and isinstance(evidence.outcome, Estimate):
        silent_ms = round(evidence.outcome.value) * manifest.surveillance.telemetry.heartbeat_interval_ms
        return f"; not heard since {to_text(evidence.end_ms - silent_ms)}"
    if counts_from_first_event(monitor):
        return f"; it counts from {to_text(incident.breached_since_ms)} on, where the first event of this manifest is"
    return f"; the first window breached began {to_text(incident.breached_since_ms)}"


def counts_from_first_event(monitor: Monitor) -> bool:
    """Whether `breached_since` of its incidents is where the first event of the manifest is, and no window of a breach."""
    if isinstance(monitor.metric, HeartbeatGap | TrendTest | RunRule):
        return False
    return monitor.is_per_label or monitor.is_cumulative


def _deadline_text(incident: Incident) -> str:
    if incident.state != "open":
        return ""
    return f" Acknowledge by {to_text(incident.ack_by_ms)}, decide by {to_text(incident.decide_by_ms)}."


def estimate_text(evidence: Evidence, level: float) -> str:
    """The number with its interval, of that level, and n, or why there is none."""
    outcome = evidence.outcome
    if isinstance(outcome, Insufficient):
        return f"no number ({outcome.reason.value}, n {outcome.n})"
    interval = "" if outcome.lower == outcome.upper else f" [{level_text(level)}: {outcome.lower:.4g}, {outcome.upper:.4g}]"
    return f"{outcome.value:.4g}{interval}, n {outcome.n}"


def level_text(level: float) -> str:
    """The level of an interval as people write it.

    >>> level_text(0.95), level_text(0.999)
    ('95 %', '99.9 %')
    """
    return f"{100 * level:.6g} %"


def _p_text(incident: Incident, evidence: Evidence, limit: LevelLimit | None) -> str:
    """The p-value of a breach as it was judged, where it is what the limit speaks of."""
    if limit is None or limit.p is None or incident.state != "open" or isinstance(evidence.outcome, Insufficient):
        return ""
    judged = evidence.outcome.p if evidence.p is None else evidence.p
    return "" if judged is None else f", p {judged:.2g}"


def trigger_line(incident: Incident, level: str, action: str, manifest: Manifest) -> Line:
    """What an incident asks for. The id follows from the incident and the action, so it is sent once under one id."""
    identity = f"{incident.incident_id}\n{action}"
    policy = manifest.surveillance.levels.of(level)
    return {
        "kind": "trigger",
        "trigger_id": f"trg-{hashlib.sha256(identity.encode()).hexdigest()[:24]}",
        "action": action,
        "level": level,
        "incident_id": incident.incident_id,
        "monitor_id": incident.monitor_id,
        "manifest_digest": incident.manifest_digest,
        "release_id": manifest.release.release_id,
        "scope": dict(incident.scope),
        "target": _target(action, manifest, incident),
        "requires_confirmation_by": policy.confirm_by,
        "emitted_at": to_text(incident.changed_at_ms),
        "expires_at": to_text(incident.changed_at_ms + policy.decide_within_ms),
        "drill": False,
        "field_action": {"class": "none"},
        **_tenant(incident.tenant),
    }


def _target(action: str, manifest: Manifest, incident: Incident) -> dict[str, Any]:
    target = manifest.rollback.target
    if action == "rollback_request" and target is not None:
        return {"release_id": target.release_id, "manifest_digest": target.manifest_digest}
    return {"release_id": manifest.release.release_id, "manifest_digest": incident.manifest_digest}


def status_line(evidence: Evidence, last_conclusive: Evidence | None) -> Line:
    """The last state of a monitor and scope; beside an inconclusive one stands the last that said something."""
    line: Line = {
        "kind": "status",
        "manifest_digest": evidence.manifest_digest,
        "monitor_id": evidence.monitor_id,
        "scope": dict(evidence.scope),
        "verdict": evidence.verdict.value,
        "levels": {level: verdict.value for level, verdict in evidence.levels.items()},
        "reason": evidence.reason,
        "window": window_body(evidence.start_ms, evidence.end_ms),
        "estimate": estimate_body(evidence.outcome),
    }
    if isinstance(evidence.outcome, Insufficient) and evidence.outcome.needed:
        line["needed"] = evidence.outcome.needed
    if evidence.pooled_to is not None:
        line["pooled_to"] = dict(evidence.pooled_to)
    line |= _tenant(evidence.tenant)
    if evidence.coverage is not None:
        line["coverage_mature"] = evidence.coverage
    if evidence.verdict is Verdict.INCONCLUSIVE and last_conclusive is not None:
        line["last_conclusive"] = {
            "window": window_body(last_conclusive.start_ms, last_conclusive.end_ms),
            "verdict": last_conclusive.verdict.value,
            "estimate": estimate_body(last_conclusive.outcome),
        }
    return line | dict(evidence.beside or {})


def _tenant(tenant: str) -> Line:
    """The tenant, where it is another than the one that is meant when none is said."""
    return {} if tenant == VALUE_WHEN_NOT_SENT["tenant"] else {"tenant": tenant}


def summary_line(ledger: Ledger, panes: int, watermark_ms: int) -> Line:
    """Where every event went, and how far time has come."""
    return {
        "kind": "summary",
        **ledger.line(),
        "panes": panes,
        "watermark": None if watermark_ms == NOT_SENT_MS else to_text(watermark_ms),
        "signed": False,
    }


def scope_key(scope: Scope) -> str:
    """Order of scopes in output."""
    return "\n".join(f"{axis}={level}" for axis, level in scope)
