"""Writing what was judged: evidence, then each incident together with the triggers it asks for, then those triggers.

An incident and its triggers are one document, so a crash cannot part them; `repair_triggers` writes again what a crash left
out of the outbox. Keys and revisions make repeating harmless.

A service keeps all decisions of a moment in one row (judged_state.py) before it writes the first of them, so that a crash
between two leaves either none or all: decided a second time, on incidents that half of them had changed, they would differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from surveillance.errors import EvidenceConflict
from surveillance.evaluation.evidence import Evidence, canonical
from surveillance.incidents.evaluator import Decision
from surveillance.incidents.incident import Incident
from surveillance.incidents.reading import event_of, every_document, newest_documents
from surveillance.store.protocol import Document, Store


def record_evidence(store: Store, log_id: str, evidence: Sequence[Evidence]) -> None:
    """Append evaluations. One that is stored already with the same content is not written again.

    Raises:
        StoreUnavailable: nothing is lost, it may be called again.
        EvidenceConflict: the same revision was judged otherwise before; nothing is written.
    """
    documents = [
        Document(one.tenant, one.manifest_digest, f"{log_id}|{one.key}", one.revision_number, one.end_ms, one.body())
        for one in evidence
    ]
    if documents:
        store.append("evidence", documents)


def record_decision(store: Store, log_id: str, decision: Decision) -> bool:
    """Append an incident's new line and put its triggers into the outbox.

    False where another evaluator wrote this line of the incident before, at another moment: its line stands, ours is not.

    Raises:
        StoreUnavailable: it may be called again.
    """
    incident = decision.incident
    document = Document(
        incident.tenant,
        incident.manifest_digest,
        f"{log_id}|{incident.incident_id}",
        incident.lines,
        incident.changed_at_ms,
        decision_text(decision),
    )
    try:
        store.append("incident_events", [document])
    except EvidenceConflict:
        return False
    put_triggers(store, log_id, [document])
    return True


def decision_text(decision: Decision) -> str:
    """Canonical JSON of a decision, read back by `decision_of`."""
    return canonical({"state": decision.incident.to_text(), "line": decision.line, "triggers": list(decision.triggers)})


def decision_of(text: str) -> Decision:
    """The decision that `decision_text` wrote."""
    body = json.loads(text)
    return Decision(Incident.from_text(body["state"]), body["line"], tuple(body["triggers"]))


def put_triggers(store: Store, log_id: str, incident_events: Iterable[Document]) -> None:
    """Put the triggers that incident events ask for into the outbox, where they are not there yet. Raises StoreUnavailable."""
    wanted = [
        Document(event.tenant, event.manifest_digest, f"{log_id}|{trigger['trigger_id']}", 0, event.at_ms, canonical(trigger))
        for event in incident_events
        for trigger in event_of(event).triggers
    ]
    if wanted:
        stored = {(one.tenant, one.key) for one in store.newest("triggers", keys=[one.key for one in wanted])}
        store.append("triggers", [one for one in wanted if (one.tenant, one.key) not in stored])


def repair_triggers(store: Store, log_id: str) -> None:
    """After a restart: put into the outbox what a crash between two writes left out. Raises StoreUnavailable."""
    put_triggers(store, log_id, every_document(store, log_id))


def newest_decisions(store: Store, log_id: str) -> list[Decision]:
    """The newest decision on every incident of the log, system incidents included. Raises StoreUnavailable."""
    return [decision_of(one.body) for one in newest_documents(store, log_id)]
