"""Manifests, evidence and replays for the property tests of laws 5 to 8."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from detectors.estimate import Estimate, Insufficient, Reason
from streams.replay import Replay
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.verdict import Verdict, overall
from surveillance.incidents.history import History
from surveillance.incidents.incident import Incident
from surveillance.incidents.step import Change, step
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.parse import parse_manifest
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from tests.oracle.streams import START_MS, manifest
from tests.oracle.times import format_time
from tests.property.folding import registration

LEVELS = ("investigate", "pause", "rollback_or_field_safety")
HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def monitor(name: str, metric: dict[str, Any], limits: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A monitor; levels that are not limited are null."""
    every = dict.fromkeys(LEVELS) | limits
    return {"id": name, "hazard_id": "HZ-1", "metric": metric, "playbook": "PB-1", "limits": every} | more


def release(*watched: dict[str, Any], triggers: Iterable[str] = (), revision: int = 1) -> dict[str, Any]:
    """A manifest with these monitors whose levels ask for a pause and for a rollback."""
    document = manifest("rm-a", revision, "rel-a", below_min=None, watched=list(watched))
    document["strata"]["min_sample"] = {}
    document["surveillance"]["levels"] = {
        "investigate": {"ack_within": "PT4H", "decide_within": "PT72H", "owner": "safety_officer"},
        "pause": {"ack_within": "PT30M", "decide_within": "PT4H", "owner": "safety_officer", "auto_emit": "pause_rollout"},
        "rollback_or_field_safety": {
            "ack_within": "PT10M", "decide_within": "PT1H", "owner": "safety_officer", "auto_emit": "rollback_request",
            "confirm_by": "clinical_lead",
        },
    }  # fmt: skip
    document["rollback"] = {
        "triggers": list(triggers),
        "target": {"release_id": "rel-0", "manifest_digest": "sha256:" + "0" * 64},
    }
    return document


def typed(document: dict[str, Any]) -> Manifest:
    return parse_manifest(document)


def evidence_of(levels: dict[str, Verdict], end_ms: int, monitor_id: str = "m") -> Evidence:
    """An evaluation of the hour that ends then, with these verdicts of its levels."""
    verdict = overall(levels.values())
    outcome = Insufficient(Reason.NO_EXPOSURE) if verdict is Verdict.INCONCLUSIVE else Estimate(1.0, 0.5, 2.0, 10, "none")
    return Evidence(
        tenant="default", manifest_digest="sha256:1", monitor_id=monitor_id, scope=(), start_ms=end_ms - HOUR_MS, end_ms=end_ms,
        outcome=outcome, verdict=verdict, levels=levels, revision={0: end_ms},
    )  # fmt: skip


def stepped(document: dict[str, Any], sequence: Iterable[Evidence]) -> tuple[list[Change], Incident | None]:
    """The changes that evaluations make, one after the other, and the incident at the end."""
    read, history, incident = typed(document), History(), None
    changes: list[Change] = []
    for one in sequence:
        history.put(one)
        change = step(incident, history, one, read, read.surveillance.monitors[0], one.end_ms)
        if change is not None:
            changes.append(change)
            incident = change.incident
    return changes, incident


def replayed_lines(
    documents: Iterable[dict[str, Any]], lines: Iterable[bytes], store: Store | None = None, log_id: str = "replay"
) -> list[dict[str, Any]]:
    """What `pms replay` prints."""
    registry = Registry(registration(document) for document in documents)
    return list(Replay(registry, MemoryStore() if store is None else store, log_id).run(lines))


def event(schema: str, number: object, at_ms: int, **fields: Any) -> bytes:
    """An event that arrives at once, `at_ms` after the start."""
    time = format_time(START_MS + at_ms)
    envelope = {
        "schema": f"pms.{schema}", "schema_version": 2, "event_id": f"{schema}-{number}", "product": "p", "site_id": "s",
        "device_id": "d", "release_id": "rel-a", "event_time": time, "ingest_time": time,
    }  # fmt: skip
    return json.dumps(envelope | fields).encode()


def inference(number: object, at_ms: int, score: float = 0.8, **fields: Any) -> bytes:
    own = {"inference_id": str(number), "score": score, "alert_raised": score >= 0.5, "threshold_applied": 0.5, "features": {}}
    return event("inference", number, at_ms, **(own | fields))


def outcome(number: object, label: int, at_ms: int, of: object = None, **fields: Any) -> bytes:
    own = {
        "outcome_id": str(number), "inference_id": str(number if of is None else of), "label": label, "label_kind": "report",
        "label_time": format_time(START_MS), "verification": "routine",
    }  # fmt: skip
    return event("outcome", number, at_ms, **(own | fields))


def tick(at_ms: int) -> bytes:
    return json.dumps({"schema": "pms.tick", "ingest_time": format_time(START_MS + at_ms)}).encode()
