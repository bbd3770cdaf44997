"""What every section of a manifest is made of: frozen models, and scalars that are taken as written, never coerced."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from surveillance.manifest.durations import Duration, parse_duration, parse_duration_ms


class Part(BaseModel):
    """A section. Keys it does not know are left to lint, which warns of them."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_silent_keys(cls, value: Any) -> Any:
        """A key with nothing after it says no more than one that is not there; extensions say nothing to us."""
        if not isinstance(value, dict):
            return value
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: child for key, child in value.items() if (child is not None if key in known else not is_extension(key))}


def is_extension(key: str) -> bool:
    """Keys that are free in every section."""
    return key == "extensions" or key.startswith("x-")


class NumberOrMap(Part):
    """A section that may also be written as a plain number, which is then its `value`."""

    @model_validator(mode="before")
    @classmethod
    def _plain_number(cls, value: Any) -> Any:
        return {"value": value} if isinstance(value, (int, float)) and not isinstance(value, bool) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        written = handler.resolve_ref_schema(reference)
        as_map = dict(written)
        written.clear()
        written["anyOf"] = [{"type": "number"}, as_map]
        return reference


class ClosedPart(Part):
    """A section in which an unknown key is an error: a misspelt limit must never be a limit that is not there."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False, "patternProperties": {"^x-": {}}})


Text = Annotated[str, Strict(), Field(min_length=1)]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict()]
Positive = Annotated[float, Strict(), Field(gt=0)]
NonNegative = Annotated[float, Strict(), Field(ge=0)]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]
Inside01 = Annotated[float, Strict(), Field(gt=0, lt=1)]
Count = Annotated[int, Strict(), Field(ge=0)]
PositiveCount = Annotated[int, Strict(), Field(ge=1)]
WindowCount = Annotated[int, Strict(), Field(ge=1, le=10_000)]
"""Windows that are looked back on."""
Pair = tuple[Number, Number]


def shown(value: object) -> str:
    """`value` as JSON for a message, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def _span(read: Callable[[str], Any], example: str, *, above_zero: bool = False) -> Callable[[object], Any]:
    def validate(value: object) -> Any:
        try:
            span = read(value) if isinstance(value, str) else None
        except ValueError as error:
            raise ValueError(f"expected ISO 8601 duration such as {example}, got {shown(value)}: {error}") from None
        if span is None or (above_zero and not span):
            raise ValueError(
                f"expected ISO 8601 duration{' above zero' if above_zero else ''} such as {example}, got {shown(value)}"
            )
        return span

    return validate


_DURATION = WithJsonSchema({"type": "string", "format": "duration"})
DurationMs = Annotated[int, PlainValidator(_span(parse_duration_ms, "PT5M")), _DURATION]
PositiveDurationMs = Annotated[int, PlainValidator(_span(parse_duration_ms, "PT5M", above_zero=True)), _DURATION]
CalendarDuration = Annotated[Duration, PlainValidator(_span(parse_duration, "P1Y")), _DURATION]


def _time_ms(value: object) -> int:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"expected RFC 3339 time with zone such as 2026-05-06T00:00:00Z, got {shown(value)}")
    # Whole milliseconds by integers: a float of seconds would round.
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
TimeMs = Annotated[int, PlainValidator(_time_ms), WithJsonSchema({"type": "string", "format": "date-time"})]


def _level(value: object) -> object:
    return json.dumps(value) if isinstance(value, (bool, int, float)) else value


Level = Annotated[Text, BeforeValidator(_level), WithJsonSchema({"type": ["string", "number", "boolean"]})]
"""A level of an axis or a category: text; a number or truth value written plainly is its JSON text."""
