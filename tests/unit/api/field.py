"""A store as the services leave it: a log, a registered manifest, and two hours of telemetry judged against it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

from streams.replay import Replay
from surveillance.evaluation.evidence import canonical
from surveillance.evaluation.status import JUDGED, LINE, SUMMARY
from surveillance.incidents.lines import line_text
from surveillance.log_identity import record_log
from surveillance.manifest.digest import manifest_digest
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Document, StatusRow, Store
from surveillance.times import from_text
from tests.unit.cli.pump import HOUR_MS, Event, heartbeat, inference, ndjson, release, telemetry

LOG_ID = "test/pms.telemetry/1"
Line = dict[str, Any]


def silence() -> list[Event]:
    """An inference, and nothing in the hour after it: its monitor is inconclusive."""
    return [inference(1, 0), heartbeat(1, 2 * HOUR_MS)]


def empty_log() -> MemoryStore:
    """A log that was seen, and nothing judged of it."""
    store = MemoryStore()
    record_log(store, LOG_ID, "pms.telemetry", 1, 1)
    return store


def judged(
    events: Iterable[Event] | None = None, *, store: Store | None = None, manifest: Event | None = None
) -> tuple[Store, list[Line]]:
    """A store and the lines that the replay of the events printed. One incident opens, and asks for a pause, by default."""
    store = store or empty_log()
    manifest = manifest or release()
    digest = manifest_digest(manifest)
    store.append("manifests", [Document("", digest, digest, 0, from_text("2026-03-01T00:00:00Z"), canonical(manifest))])
    replay = Replay(Registry([registration_of(manifest, "test")]), store, LOG_ID)
    lines = list(replay.run(ndjson(telemetry() if events is None else events).splitlines()))
    write_status(store, lines)
    return store, lines


def write_status(store: Store, lines: Iterable[Line]) -> None:
    """As the evaluator does: status lines in their order, the summary, and its own note of how far it has judged."""
    number = itertools.count()
    rows = [StatusRow(f"{LINE}{next(number):06d}", 1, line_text(one)) for one in lines if one["kind"] == "status"]
    rows += [StatusRow(SUMMARY, 1, line_text(one)) for one in lines if one["kind"] == "summary"]
    store.write_status(LOG_ID, [*rows, StatusRow(JUDGED, 1, "{}")])


def put_incident(store: Store, number: int, **changes: Any) -> Line:
    """An incident of that number, opened that many minutes after midnight; `revision` counts its lines."""
    revision, at_ms = changes.pop("revision", 1), from_text("2026-03-02T00:00:00Z") + number * 60_000
    line: Line = {
        "kind": "incident", "incident_id": f"inc-{number}", "monitor_id": "perf.sensitivity", "hazard_id": "HZ-1",
        "level": "pause", "state": "open", "scope": {"site": "s1"}, "release_id": "pump-1", "manifest_digest": "sha256:00",
        "opened_at": "2026-03-02T00:00:00Z", "changed_at": "2026-03-02T00:00:00Z", "resolved_at": None,
        "breached_since": "2026-03-02T00:00:00Z", "window": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"},
        "estimate": {"value": 0.5, "lower": 0.25, "upper": 0.75, "n": 12, "method": "wilson"}, "limit": {"below": 0.8},
        "owner": "safety_officer", "ack_by": "2026-03-02T00:30:00Z", "decide_by": "2026-03-02T04:00:00Z", "playbook": "PB",
        "summary": "Made up.",
    } | changes  # fmt: skip
    body = json.dumps({"state": "{}", "line": line, "triggers": []})
    store.append("incident_events", [Document("", "sha256:00", f"{LOG_ID}|{line['incident_id']}", revision, at_ms, body)])
    return line
