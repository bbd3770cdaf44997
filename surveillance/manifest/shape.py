"""What the models expect at a place of a document: read from their JSON Schema, so that messages cannot differ from them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from surveillance.errors import Problem
from surveillance.manifest.digest import join
from surveillance.manifest.json_schema import manifest_json_schema
from surveillance.manifest.part import is_extension, shown

Node = dict[str, Any]

_TYPES = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true or false", "object": "map"}
_FORMATS = {"duration": "ISO 8601 duration such as PT5M", "date-time": "RFC 3339 time with zone"}
_BOUNDS = (("exclusiveMinimum", ">"), ("minimum", ">="), ("exclusiveMaximum", "<"), ("maximum", "<="))


@cache
def root() -> Node:
    """The schema of a whole manifest."""
    return manifest_json_schema()


def resolve(node: Node, value: object) -> Node:
    """`node` with references followed and, of alternatives, the one that `value` is written as."""
    if "$ref" in node:
        return resolve(_definition(node["$ref"]), value)
    if "discriminator" in node:
        tag = value.get(node["discriminator"]["propertyName"]) if isinstance(value, dict) else None
        reference = node["discriminator"]["mapping"].get(tag) if isinstance(tag, str) else None
        return resolve({"$ref": reference}, value) if reference is not None else {}
    for choice in node.get("anyOf") or node.get("oneOf") or ():
        branch = resolve(choice, value)
        if _written_as(branch, value):
            return branch
    return node


def child(node: Node, step: str | int) -> Node | None:
    """What a resolved map or list expects at `step`; None where it knows no such key."""
    if isinstance(step, int):
        prefix = node.get("prefixItems", ())
        found = prefix[step] if step < len(prefix) else node.get("items")
    else:
        found = node.get("properties", {}).get(step, node.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def described(node: Node) -> str:
    """What `node` takes, in words: `number > 0`, `one of upper, lower`, `list of 2 numbers`."""
    if "$ref" in node:
        return described(_definition(node["$ref"]))
    choices = node.get("anyOf") or node.get("oneOf")
    if choices:
        return _either(described(choice) for choice in choices if choice.get("type") != "null")
    if "const" in node:
        return shown(node["const"]).strip('"')
    if "enum" in node:
        return "one of " + ", ".join(shown(value).strip('"') for value in node["enum"])
    kind = node.get("type", "value")
    if isinstance(kind, list):
        return _either(_TYPES[one] for one in kind)
    if kind == "array":
        return _list(node)
    bounds = " and ".join(f"{sign} {node[key]:g}" for key, sign in _BOUNDS if key in node)
    return f"{_FORMATS.get(node.get('format', ''), _TYPES.get(kind, kind))} {bounds}".strip()


def unknown_keys(document: object) -> list[Problem]:
    """Keys no section knows, each with the nearest it does know: errors inside monitors, warnings elsewhere."""
    return list(_unknown(root(), document, ""))


def nearest(key: str, known: Iterable[str]) -> str:
    """The one of `known` that `key` was most likely meant to be."""
    by_case = {one.casefold(): one for one in sorted(known)}
    return by_case[difflib.get_close_matches(key.casefold(), by_case, n=1, cutoff=0.0)[0]]


def _unknown(node: Node, value: object, path: str) -> Iterator[Problem]:
    node = resolve(node, value)
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(child(node, index) or {}, item, join(path, index))
    elif isinstance(value, dict):
        known = node.get("properties", {})
        for key, item in value.items():
            if is_extension(key):
                continue
            inner = child(node, key)
            if inner is not None:
                yield from _unknown(inner, item, join(path, key))
            elif known and node.get("additionalProperties") is not True:
                severity = "error" if node.get("additionalProperties") is False else "warning"
                yield Problem(join(path, key), f'unknown key; the nearest known one is "{nearest(key, known)}"', severity)


def _definition(reference: str) -> Node:
    found: Node = root()["$defs"][reference.removeprefix("#/$defs/")]
    return found


def _written_as(node: Node, value: object) -> bool:
    kind = node.get("type")
    return (
        (isinstance(value, dict) and kind == "object")
        or (isinstance(value, list) and kind == "array")
        or (not isinstance(value, (dict, list)) and kind not in ("object", "array"))
    )


def _list(node: Node) -> str:
    size, most = node.get("minItems"), node.get("maxItems")
    items = node.get("prefixItems", [node.get("items", {})])
    inner = described(items[0]) if items else "value"
    return f"list of {size} x {inner}" if size is not None and size == most else f"list of {inner}"


def _either(words: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(words))
