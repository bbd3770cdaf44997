"""The telemetry of one device of a made-up infusion pump, and the manifest of its release."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from surveillance.times import from_text, to_text

Event = dict[str, Any]
Printed = Callable[..., str]
"""What `pms replay --json` of files prints."""

MIDNIGHT_MS = 1_772_409_600_000
"""2026-03-02T00:00:00Z"""
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def release(name: str = "pump-1", revision: int = 1, **surveillance: Any) -> Event:
    """A manifest with an hourly share of missing values by site, and heartbeats every five minutes."""
    missing = {
        "id": "dq.missing", "hazard_id": "HZ-1", "metric": {"type": "missing_rate", "feature": "px"}, "by": ["site"],
        "window": "hour", "limits": {"investigate": {"abs": 0.3}, "pause": {"abs": 0.9}}, "playbook": "PB",
        "persistence": {"k": 1, "of": 1},
    }  # fmt: skip
    silent = {
        "id": "dev.silent", "hazard_id": "HZ-1", "metric": {"type": "heartbeat_gap"}, "by": ["device"],
        "limits": {"investigate": {"missed": 3}}, "playbook": "PB",
    }  # fmt: skip
    return {
        "api_version": "pms.manifest/v1", "kind": "ReleaseManifest", "manifest_id": f"rm-{name}", "revision": revision,
        "release": {"release_id": name}, "strata": {"axes": [{"id": "site", "source": "site_id"}]},
        "baselines": {"features": [{"name": "px", "missing": 0.01}]}, "owners": {"safety_officer": {"primary": "user-1"}},
        "playbooks": {"PB": {"steps": ["decide"]}}, "hazards": [{"id": "HZ-1"}],
        "surveillance": {
            "telemetry": {"heartbeat_interval_s": 300}, "windows": [{"id": "hour", "size": "PT1H"}],
            "levels": {"pause": {"ack_within": "PT30M", "decide_within": "PT4H", "auto_emit": "pause_rollout"}},
            "monitors": [missing, silent],
        } | surveillance,
    }  # fmt: skip


def event(kind: str, number: int, at_ms: int, release_id: str = "pump-1", **fields: Any) -> Event:
    """An event `at_ms` after midnight, which arrives at once."""
    time = to_text(MIDNIGHT_MS + at_ms)
    return {
        "schema": f"pms.{kind}", "schema_version": 2, "event_id": f"{kind}-{number}", "product": "pump", "site_id": "s1",
        "device_id": "d1", "release_id": release_id, "event_time": time, "ingest_time": time,
    } | fields  # fmt: skip


def inference(number: int, at_ms: int, px: float | None = 0.5, **fields: Any) -> Event:
    own: Event = {
        "inference_id": f"i{number}", "score": 0.25, "alert_raised": False, "threshold_applied": 0.5, "features": {"px": px}
    }  # fmt: skip
    return event("inference", number, at_ms, **(own | fields))


def heartbeat(number: int, at_ms: int) -> Event:
    own: Event = {"uptime_s": 1, "inferences_since_last": 0, "errors_since_last": 0, "buffer_depth": 0, "releases": []}
    return event("heartbeat", number, at_ms, **own)


def telemetry() -> list[Event]:
    """Two hours: in the first every value is there, in the second none; a heartbeat every five minutes, an outcome."""
    events = [inference(number, number * MINUTE_MS, None if number >= 60 else 0.5) for number in range(122)]
    events += [heartbeat(number, number * 5 * MINUTE_MS + 1) for number in range(25)]
    known: Event = {
        "outcome_id": "o1",
        "inference_id": "i1",
        "label": 1,
        "label_kind": "report",
        "label_time": "2026-03-02T00:30:00Z",
    }
    events.append(event("outcome", 1, 90 * MINUTE_MS + 2, **known))
    return sorted(events, key=arrival_ms)


def arrival_ms(one: Event) -> int:
    return from_text(one["ingest_time"])


def ndjson(lines: Iterable[Event | bytes]) -> bytes:
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def lines_of(text: str, kind: str | None = None) -> Sequence[dict[str, Any]]:
    """The objects that a command printed, of one kind where it is given."""
    found = [json.loads(line) for line in text.splitlines()]
    return found if kind is None else [line for line in found if line["kind"] == kind]


def written(folder: Path, name: str, *lines: Event | bytes) -> Path:
    path = folder / name
    path.write_bytes(ndjson(lines))
    return path


def manifest_file(folder: Path, document: Event) -> Path:
    path = folder / f"{document['manifest_id']}-{document['revision']}.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def summary_of(text: str) -> dict[str, Any]:
    (found,) = lines_of(text, "summary")
    return found
