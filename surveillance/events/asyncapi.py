"""The AsyncAPI document of the topics: telemetry as the structs that decode it say, and what the service writes."""

from __future__ import annotations

from typing import Any, Final

from surveillance.events import cloudevents, headers, reasons
from surveillance.events.batch import Kind
from surveillance.events.decisions_schema import incident_schema, quarantine_schema, trigger_schema
from surveillance.events.formats import FORMAT_OF, Format
from surveillance.events.kinds import SCHEMA_OF, TICK_SCHEMA
from surveillance.events.limits import DecodeLimits
from surveillance.events.schema import definitions_of

VERSION: Final = "3.0.0"
JSON: Final = "application/json"
_SCHEMAS: Final = "#/components/schemas/"
_MEDIA_TYPE: Final = {kind: name for name, kind in FORMAT_OF.items()}
_RECEIVED: Final = {
    "telemetry": "What devices and gateways send; key = device_id, broker time = LogAppendTime.",
    "releases": "Signed release manifests, compacted; key = manifest digest.",
}
_SENT: Final = {
    "incidents": "Incidents as they open, escalate and resolve.",
    "triggers": "Actions that incidents ask for.",
    "quarantine": "Events that cannot be counted, with the reason.",
    "gate_decisions": "Reserved for decisions of the release gate.",
}


def asyncapi_document(prefix: str = "pms.") -> dict[str, Any]:
    """The document of a service whose topic names begin with `prefix`."""
    messages = _messages()
    by_channel = {
        "telemetry": [
            name for name, message in messages.items() if message["headers"] == {"$ref": f"{_SCHEMAS}telemetryHeaders"}
        ],
        "releases": ["manifest"],
        "incidents": ["incident"],
        "triggers": ["trigger"],
        "quarantine": ["quarantined"],
        "gate_decisions": [],
    }
    return {
        "asyncapi": VERSION,
        "info": {"title": "Post-market surveillance", "version": "1", "description": "Topics in and out, over Kafka."},
        "defaultContentType": JSON,
        "channels": {
            channel: {
                "address": prefix + channel,
                "description": description,
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in by_channel[channel]},
            }
            for channel, description in (_RECEIVED | _SENT).items()
        },
        "operations": {
            f"{action}_{channel}": {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
            for action, channels in (("receive", _RECEIVED), ("send", _SENT))
            for channel in channels
        },
        "components": {"messages": messages, "schemas": _schemas()},
    }


def _messages() -> dict[str, Any]:
    """Messages by name; those of the telemetry topic have its headers."""
    found = {SCHEMA_OF[kind]: _telemetry(Format.EVENT, SCHEMA_OF[kind]) for kind in Kind}
    found |= {
        TICK_SCHEMA: _telemetry(Format.EVENT, TICK_SCHEMA),
        "jsonBatch": _telemetry(Format.BATCH, "events"),
        "arrowBatch": _telemetry(Format.ARROW, "arrowStream"),
        "cloudEvent": _telemetry(Format.CLOUD_EVENT, "cloudEvent"),
        "cloudEventBatch": _telemetry(Format.CLOUD_BATCH, "cloudEvents"),
    }
    for name, key in (("manifest", "manifest digest"), ("incident", "incident id"), ("trigger", "trigger id")):
        found[name] = _own(name, key)
    return found | {"quarantined": _own("quarantined", "topic/partition/offset/index")}


def _telemetry(how: Format, schema: str) -> dict[str, Any]:
    return {
        "contentType": _MEDIA_TYPE[how],
        "headers": {"$ref": f"{_SCHEMAS}telemetryHeaders"},
        "payload": {"$ref": _SCHEMAS + schema},
        "bindings": _key("device_id"),
    }


def _own(schema: str, key: str) -> dict[str, Any]:
    return {
        "contentType": JSON,
        "headers": {"$ref": f"{_SCHEMAS}ownHeaders"},
        "payload": {"$ref": _SCHEMAS + schema},
        "bindings": _key(key),
    }


def _key(description: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": description}}}


def _schemas() -> dict[str, Any]:
    return definitions_of(Kind, _SCHEMAS + "{name}") | {
        TICK_SCHEMA: {
            "description": "Control record: time passed on a silent partition. No event, outside the ledger.",
            "type": "object",
            "properties": {"schema": {"const": TICK_SCHEMA}},
            "required": ["schema"],
        },
        "event": {"oneOf": [{"$ref": _SCHEMAS + SCHEMA_OF[kind]} for kind in Kind]},
        "events": _array("event"),
        "arrowStream": {
            "description": "Arrow IPC stream; a row is an event, a column a field; nested fields as structs or dotted columns.",
            "type": "string",
            "contentMediaType": _MEDIA_TYPE[Format.ARROW],
        },
        "cloudEvent": _cloud_event(),
        "cloudEvents": _array("cloudEvent"),
        "telemetryHeaders": _headers(),
        "ownHeaders": {"type": "object", "properties": {headers.CONTENT_TYPE: {"const": JSON}}},
        "manifest": {"description": "Release manifest, see `pms schema manifest`.", "type": "object"},
        "incident": incident_schema(),
        "trigger": trigger_schema(),
        "quarantined": quarantine_schema(sorted(reasons.NAMELESS), sorted(reasons.NAMED)),
    }


def _array(schema: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": _SCHEMAS + schema}, "maxItems": DecodeLimits().max_batch_events}


def _cloud_event() -> dict[str, Any]:
    """Structured mode; what the attributes stand in for, the data need not say."""
    return {
        "type": "object",
        "properties": {
            "specversion": {"type": "string"},
            "id": {"type": "string", "description": "stands in for an event_id that the data lacks"},
            "time": {"type": "string", "format": "date-time", "description": "stands in for an event_time that the data lacks"},
            "data": {"$ref": f"{_SCHEMAS}event"},
        },
        "required": ["data"],
    }


def _headers() -> dict[str, Any]:
    texts = {
        headers.INGEST_TIME: "RFC 3339 or milliseconds; broker time where the service runs on header time",
        cloudevents.ID_HEADER: "binary CloudEvent: stands in for an event_id that the value lacks",
        cloudevents.TIME_HEADER: "binary CloudEvent: stands in for an event_time that the value lacks",
        headers.ORIGIN: "written by the service: topic/partition/offset/index where the event first stood",
        headers.ORIGIN_TIME: "written by the service: broker time there, in milliseconds",
        headers.ORIGIN_MAC: "written by the service: authenticates the two",
    }
    return {
        "type": "object",
        "properties": {
            headers.CONTENT_TYPE: {"enum": list(FORMAT_OF), "default": JSON},
            headers.CONTENT_ENCODING: {"enum": ["gzip", "identity"], "default": "identity"},
            **{name: {"type": "string", "description": text} for name, text in texts.items()},
        },
    }
