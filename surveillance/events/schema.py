"""JSON Schemas of the event kinds, made from the structs that decode them."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any, Final

import msgspec

from surveillance.events.batch import Kind
from surveillance.events.declared import fields
from surveillance.events.kinds import SCHEMA_OF, STRUCT_OF, VALUE_WHEN_NOT_SENT

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final = "#/$defs/{name}"
_ENVELOPE_SINCE_1: Final = frozenset({"tenant", "gateway_id", "sent_time", "ingest_time"})
_OPTIONAL_SINCE_1: Final = {
    Kind.INFERENCE: frozenset({"model_digest", "encounter_token", "output_class", "input_quality", "latency_ms", "context"})
}


def event_json_schemas() -> dict[str, Any]:
    """One JSON Schema (2020-12) that takes an event of any kind, with one definition per kind under its name on the wire.

    Version 1 is the required set, version 2 only adds optional fields, which say so (`x-since-version`): one schema serves
    both. Fields that it does not name are allowed. Which forbidden names a release adds stands in its manifest.
    """
    definitions = definitions_of(Kind)
    return {
        "$schema": DIALECT,
        "title": "Telemetry event",
        "oneOf": [{"$ref": _REFERENCE.format(name=SCHEMA_OF[kind])} for kind in Kind],
        "discriminator": {
            "propertyName": "schema",
            "mapping": {name: _REFERENCE.format(name=name) for name in SCHEMA_OF.values()},
        },
        "$defs": definitions,
    }


def definitions_of(kinds: Iterable[Kind], reference: str = _REFERENCE) -> dict[str, Any]:
    """Schemas of kinds by their name on the wire, and of the objects in them; `reference` is where they refer to each other."""
    chosen = list(kinds)
    _, made = msgspec.json.schema_components([STRUCT_OF[kind] for kind in chosen], ref_template=reference)
    found = deepcopy(made)
    for kind in chosen:
        found[SCHEMA_OF[kind]] = _of_kind(kind, found.pop(STRUCT_OF[kind].__name__))
    return dict(sorted(found.items()))


def _of_kind(kind: Kind, schema: dict[str, Any]) -> dict[str, Any]:
    since_1 = _ENVELOPE_SINCE_1 | _OPTIONAL_SINCE_1.get(kind, frozenset())
    for name, shape in schema["properties"].items():
        field = fields(kind).get(name)
        if field is not None:
            shape["x-since-version"] = 1 if field.required or name in since_1 else 2
        if name in VALUE_WHEN_NOT_SENT:
            shape["default"] = _written(VALUE_WHEN_NOT_SENT[name])
    schema["properties"]["schema"] = {"const": SCHEMA_OF[kind], "x-since-version": 1}
    return {"title": SCHEMA_OF[kind]} | {key: value for key, value in schema.items() if key not in ("title", "description")}


def _written(value: str | float) -> str | int:
    return value if isinstance(value, str) else int(value)
