"""Who sent an event that cannot be counted, and when, as far as its text says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from surveillance.events.documents import read_document
from surveillance.events.kinds import KIND_OF_SCHEMA

_LONGEST_NAME: Final = 128
_LONGEST_ID: Final = 64
_REQUIRED: Final = ("event_id", "product", "site_id", "device_id", "release_id", "event_time")
_OPTIONAL: Final = ("gateway_id", "manifest_digest", "mode")


class Sender(NamedTuple):
    """Tenant and device, the times as they were written, and the envelope where all that every kind requires can be read."""

    tenant: str = "default"
    device_id: str = ""
    event_time: str | None = None
    sent_time: str | None = None
    envelope: Mapping[str, str] | None = None


def sender_of(text: bytes) -> Sender:
    """What can be read of the sender of an event."""
    try:
        document = read_document(text)
    except (ValueError, RecursionError):
        return Sender()
    if not isinstance(document, dict):
        return Sender()
    return Sender(
        tenant=_name(document.get("tenant")) or "default",
        device_id=_name(document.get("device_id")),
        event_time=_name(document.get("event_time")) or None,
        sent_time=None if document.get("sent_time") is None else _name(document["sent_time"]),
        envelope=_envelope(document),
    )


def _envelope(document: Mapping[str, Any]) -> Mapping[str, str] | None:
    schema = document.get("schema")
    required = {name: _name(document.get(name)) for name in _REQUIRED}
    if (
        not isinstance(schema, str)
        or schema not in KIND_OF_SCHEMA
        or not all(required.values())
        or len(required["event_id"]) > _LONGEST_ID
    ):
        return None
    sent = {name: document.get(name) for name in _OPTIONAL}
    if not all(value is None or _name(value) for value in sent.values()):
        return None
    return required | {name: _name(value) for name, value in sent.items() if value is not None}


def _name(value: Any) -> str:
    """A text that can be stored; one with half a surrogate pair cannot."""
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        return ""
    return value.encode("utf-8", "replace").decode()
