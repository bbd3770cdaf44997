"""JSON with what the standard reader lets through refused: keys that stand twice, NaN and Infinity."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from surveillance.errors import Problem
from surveillance.manifest.digest import MAX_DEPTH, join

_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"


class RefusedJson(Exception):
    """JSON that other readers would let through: keys that stand twice (each with its path), NaN, bottomless nesting."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(*problems)
        self.problems = tuple(problems)


class _Object(list[tuple[str, Any]]):
    """An object as it was written, before repeated keys fall together."""


def read_json(text: str) -> Any:
    """The value that `text` writes.

    Raises:
        RefusedJson: a key stands twice, a number is NaN or Infinity, or it is nested too deep.
        ValueError: not JSON (RFC 8259).
    """
    problems: list[Problem] = []
    try:
        written = json.loads(text, object_pairs_hook=_Object, parse_constant=_refuse_constant)
    except RecursionError:
        raise RefusedJson([Problem("", _TOO_DEEP)]) from None
    value = _plain(written, "", 0, problems)
    if problems:
        raise RefusedJson(problems)
    return value


def _refuse_constant(name: str) -> Any:
    raise RefusedJson([Problem("", f"expected a finite number, got {name}")])


def _plain(value: Any, path: str, depth: int, problems: list[Problem]) -> Any:
    if depth > MAX_DEPTH:
        raise RefusedJson([Problem(path, _TOO_DEEP)])
    if isinstance(value, _Object):
        found: dict[str, Any] = {}
        for key, child in value:
            if key in found:
                problems.append(Problem(join(path, key), f'key "{key}" stands twice'))
            found[key] = _plain(child, join(path, key), depth + 1, problems)
        return found
    if isinstance(value, list):
        return [_plain(child, join(path, index), depth + 1, problems) for index, child in enumerate(value)]
    return value
