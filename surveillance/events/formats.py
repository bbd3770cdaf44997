"""From a record to the JSON or Arrow text in it: content type, content encoding, CloudEvents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple, TypeAlias

from surveillance.events import cloudevents
from surveillance.events.forbidden import Forbidden
from surveillance.events.gunzip import gunzip
from surveillance.events.headers import CONTENT_ENCODING, CONTENT_TYPE, content_type
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import NOT_JSON, SENT_FORBIDDEN, TOO_LARGE, Fault


class Format(Enum):
    """How events stand in the value of a record."""

    EVENT = auto()
    BATCH = auto()
    ARROW = auto()
    CLOUD_EVENT = auto()
    CLOUD_BATCH = auto()


FORMAT_OF: Final[Mapping[str, Format]] = {
    "application/json": Format.EVENT,
    "application/json-batch": Format.BATCH,
    "application/vnd.apache.arrow.stream": Format.ARROW,
    "application/cloudevents+json": Format.CLOUD_EVENT,
    "application/cloudevents-batch+json": Format.CLOUD_BATCH,
}
"""By media type. Another one is read as JSON: what it holds then says whether it can be counted."""


_SHAPING: Final = frozenset({CONTENT_TYPE, CONTENT_ENCODING, cloudevents.ID_HEADER})


class Element(NamedTuple):
    """One event of a record: its text, and the fault if it cannot be reached."""

    text: bytes
    fault: Fault | None


Body: TypeAlias = bytes | Sequence[Element] | Fault
"""The bytes of an event, an array or a stream; or events that were taken out of envelopes; or why there is neither."""


class Framed(NamedTuple):
    """Format and content of a record."""

    format: Format
    body: Body


def is_plain(headers: Mapping[str, str]) -> bool:
    """Whether the value is the JSON text of one event as it stands."""
    if not headers.keys() & _SHAPING:
        return True
    plain = headers.keys().isdisjoint((CONTENT_ENCODING, cloudevents.ID_HEADER))
    return plain and FORMAT_OF.get(content_type(headers), Format.EVENT) is Format.EVENT


def is_arrow(headers: Mapping[str, str]) -> bool:
    """Whether the value is an Arrow stream."""
    return FORMAT_OF.get(content_type(headers)) is Format.ARROW


def frame(headers: Mapping[str, str], value: bytes | None, limits: DecodeLimits, forbidden: Forbidden) -> Framed:
    """Find format and body of a record that has headers, within the limits."""
    kind = FORMAT_OF.get(content_type(headers), Format.EVENT)
    body = _plain(headers, value, limits)
    if isinstance(body, Fault):
        return Framed(kind, body)
    if kind is Format.CLOUD_EVENT:
        return Framed(Format.CLOUD_EVENT, [_unwrapped(body, limits, forbidden)])
    if kind is Format.CLOUD_BATCH:
        texts = cloudevents.split(body, limits)
        return Framed(kind, texts if isinstance(texts, Fault) else [_unwrapped(text, limits, forbidden) for text in texts])
    if kind is Format.EVENT and cloudevents.ID_HEADER in headers:
        return Framed(kind, cloudevents.filled(body, cloudevents.from_headers(headers)))
    return Framed(kind, body)


def _plain(headers: Mapping[str, str], value: bytes | None, limits: DecodeLimits) -> bytes | Fault:
    if not value:
        return Fault(NOT_JSON, "the record is empty")
    if len(value) > limits.max_record_bytes:
        return Fault(TOO_LARGE, f"{len(value)} bytes, at most {limits.max_record_bytes} are read")
    encoding = headers.get(CONTENT_ENCODING, "").strip().lower()
    if encoding in ("", "identity"):
        return value
    if encoding in ("gzip", "x-gzip"):
        return gunzip(value, limits.max_inflated_bytes)
    return Fault(NOT_JSON, "the content-encoding is neither gzip nor identity")


def _unwrapped(text: bytes, limits: DecodeLimits, forbidden: Forbidden) -> Element:
    """The event in a structured CloudEvent; the envelope is not kept, so it is searched for forbidden names here."""
    if forbidden.in_text(text):
        return Element(text, SENT_FORBIDDEN)
    event = cloudevents.unwrap(text, limits)
    return Element(text, event) if isinstance(event, Fault) else Element(event, None)
