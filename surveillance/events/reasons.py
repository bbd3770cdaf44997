"""Reason codes of contract/events.md: why an event cannot be counted. A closed set, because each is a counter."""

from __future__ import annotations

from typing import Final, NamedTuple

NOT_JSON: Final = "not_json"
TOO_LARGE: Final = "too_large"
TOO_DEEP: Final = "too_deep"
SCHEMA_UNKNOWN: Final = "schema_unknown"
VERSION_UNKNOWN: Final = "version_unknown"
SCORE_NOT_FINITE: Final = "score_not_finite"
TIME_INVALID: Final = "time_invalid"
CLOCK_SKEW: Final = "clock_skew"
RELEASE_UNKNOWN: Final = "release_unknown"
MANIFEST_UNKNOWN: Final = "manifest_unknown"
FORBIDDEN_FIELD: Final = "forbidden_field"
BATCH_TOO_LARGE: Final = "batch_too_large"
DECOMPRESSION_LIMIT: Final = "decompression_limit"

FIELD_MISSING: Final = "field_missing"
FIELD_INVALID: Final = "field_invalid"

NAMELESS: Final = frozenset(
    {
        NOT_JSON,
        TOO_LARGE,
        TOO_DEEP,
        SCHEMA_UNKNOWN,
        VERSION_UNKNOWN,
        SCORE_NOT_FINITE,
        TIME_INVALID,
        CLOCK_SKEW,
        RELEASE_UNKNOWN,
        MANIFEST_UNKNOWN,
        FORBIDDEN_FIELD,
        BATCH_TOO_LARGE,
        DECOMPRESSION_LIMIT,
    }
)
NAMED: Final = frozenset({FIELD_MISSING, FIELD_INVALID})

_LONGEST_NAME = 128


class Fault(NamedTuple):
    """Why an event is refused: a reason code and what was found, for a person."""

    reason: str
    detail: str


SENT_FORBIDDEN: Final = Fault(FORBIDDEN_FIELD, "a field was sent that must not be")


def field_missing(name: str) -> Fault:
    """A required field that was not sent; `name` is its dotted path."""
    return Fault(f"{FIELD_MISSING}:{_storable(name)}", f"required field {_storable(name)} was not sent")


def field_invalid(name: str, detail: str) -> Fault:
    """A field whose value the contract does not allow; `name` is its dotted path."""
    return Fault(f"{FIELD_INVALID}:{_storable(name)}", detail)


def _storable(name: str) -> str:
    """A sender makes names up: they may be long, and may hold half a surrogate pair, which no store takes."""
    return name[:_LONGEST_NAME].encode("utf-8", "replace").decode()


def is_reason(reason: str) -> bool:
    """Whether `reason` belongs to the closed set of the contract."""
    code, colon, name = reason.partition(":")
    return (code in NAMED and bool(name)) if colon else reason in NAMELESS


def counted_as(reason: str, declared: frozenset[str]) -> str:
    """The counter of `reason`: names that a sender can make up are folded, so that counters stay a closed set."""
    code, colon, name = reason.partition(":")
    if not colon or name in declared:
        return reason
    container = name.partition(".")[0]
    return f"{code}:{container if container in declared else 'other'}"
