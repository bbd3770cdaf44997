"""Names that must not be sent: an event that holds one anywhere is refused, and only its hash is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from surveillance.events import declared
from surveillance.events.documents import every_key

_PRINTED: Final = bytes({*range(0x20, 0x100), *b"\t\n\r\0"} - {0x7F})
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")


class Forbidden:
    """A set of names, and the cheap questions that can be asked of bytes, keys and column names."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self._plain = tuple(name.encode() for name in sorted(names))
        self._named = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(names)))
        self._declared = tuple(map(_quoted, sorted(names & declared.names())))

    def __bool__(self) -> bool:
        return bool(self.names)

    def among(self, found: Iterable[str]) -> bool:
        """Whether one of these keys is forbidden, or a part of a dotted one, as a column or a corrected field is named."""
        return any(name in self.names or ("." in name and not self.names.isdisjoint(name.split("."))) for name in found)

    def may_name_declared(self, text: bytes) -> bool:
        """False only if no forbidden name that is also a declared field stands in `text` as a key."""
        return bool(self._declared) and (b"\\" in text or any(name in text for name in self._declared))

    def in_text(self, text: bytes) -> bool:
        """Whether `text` has a forbidden key. In what is no object or array, a name that stands as a word is taken for one."""
        if not self.names or (b"\\" not in text and b"\0" not in text and not any(name in text for name in self._plain)):
            return False
        found = every_key(text) if text.lstrip().startswith((b"{", b"[")) else None
        return self._named.search(_unescaped(text)) is not None if found is None else self.among(found)


def searchable(text: bytes) -> bool:
    """Whether a person could read `text`, in whatever spelling: what is compressed or packed has other control characters."""
    return not text.translate(None, _PRINTED)


def _unescaped(text: bytes) -> str:
    """What a person would read in a text that is no JSON, also where a character has two or four bytes."""
    plain = text.replace(b"\0", b"").decode("utf-8", "replace")
    return _ESCAPED.sub(_character, plain).replace("\\/", "/")


def _quoted(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode()


def _character(match: re.Match[str]) -> str:
    return chr(int(match.group(1), 16))
