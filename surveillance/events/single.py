"""One event from its own JSON text: the reading that defines what is right, and names what is wrong.

The bulk reading gives the same answer, because it hands every text here that it has a doubt about.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from surveillance.events import declared
from surveillance.events.documents import Oddity, oddities, read_document, undeclared
from surveillance.events.kinds import KIND_OF_SCHEMA, TICK_SCHEMA, AnyEvent, Event, Feature, Name, Tick
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import (
    NOT_JSON,
    SCHEMA_UNKNOWN,
    SCORE_NOT_FINITE,
    TIME_INVALID,
    TOO_DEEP,
    TOO_LARGE,
    VERSION_UNKNOWN,
    Fault,
    field_invalid,
    field_missing,
)
from surveillance.events.scanning import deeper_than, quotes

ENCODER: Final = msgspec.json.Encoder(order="deterministic")
DECODER: Final = msgspec.json.Decoder[AnyEvent | Tick](AnyEvent | Tick)
UNREADABLE: Final = (ValueError, RecursionError)
"""What msgspec and the json module raise on bad input."""

HIDDEN_QUOTE: Final = b"\\u0022"
"""The only spelling of a quotation mark that the encoder spells otherwise; see `may_hide`."""

_ANYTHING: Final = msgspec.json.Decoder()
_AT: Final = re.compile(r" - at (?:`key` in )?`\$\.?(.*)`$")
_MISSING: Final = re.compile(r"^Object missing required field `([^`]*)`")
_PLACE: Final = re.compile(r"\[[^\]]*\]")
_VALUE: Final = re.compile(r"^Invalid (?:enum )?value .*", re.DOTALL)


class Read(NamedTuple):
    """An event that was read, and how many fields it had that nobody declares."""

    event: Event | Tick
    unknown_fields: int


Reading: TypeAlias = Read | Fault


def read_event(text: bytes | None, limits: DecodeLimits) -> Reading:
    """Decode one event. What needs a look at values (times, digests) is checked later, for all events at once."""
    if not text:
        return Fault(NOT_JSON, "the record is empty")
    if len(text) > limits.max_record_bytes:
        return too_large(text, limits)
    if deeper_than(text, limits.max_depth):
        return _too_deep(limits)
    try:
        event = DECODER.decode(text)
    except UNREADABLE as error:
        return _explain(text, error)
    return read_rest(text, event, limits) if may_hide(text, ENCODER.encode(event)) else Read(event, 0)


def too_large(text: bytes, limits: DecodeLimits) -> Fault:
    """The fault of an event that is longer than what is read."""
    return Fault(TOO_LARGE, f"{len(text)} bytes, at most {limits.max_record_bytes} are read")


def may_hide(text: bytes, encoded: bytes) -> bool:
    r"""Whether `text` may hold keys that are not in `encoded`: unknown fields, or one key twice.

    Each string brings two quotation marks, and an escaped one inside is escaped again, so an event that loses nothing
    has as many in as out; losing a key loses two. Only `\u0022` could make up for a loss. Counts add up, so the
    question may be asked of many texts at once, joined.
    """
    return quotes(text) != quotes(encoded) or (b"\\" in text and HIDDEN_QUOTE in text)


def read_rest(text: bytes, event: Event | Tick, limits: DecodeLimits) -> Reading:
    """Look at the whole text of an event that decoded, for what the structs passed over."""
    if deeper_than(text, limits.max_depth):
        return _too_deep(limits)
    try:
        document = _ANYTHING.decode(text)
    except UNREADABLE as error:
        return _explain(text, error)
    if may_hide(text, ENCODER.encode(document)):
        odd = next(oddities(read_document(text)), None)
        if odd is not None:
            return _odd(odd)
    return Read(event, undeclared(document, declared.tree(type(event))))


def _too_deep(limits: DecodeLimits) -> Fault:
    return Fault(TOO_DEEP, f"nested deeper than {limits.max_depth}")


def _explain(text: bytes, error: Exception) -> Fault:
    """Name the fault of a text that does not decode, in the order in which a person would ask."""
    try:
        document = read_document(text)
    except UNREADABLE:
        return Fault(NOT_JSON, "no JSON text in UTF-8")
    if not isinstance(document, dict):
        return Fault(NOT_JSON, f"expected an object, got {type(document).__name__}")
    fault = _unknown_shape(document)
    if fault is not None:
        return fault
    odd = list(oddities(document))
    if odd:
        return _odd(next((one for one in odd if one == Oddity("score", not_finite=True)), odd[0]))
    if not isinstance(error, msgspec.ValidationError):
        return Fault(NOT_JSON, "no JSON text in UTF-8")
    return _from_message(str(error), document)


def _unknown_shape(document: dict[str, Any]) -> Fault | None:
    if "schema" not in document:
        return field_missing("schema")
    schema = document["schema"]
    if not isinstance(schema, str) or (schema not in KIND_OF_SCHEMA and schema != TICK_SCHEMA):
        return Fault(SCHEMA_UNKNOWN, "schema is none of the kinds of the contract")
    if schema == TICK_SCHEMA:
        return None
    if "schema_version" not in document:
        return field_missing("schema_version")
    version = document["schema_version"]
    if type(version) is not int or version not in (1, 2):
        return Fault(VERSION_UNKNOWN, "schema_version is neither 1 nor 2")
    return None


def _odd(odd: Oddity) -> Fault:
    if odd.not_finite and odd.path == "score":
        return Fault(SCORE_NOT_FINITE, "score is not a finite number")
    return field_invalid(odd.path or "event", "not a finite number" if odd.not_finite else "the key stands twice in one object")


def _from_message(message: str, document: dict[str, Any]) -> Fault:
    """Translate a validation error of msgspec, which names the place but not our reason."""
    at = _AT.search(message)
    place = at.group(1) if at else ""
    path = _PLACE.sub("", place)
    missing = _MISSING.match(message)
    if missing:
        return field_missing(f"{path}.{missing.group(1)}" if path else missing.group(1))
    what = _VALUE.sub("not one of the allowed values", _AT.sub("", message))
    if path == "event_time":
        return Fault(TIME_INVALID, what)
    if path == "score" and message.startswith("Number out of range"):
        return Fault(SCORE_NOT_FINITE, what)
    if path == "features" and isinstance(document.get("features"), dict):
        path = _bad_feature(document["features"])
    return field_invalid(path or "event", what)


def _bad_feature(features: dict[str, Any]) -> str:
    for name, value in features.items():
        try:
            msgspec.convert({name: value}, dict[Name, Feature])
        except msgspec.ValidationError:
            return f"features.{name}"
    return "features"
