"""Events as devices build them, and records around them in every format of the contract."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from surveillance.events.batch import EventBatch
from surveillance.events.decode import decode
from surveillance.events.headers import Record
from surveillance.events.limits import DecodeLimits

BROKER_MS = 1_778_025_600_000
"""2026-05-06T00:00:00Z."""
FORBIDDEN = frozenset({"patient_name", "mrn"})

ENVELOPE: Mapping[str, Any] = {
    "schema_version": 1,
    "event_id": "e-1",
    "product": "cxr",
    "site_id": "site-01",
    "device_id": "dev-01",
    "release_id": "cxr-4.2.0",
    "event_time": "2026-05-06T00:00:00Z",
}
VERSION_2: Mapping[str, Any] = {
    "schema_version": 2,
    "manifest_digest": "sha256:" + "ab" * 32,
    "seq": 7,
    "boot_id": "b-1",
    "attempt": 1,
    "clock": {"source": "ntp", "offset_ms": 1.5, "uncertainty_ms": 0.5, "synced_at": "2026-05-05T23:00:00Z"},
    "mode": "canary",
    "arm": "candidate",
    "trace_id": "t-1",
    "region": "EU",
    "ext": {"anything": [1, {"goes": None}]},
}
SMALLEST: Mapping[str, Mapping[str, Any]] = {
    "pms.inference": {
        "inference_id": "i-1",
        "score": 0.25,
        "alert_raised": False,
        "threshold_applied": 0.42,
        "features": {"px_mean": 0.5, "view": "PA", "gap": None},
    },
    "pms.outcome": {
        "outcome_id": "o-1",
        "inference_id": "i-1",
        "label": 1,
        "label_kind": "report",
        "label_time": "2026-05-07T00:00:00Z",
    },
    "pms.alert_action": {
        "action_id": "a-1",
        "inference_id": "i-1",
        "action": "ack",
        "action_time": "2026-05-06T00:01:00Z",
        "actor_role": "radiologist",
    },
    "pms.heartbeat": {
        "uptime_s": 60,
        "inferences_since_last": 3,
        "errors_since_last": 0,
        "buffer_depth": 0,
        "releases": [{"component": "model", "release_id": "cxr-4.2.0", "digest": "sha256:00", "state": "active"}],
    },
    "pms.adverse_event": {
        "ae_id": "ae-1",
        "reported_at": "2026-05-06T08:00:00Z",
        "awareness_at": "2026-05-06T09:00:00Z",
        "seriousness": "near_miss",
        "public_health_threat": False,
        "suspected_device_role": "unknown",
        "linked_inference_ids": ["i-1"],
        "imdrf": {"A": "A0908", "G": ["G04"]},
        "narrative_ref": "vault:1",
        "country": "DE",
        "udi": None,
    },
    "pms.feedback": {"feedback_id": "f-1", "inference_id": "i-1", "kind": "complaint", "theme_code": "T1", "severity": "low"},
    "pms.deployment": {
        "actor": "user-1",
        "from_digest": None,
        "to_digest": "sha256:01",
        "scope": {"site": "site-01"},
        "reason": "update",
        "change_request": None,
        "effective_from": "2026-05-06T00:00:00Z",
    },
    "pms.config_change": {
        "actor": "user-1",
        "from_digest": "sha256:00",
        "to_digest": "sha256:01",
        "scope": "fleet",
        "reason": "threshold",
        "change_request": "CR-1",
        "effective_from": "2026-05-06T00:00:00Z",
    },
    "pms.correction": {"corrects": "e-0", "payload": {"score": 0.5}},
    "pms.withdrawal": {"encounter_token": "enc-1", "scope": "all", "effective_from": "2026-05-06T00:00:00Z"},
}

ARROW_HEADERS = (("content-type", b"application/vnd.apache.arrow.stream"),)
BATCH_HEADERS = (("content-type", b"application/json-batch"),)
CLOUD_HEADERS = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
CLOUD_BATCH_HEADERS = (("content-type", b"application/cloudevents-batch+json"),)


@dataclass(frozen=True)
class Sent:
    """A consumed record."""

    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = BROKER_MS
    key: bytes | None = None


def event(schema: str = "pms.inference", **fields: Any) -> dict[str, Any]:
    """A smallest valid event of a kind, with fields set, or left out where they are given as `...`."""
    whole = copy.deepcopy({"schema": schema, **ENVELOPE, **SMALLEST[schema]}) | fields
    return {name: value for name, value in whole.items() if value is not ...}


def written(*events: Mapping[str, Any]) -> list[bytes]:
    """JSON text of each event; NaN and infinities as most writers spell them."""
    return [json.dumps(one).encode() for one in events]


def cloud_event(inner: Mapping[str, Any], **attributes: Any) -> bytes:
    """A structured CloudEvent."""
    whole = {"specversion": "1.0", "id": inner.get("event_id", "c-1"), "source": "gw", "type": inner["schema"], **attributes}
    return json.dumps({**whole, "data": inner}).encode()


def arrow(batch: pa.RecordBatch | Sequence[Mapping[str, Any]], compression: str | None = None) -> bytes:
    """An Arrow stream of a batch, or of events with their nested fields as structs."""
    table = batch if isinstance(batch, pa.RecordBatch) else pa.RecordBatch.from_pylist(_filled(batch))
    sink = pa.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema, options=pyarrow.ipc.IpcWriteOptions(compression=compression)) as stream:
        stream.write_batch(table)
    return bytes(sink.getvalue())


def _filled(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for one in events for name in one)
    return [{name: one.get(name) for name in names} for one in events]


def decoded(
    *records: Record | bytes | None, limits: DecodeLimits | None = None, forbidden: frozenset[str] = FORBIDDEN
) -> EventBatch:
    """What comes of records; bare values stand at offsets 0, 1, ... without headers."""
    placed = [Sent(at, one) if one is None or isinstance(one, bytes) else one for at, one in enumerate(records)]
    return decode(
        placed, partition=3, limits=limits or DecodeLimits(), forbidden=forbidden, time_source="append", header_key=None
    )


def reasons(batch: EventBatch) -> list[str]:
    """Reason of each reject, in order of position."""
    return [reject.reason for reject in batch.rejects]


def reason_of(value: bytes | Mapping[str, Any] | None, **settings: Any) -> str:
    """The reason for which a record of one event is refused."""
    batch = decoded(json.dumps(value).encode() if isinstance(value, Mapping) else value, **settings)
    assert len(batch) == 0, "the event was taken"
    (reject,) = batch.rejects
    return reject.reason
