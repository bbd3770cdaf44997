"""CloudEvents 1.0: binary (attributes in `ce_` headers) and structured (one JSON object or an array of them).

The event of the contract is the data, as JSON or as JSON in base64 (`data_base64`). `id` and `time` stand in for an
`event_id` or `event_time` that the data lacks.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from surveillance.events.documents import oddities, read_document
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import BATCH_TOO_LARGE, NOT_JSON, TOO_DEEP, Fault, field_invalid, field_missing
from surveillance.events.scanning import deeper_than, elements_of
from surveillance.events.single import UNREADABLE, may_hide

ID_HEADER: Final = "ce_id"
TIME_HEADER: Final = "ce_time"


class Attributes(NamedTuple):
    """What an envelope says for its event; empty where it says nothing."""

    id: str
    time: str


class _Envelope(Struct):
    id: str | UnsetType = UNSET
    time: str | None | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    data_base64: str | UnsetType = UNSET


class _Sent(Struct):
    event_id: Raw | UnsetType = UNSET
    event_time: Raw | UnsetType = UNSET


def from_headers(headers: Mapping[str, str]) -> Attributes:
    """Attributes of a binary CloudEvent; header values are percent-encoded."""
    return Attributes(unquote(headers.get(ID_HEADER, "")), unquote(headers.get(TIME_HEADER, "")))


def unwrap(text: bytes, limits: DecodeLimits) -> bytes | Fault:
    """The text of the event in a structured CloudEvent."""
    if deeper_than(text, limits.max_depth):
        return Fault(TOO_DEEP, f"nested deeper than {limits.max_depth}")
    try:
        document, envelope = msgspec.json.decode(text), msgspec.json.decode(text, type=_Envelope)
    except UNREADABLE:
        return _unreadable(text)
    if may_hide(text, msgspec.json.encode(document)):
        odd = next(oddities(read_document(text)), None)
        if odd is not None:
            return field_invalid(odd.path, "the key stands twice in one object")
    data = _data(envelope)
    return data if isinstance(data, Fault) else filled(data, Attributes(envelope.id or "", envelope.time or ""))


def _data(envelope: _Envelope) -> bytes | Fault:
    if envelope.data is not UNSET:
        return bytes(envelope.data)
    if envelope.data_base64 is UNSET:
        return field_missing("data")
    try:
        return b64decode(envelope.data_base64, validate=True)
    except (binascii.Error, ValueError):
        return field_invalid("data_base64", "no base64 text")


def _unreadable(text: bytes) -> bytes | Fault:
    """An envelope that does not decode: take the data out by the forgiving reader, so that its own fault is named."""
    try:
        document = read_document(text)
    except UNREADABLE:
        return Fault(NOT_JSON, "no JSON text in UTF-8")
    if not isinstance(document, dict):
        return Fault(NOT_JSON, "expected an object")
    if "data" not in document:
        return field_missing("data")
    return json.dumps(document["data"]).encode()


def filled(event: bytes, attributes: Attributes) -> bytes:
    """`event` with the attributes in place of fields that it lacks; unchanged where it is no object."""
    try:
        sent = msgspec.json.decode(event, type=_Sent)
    except UNREADABLE:
        return event
    lacking = {}
    if sent.event_id is UNSET and attributes.id:
        lacking["event_id"] = attributes.id
    if sent.event_time is UNSET and attributes.time:
        lacking["event_time"] = attributes.time
    if not lacking:
        return event
    inner = event.strip()[1:]
    comma = b"" if inner.lstrip().startswith(b"}") else b","
    return msgspec.json.encode(lacking)[:-1] + comma + inner


def split(text: bytes, limits: DecodeLimits) -> list[bytes] | Fault:
    """The envelopes of a batch."""
    elements = elements_of(text, limits.max_batch_events)
    if elements is None:
        return Fault(NOT_JSON, "no JSON array in UTF-8")
    if len(elements) > limits.max_batch_events:
        return Fault(BATCH_TOO_LARGE, f"more than {limits.max_batch_events} events")
    return elements
