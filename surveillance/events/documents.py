"""The slow and forgiving reading of one JSON event: what Python's reader accepts, with its oddities kept and named."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from surveillance.events.declared import Tree

_LONGEST_INTEGER: Final = 4000
"""Digits; Python refuses to read longer ones, and no field may hold one."""


class Repeated(dict[str, Any]):
    """An object that names a key twice; the last value stands, as in every common reader."""

    key: str = ""


class Oddity(NamedTuple):
    """Something that JSON does not allow or that readers disagree on: its dotted path, and whether it is a number."""

    path: str
    not_finite: bool


def read_document(text: bytes) -> Any:
    """Decode, keeping NaN, infinities and numbers out of range as floats, and repeated keys as `Repeated`.

    Raises ValueError or RecursionError where it is no JSON in this wider sense either.
    """
    return json.loads(text.decode("utf-8"), object_pairs_hook=_object, parse_int=_integer)


def every_key(text: bytes) -> set[str] | None:
    """Every object key at any depth, also in values that a repeated key replaces; None where `text` cannot be read."""
    found = set[str]()
    try:
        json.loads(text.decode("utf-8"), object_pairs_hook=lambda pairs: found.update(key for key, _ in pairs), parse_int=float)
    except (ValueError, RecursionError):
        return None
    return found


def oddities(document: Any, path: str = "") -> Iterator[Oddity]:
    """Repeated keys and numbers that are not finite, in document order, parents first."""
    if isinstance(document, Repeated):
        yield Oddity(_join(path, document.key), not_finite=False)
    if isinstance(document, dict):
        for key, value in document.items():
            yield from oddities(value, _join(path, key))
    elif isinstance(document, list):
        for value in document:
            yield from oddities(value, path)
    elif isinstance(document, float) and not math.isfinite(document):
        yield Oddity(path, not_finite=True)


def keys(document: Any) -> Iterator[str]:
    """Every object key at any depth; no depth that was read is too deep for it."""
    for level in _levels(document):
        for value in level:
            if isinstance(value, dict):
                yield from value


def depth(document: Any) -> int:
    """Objects and arrays open at once at the deepest place; no depth that was read is too deep for it."""
    return sum(1 for _ in _levels(document))


def _levels(document: Any) -> Iterator[list[Any]]:
    """Objects and arrays by how many others they stand in."""
    level = [document]
    while level := [value for value in level if isinstance(value, dict | list)]:
        yield level
        level = [inner for value in level for inner in (value.values() if isinstance(value, dict) else value)]


def undeclared(document: Any, declared: Tree) -> int:
    """Number of fields that no struct declares; what stands inside such a field is not counted again."""
    if isinstance(document, list):
        return sum(undeclared(value, declared) for value in document)
    if not isinstance(document, dict):
        return 0
    unknown = len(document.keys() - declared.keys())
    nested = ((document[name], inner) for name, inner in declared.items() if inner is not None and name in document)
    return unknown + sum(undeclared(value, inner) for value, inner in nested)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) == len(pairs):
        return document
    repeated, seen = Repeated(document), set[str]()
    for key, _ in pairs:
        if key in seen:
            repeated.key = key
            break
        seen.add(key)
    return repeated


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else math.inf


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
