"""Reads a manifest from YAML 1.2 (core schema) or JSON into plain values. ruamel.yaml parses; scalars get their meaning here.

Dates, times, `yes` and `no` stay text. Duplicate keys, anchors, aliases, tags and directives are errors with line and column.
Keys are text: a key written `1` is the text "1", as JSON would have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from surveillance.errors import InvalidManifest, Problem
from surveillance.manifest.digest import MAX_DEPTH, join, json_problems
from surveillance.manifest.json_text import RefusedJson, read_json

MAX_JSON_SIZE = 8 * 1024 * 1024
MAX_YAML_SIZE = 1024 * 1024
"""Sizes a document may have. YAML takes a thousand times longer to read than JSON; the example has 28,000 bytes."""

_NULL = re.compile(r"(?:null|Null|NULL|~|)")
_TRUE = re.compile(r"(?:true|True|TRUE)")
_FALSE = re.compile(r"(?:false|False|FALSE)")
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))")
_MAX_DIGITS = 400
"""Digits of a number: more than any double needs, and few enough to read in no time."""


def load_document(text: bytes | str, source: str) -> dict[str, Any]:
    """The map that a manifest file holds, as JSON values. JSON is tried first where the text begins with `{`.

    Raises:
        InvalidManifest: not UTF-8, too large, too deep, not readable, or not a map.
    """
    written = _decoded(text, source)
    try:
        document = _read(written, is_json=source.endswith(".json"))
    except _Unreadable as error:
        raise InvalidManifest(source, error.problems) from None
    if not isinstance(document, dict):
        raise InvalidManifest(source, [Problem("", "expected a map of sections, as a release manifest is")])
    problems = list(json_problems(document))
    if problems:
        raise InvalidManifest(source, problems)
    return document


class _Unreadable(Exception):
    """Carries what is wrong out of the reader."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems


def _decoded(text: bytes | str, source: str) -> str:
    if len(text) > MAX_JSON_SIZE:
        raise InvalidManifest(source, [Problem("", f"larger than {MAX_JSON_SIZE} bytes")])
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidManifest(source, [Problem("", f"not UTF-8: byte {error.start}")]) from None


def _read(text: str, *, is_json: bool) -> Any:
    if is_json or text.lstrip().startswith("{"):
        try:
            return read_json(text)
        except RefusedJson as error:
            raise _Unreadable(*error.problems) from None
        except ValueError as error:
            not_json = Problem("", f"not JSON: {error}")
            if is_json:
                raise _Unreadable(not_json) from None
        try:
            return _read_yaml(text)  # which may begin with a brace, too
        except _Unreadable as unreadable:
            raise _Unreadable(not_json, *unreadable.problems) from None
    return _read_yaml(text)


def _read_yaml(text: str) -> Any:
    if len(text) > MAX_YAML_SIZE:
        raise _Unreadable(Problem("", f"YAML larger than {MAX_YAML_SIZE} characters: write it as JSON, which may be larger"))
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    try:
        return _Composer(reader.parse(text)).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise _Unreadable(Problem(where, f"not YAML: {error.problem or error.context}")) from None
    except YAMLError as error:
        raise _Unreadable(Problem("", f"not YAML: {str(error).splitlines()[0]}")) from None


class _Composer:
    """Builds values from parser events; every fault that does not stop reading is kept, and all are raised at the end."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._problems: list[Problem] = []

    def document(self) -> Any:
        documents = 0
        value: Any = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._refuse_directives(event)
                if documents > 1:
                    self._refuse(event, "", "expected one document, found another")
                    break
                value = self._value(next(self._events), "", 0)
        if self._problems:
            raise _Unreadable(*self._problems)
        return value

    def _value(self, event: Event, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            self._refuse(event, path, f"nested more than {MAX_DEPTH} levels deep")
            raise _Unreadable(*self._problems)
        if isinstance(event, AliasEvent):
            self._refuse(event, path, f"aliases are not read (*{event.anchor}): write the value out")
            return None
        self._refuse_marks(event, path)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path, depth)
        return self._scalar(event, path) if isinstance(event, ScalarEvent) else None

    def _mapping(self, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event, path, depth)
            value = self._value(next(self._events), join(path, key), depth + 1)
            if key in found:
                self._refuse(event, join(path, key), f'key "{key}" stands twice')
            found[key] = value
        return found

    def _sequence(self, path: str, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            found.append(self._value(event, join(path, len(found)), depth + 1))
        return found

    def _key(self, event: Event, path: str, depth: int) -> str:
        if isinstance(event, ScalarEvent):
            self._refuse_marks(event, path)
            if event.style is not None or not _NULL.fullmatch(event.value):
                return str(event.value)
        else:
            self._value(event, path, depth + 1)
        self._refuse(event, path, "expected text as key")
        return ""

    def _scalar(self, event: ScalarEvent, path: str) -> Any:
        text = str(event.value)
        # Quoted and block scalars have a style and are always text.
        if event.style is not None:
            return text
        try:
            return core_scalar(text)
        except ValueError as error:
            self._refuse(event, path, str(error))
            return None

    def _refuse_marks(self, event: Event, path: str) -> None:
        if isinstance(event, NodeEvent) and event.anchor is not None:
            self._refuse(event, path, f"anchors are not read (&{event.anchor})")
        if isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)) and event.tag is not None:
            self._refuse(event, path, f"tags are not read ({event.tag}): quote what must be text")

    def _refuse_directives(self, event: DocumentStartEvent) -> None:
        if event.version not in (None, (1, 2)) or event.tags:
            self._refuse(event, "", "directives other than %YAML 1.2 are not read")

    def _refuse(self, event: Event, path: str, message: str) -> None:
        mark = event.start_mark
        self._problems.append(Problem(path, f"{message} (line {mark.line + 1}, column {mark.column + 1})"))


def core_scalar(text: str) -> str | int | float | bool | None:
    """What a plain scalar means by the core schema of YAML 1.2.2, section 10.3.2.

    >>> [core_scalar(text) for text in ("no", "2026-05-04", "12:30", "0o17", "1e3", "~")]
    ['no', '2026-05-04', '12:30', 15, 1000.0, None]

    Raises:
        ValueError: a number that JSON cannot write.
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    return _number(text)


def _number(text: str) -> str | int | float:
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"expected a finite number, got {text}")
    for pattern, radix in ((_INT, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(text):
            if len(text) > _MAX_DIGITS:
                raise ValueError(f"number of more than {_MAX_DIGITS} digits")
            return int(text if radix == 10 else text[2:], radix)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
