"""Canonical text of a group: `axis=level` pairs joined by `&` in order of axis id; the overall group is the empty text.

Levels come from devices, so the separators inside them are escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_ESCAPES = {"%": "%25", "&": "%26", "=": "%3D", "|": "%7C", ";": "%3B"}
_TABLE = str.maketrans(_ESCAPES)


def escape(level: str) -> str:
    """The level with the separators of group texts escaped."""
    return level.translate(_TABLE)


def unescape(text: str) -> str:
    """Inverse of `escape`."""
    for plain, escaped in reversed(_ESCAPES.items()):
        text = text.replace(escaped, plain)
    return text


def group_text(axes: Sequence[str], levels: Sequence[str]) -> str:
    """Text of the group with these axes and levels.

    >>> group_text(["site", "age_band"], ["s&1", "75+"])
    'age_band=75+&site=s%261'
    """
    return "&".join(f"{axis}={escape(level)}" for axis, level in sorted(zip(axes, levels, strict=True)))


def scope_of(text: str) -> Mapping[str, str]:
    """Axis levels of a group text.

    >>> scope_of("age_band=75+&site=s%261")
    {'age_band': '75+', 'site': 's&1'}
    """
    if not text:
        return {}
    pairs = (part.split("=", 1) for part in text.split("&"))
    return {axis: unescape(level) for axis, level in pairs}


def axes_of(text: str) -> tuple[str, ...]:
    """Axis ids of a group text, sorted."""
    return tuple(part.split("=", 1)[0] for part in text.split("&")) if text else ()
