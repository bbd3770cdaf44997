"""Looks at JSON text without decoding it: how deep it nests, where the elements of an array lie.

Linear in the bytes whatever they are, so a hostile text costs no more than a good one.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import numpy as np

_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STRUCTURE: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(_OPENING + _CLOSING))
_BLANK: Final = b" \t\r\n"
_QUOTE: Final = ord('"')


_ELEMENTS_AT_ONCE: Final = 500_000
"""Commas up to which an array is cut by msgspec, which keeps an object for each element."""
_SHORT: Final = 8192
"""Bytes up to which counting one by one is faster than calling numpy."""
_RAW: Final = msgspec.json.Decoder[list[msgspec.Raw]](list[msgspec.Raw])


def quotes(text: bytes) -> int:
    """Number of quotation marks."""
    if len(text) < _SHORT:
        return text.count(b'"')
    return int(np.count_nonzero(np.frombuffer(text, dtype=np.uint8) == _QUOTE))


def nesting(text: bytes) -> int:
    """Greatest number of objects and arrays open at once."""
    brackets = np.frombuffer(_STRING.sub(b"", text).translate(None, _NOT_BRACKETS), dtype=np.uint8)
    if not len(brackets):
        return 0
    steps = np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1)
    return max(0, int(np.cumsum(steps).max()))


def deeper_than(text: bytes, depth: int) -> bool:
    """Whether `text` nests deeper than `depth`; costs two counts when it has few brackets at all."""
    return text.count(b"{") + text.count(b"[") > depth and nesting(text) > depth


def split_array(text: bytes, limit: int) -> list[bytes] | None:
    """Elements of a JSON array, also those that are no JSON as long as their brackets close; None if `text` is no array.

    No more than `limit` + 1 elements are cut out, so a longer answer than `limit` says that there are more.
    """
    body = text.strip(_BLANK)
    if not (body.startswith(b"[") and body.endswith(b"]")):
        return None
    found: list[bytes] = []
    depth, start = 0, 1
    for match in _STRUCTURE.finditer(body):
        mark = match.group()
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0 and match.end() != len(body):
                return None
        elif mark == b"," and depth == 1:
            found.append(body[start : match.start()].strip(_BLANK))
            start = match.end()
            if len(found) > limit:
                return found
    last = body[start:-1].strip(_BLANK)
    return None if depth else [*found, last] if found or last else []


def elements_of(text: bytes, limit: int) -> list[bytes] | None:
    """The elements of an array as they stand in it, a few more than `limit` at most; None where it is no array."""
    if text.count(b",") <= _ELEMENTS_AT_ONCE:
        try:
            return [bytes(raw).strip(_BLANK) for raw in _RAW.decode(text)]
        except (ValueError, RecursionError):
            pass
    return split_array(text, limit)
