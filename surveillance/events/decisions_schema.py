"""JSON Schemas of what the service writes to its own topics: incidents, triggers, refused events.

Incidents and triggers are the lines of `surveillance.incidents.lines`, which are documents, not structs, so their shape is
written down here; tests/contract/test_asyncapi.py holds it to the lines themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}
_WHOLE: Final = {"type": "integer"}
_NUMBER: Final = {"type": "number"}
_DIGEST: Final = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_LEVEL: Final = {"enum": ["investigate", "pause", "rollback_or_field_safety"]}
_SCOPE: Final = {"type": "object", "additionalProperties": _TEXT, "description": "Axis id to level; {} = everything."}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None, description: str = "") -> dict[str, Any]:
    shape = {"type": "object", "properties": required | (optional or {}), "required": list(required)}
    return {"description": description} | shape if description else shape


def _or_null(shape: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [shape, {"type": "null"}]}


_WINDOW: Final = _object({"start": _TIME, "end": _TIME})
_ESTIMATE: Final = _object(
    {},
    {
        "n": _NUMBER,
        "value": _NUMBER,
        "lower": _NUMBER,
        "upper": _NUMBER,
        "method": _TEXT,
        "p": _NUMBER,
        "e": _NUMBER,
        "needed": _NUMBER,
    },
    "A number that cannot be given is absent.",
)
_SHARE: Final = {"share": _NUMBER, "lower": _NUMBER, "upper": _NUMBER}
_REASON: Final = {"reason": _TEXT}
_VERDICT: Final = {"enum": ["met", "breached", "inconclusive"]}
_PERFORMANCE: Final = _object(
    {
        "monitor_id": _TEXT,
        "scope": _SCOPE,
        "verdict": _VERDICT,
        "reason": _or_null(_TEXT),
        "window": _WINDOW,
        "reaches_change": {"type": "boolean"},
    },
    {"last_conclusive": _object({"verdict": _VERDICT, "window": _WINDOW})},
    "Newest evaluation of a monitor on labels, of the scope that holds the drifted people most narrowly. One that does not reach"
    " the change says nothing of it.",
)
_ATTRIBUTION: Final = _object(
    {
        "kind": {"enum": ["mix_shift", "within_stratum", "undetermined"]},
        "mix": _object({}, {"field": _TEXT} | _SHARE | _REASON),
        "explained_by": _object({}, {"field": _TEXT, "level": _TEXT, "n": _WHOLE, "of_rows": _NUMBER} | _SHARE | _REASON),
        "change_point": _object({}, {"at": _TIME, "earliest": _TIME, "latest": _TIME, "method": _TEXT} | _REASON),
        "performance": {"type": "array", "items": _PERFORMANCE},
    },
    description="Where a drift came from, where that can be said. It moved no verdict.",
)


def incident_schema() -> dict[str, Any]:
    """An incident each time it opens, escalates or resolves."""
    return _object(
        {
            "kind": {"const": "incident"},
            "incident_id": _TEXT,
            "monitor_id": _TEXT,
            "level": _LEVEL,
            "state": {"enum": ["open", "resolved"]},
            "scope": _SCOPE,
            "opened_at": _TIME,
            "changed_at": _TIME,
            "resolved_at": _or_null(_TIME),
            "breached_since": _TIME,
            "window": _WINDOW,
            "estimate": _ESTIMATE,
            "limit": {"type": "object"},
            "owner": _TEXT,
            "ack_by": _TIME,
            "decide_by": _TIME,
            "summary": _TEXT,
        },
        {
            "hazard_id": _TEXT,
            "release_id": _TEXT,
            "manifest_digest": _DIGEST,
            "playbook": _TEXT,
            "attribution": _ATTRIBUTION,
            "pooled_to": _SCOPE,
            "tenant": _TEXT,
        },
        "Key = incident id. The optional fields are those of a release; incidents of the service itself have none.",
    )


def trigger_schema() -> dict[str, Any]:
    """An action that an incident asks for."""
    return _object(
        {
            "kind": {"const": "trigger"},
            "trigger_id": _TEXT,
            "action": _TEXT,
            "level": _LEVEL,
            "incident_id": _TEXT,
            "monitor_id": _TEXT,
            "manifest_digest": _DIGEST,
            "release_id": _TEXT,
            "scope": _SCOPE,
            "target": _object({"release_id": _TEXT, "manifest_digest": _TEXT}),
            "requires_confirmation_by": _or_null(_TEXT),
            "emitted_at": _TIME,
            "expires_at": _TIME,
            "drill": {"type": "boolean"},
            "field_action": {"type": "object"},
        },
        {"tenant": _TEXT},
        description="Key = trigger id, the same on every delivery: act on it once.",
    )


def quarantine_schema(nameless: Sequence[str], named: Sequence[str]) -> dict[str, Any]:
    """A refused event; `nameless` and `named` are the reason codes without and with the name of a field."""
    reasons = [{"enum": sorted(nameless)}, {"type": "string", "pattern": f"^({'|'.join(sorted(named))}):."}]
    return _object(
        {
            "tenant": _TEXT,
            "topic": _TEXT,
            "partition": _WHOLE,
            "offset": _WHOLE,
            "index": _WHOLE,
            "ingest_time": _TIME,
            "reason": {"anyOf": reasons},
            "detail": _TEXT,
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        },
        {"payload": {"type": "string", "contentEncoding": "base64"}},
        "Key = topic/partition/offset/index. The payload is left out where it must not be kept.",
    )
