"""The digest of a manifest: SHA-256 over its RFC 8785 (JSON Canonicalization Scheme) form."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from typing import Any

import rfc8785

from surveillance.errors import InvalidManifest, Problem

MAX_DEPTH = 64
"""Levels of nesting a document may have; the example needs nine."""

_LARGEST_EXACT = 2**53 - 1
_EXPONENT_FROM = 10**21
"""From here on RFC 8785 writes numbers with an exponent."""


def canonical_bytes(document: Any) -> bytes:
    """RFC 8785 form of a JSON value, UTF-8.

    Raises:
        InvalidManifest: a value has no JSON form (not finite, beyond 2**53, no text, no JSON type), each with its path.
    """
    problems = list(json_problems(document))
    if problems:
        raise InvalidManifest("document", problems)
    return rfc8785.dumps(_with_doubles(document))


def manifest_digest(document: Any) -> str:
    """`sha256:` and 64 hexadecimal digits. Key order, YAML or JSON, and 1 or 1.0 make no difference.

    Raises:
        InvalidManifest: as `canonical_bytes`.
    """
    return "sha256:" + hashlib.sha256(canonical_bytes(document)).hexdigest()


def json_problems(value: Any, path: str = "", depth: int = 0) -> Iterator[Problem]:
    """What in `value` cannot be written as RFC 8785 JSON, each with its path."""
    if depth > MAX_DEPTH:
        yield Problem(path, f"nested more than {MAX_DEPTH} levels deep")
    elif isinstance(value, dict):
        for key, child in value.items():
            if isinstance(key, str):
                yield from _text_problems(key, path)
                yield from json_problems(child, join(path, key), depth + 1)
            else:
                yield Problem(path, f"expected text as key, got {key!r}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from json_problems(child, join(path, index), depth + 1)
    else:
        yield from _scalar_problems(value, path)


def join(path: str, step: str | int) -> str:
    """`path` one step further: `a.b`, `a[2]`."""
    if isinstance(step, int):
        return f"{path}[{step}]"
    return f"{path}.{step}" if path else step


def _with_doubles(value: Any) -> Any:
    """Whole numbers beyond 2**53 as the doubles they are: JSON has no other number, and the encoder takes no such int."""
    if isinstance(value, dict):
        return {key: _with_doubles(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_with_doubles(child) for child in value]
    is_long = isinstance(value, int) and abs(value) > _LARGEST_EXACT
    return float(value) if is_long else value


def _is_double(value: int) -> bool:
    """Whether `value` is a double, or the digits RFC 8785 writes for one: then it is read back without loss."""
    return abs(value) < _EXPONENT_FROM and (int(float(value)) == value or rfc8785.dumps(float(value)) == str(value).encode())


def _scalar_problems(value: object, path: str) -> Iterator[Problem]:
    if isinstance(value, str):
        yield from _text_problems(value, path)
    elif value is None or isinstance(value, bool):
        return
    elif isinstance(value, int):
        if abs(value) > _LARGEST_EXACT and not _is_double(value):
            yield Problem(path, "expected a whole number within 2**53, which JSON keeps exactly; write a longer one as text")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Problem(path, f"expected a finite number, got {value}")
    else:
        yield Problem(path, f"expected a JSON value, got {type(value).__name__}")


def _text_problems(text: str, path: str) -> Iterator[Problem]:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        yield Problem(path, "text holds half of a surrogate pair, which is no character")
