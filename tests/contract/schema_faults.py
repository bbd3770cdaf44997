"""The part of JSON Schema that our schemas use, for holding values to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
}
_ASSERTIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": lambda wanted, value: _TYPES[wanted](value),
    "const": lambda wanted, value: value == wanted,
    "enum": lambda wanted, value: value in wanted,
    "minimum": lambda wanted, value: not _TYPES["number"](value) or value >= wanted,
    "maximum": lambda wanted, value: not _TYPES["number"](value) or value <= wanted,
    "minLength": lambda wanted, value: not isinstance(value, str) or len(value) >= wanted,
    "maxLength": lambda wanted, value: not isinstance(value, str) or len(value) <= wanted,
    "pattern": lambda wanted, value: not isinstance(value, str) or re.search(wanted, value) is not None,
    "maxItems": lambda wanted, value: not isinstance(value, list) or len(value) <= wanted,
}
_SILENT = {"title", "description", "format", "default", "x-since-version", "discriminator", "$schema", "$defs"}
_SILENT |= {"contentEncoding", "contentMediaType"}


def faults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Every place where `value` is not what `schema` says; references are looked up from `root`."""
    for word, wanted in schema.items():
        if word in _ASSERTIONS:
            if not _ASSERTIONS[word](wanted, value):
                yield f"{at}: {word} {wanted}"
        elif word == "$ref":
            yield from faults(value, _target(wanted, root), root, at)
        elif word in ("anyOf", "oneOf"):
            fitting = sum(not any(faults(value, one, root, at)) for one in wanted)
            if fitting < 1 or (word == "oneOf" and fitting > 1):
                yield f"{at}: {fitting} of {word} fit"
        elif word == "required":
            yield from (f"{at}: {name} is missing" for name in wanted if isinstance(value, dict) and name not in value)
        elif word == "items":
            for number, one in enumerate(value if isinstance(value, list) else ()):
                yield from faults(one, wanted, root, f"{at}[{number}]")
        elif word in ("properties", "additionalProperties", "propertyNames"):
            for name, one in (value if isinstance(value, dict) else {}).items():
                yield from _of_member(word, wanted, name, one, schema, root, at)
        else:
            assert word in _SILENT, f"a word of JSON Schema that is not checked: {word}"


def _of_member(
    word: str, wanted: Any, name: str, value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str
) -> Iterator[str]:
    if word == "propertyNames":
        yield from faults(name, wanted, root, f"{at}.{name}")
    elif word == "properties" and name in wanted:
        yield from faults(value, wanted[name], root, f"{at}.{name}")
    elif word == "additionalProperties" and name not in schema.get("properties", {}):
        yield from faults(value, wanted, root, f"{at}.{name}")


def _target(reference: str, root: Any) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        root = root[step]
    return root
