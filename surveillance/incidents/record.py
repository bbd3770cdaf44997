"""Writing what was judged: evidence first, then the incident, then its triggers into the outbox. Keys make repeating harmless."""

from __future__ import annotations

from surveillance.evaluation.evidence import canonical
from surveillance.incidents.evaluator import Decision, Judgement
from surveillance.store.protocol import Document, Store


def record_judgement(store: Store, log_id: str, judgement: Judgement) -> None:
    """Append evidence, incident events and triggers.

    Raises StoreUnavailable, or EvidenceConflict where the same revision was judged otherwise before.
    """
    evidence = [
        Document(one.tenant, one.manifest_digest, f"{log_id}|{one.key}", one.revision_number, one.end_ms, one.body())
        for one in judgement.evidence
    ]
    if evidence:
        store.append("evidence", evidence)
    for decision in judgement.decisions:
        _record(store, log_id, decision)


def _record(store: Store, log_id: str, decision: Decision) -> None:
    incident = decision.incident
    at_ms, digest, tenant = incident.changed_at_ms, incident.manifest_digest, incident.tenant
    body = canonical({"state": incident.to_text(), "line": decision.line})
    store.append("incident_events", [Document(tenant, digest, f"{log_id}|{incident.incident_id}", incident.lines, at_ms, body)])
    for trigger in decision.triggers:
        store.append("triggers", [Document(tenant, digest, f"{log_id}|{trigger['trigger_id']}", 0, at_ms, canonical(trigger))])
