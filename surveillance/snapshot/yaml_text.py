"""A document as YAML that people can read on: maps in blocks, lists and small maps in one line, scalars as in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = {"null", "true", "false"}
_LINE = 100


def yaml_text(document: dict[str, Any]) -> str:
    """The document; YAML 1.2 reads the same values back.

    >>> print(yaml_text({"prevalence": {"value": 0.1, "ci95": [0.09, 0.11]}}), end="")
    prevalence: {"value": 0.1, "ci95": [0.09, 0.11]}
    """
    return "".join(f"{line}\n" for line in _block(document, ""))


def _block(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, child in value.items():
        head = f"{indent}{_key(key)}:"
        flow = json.dumps(child, ensure_ascii=False)
        if len(head) + len(flow) <= _LINE or not child or not isinstance(child, dict | list):
            yield f"{head} {flow}"
        elif isinstance(child, dict):
            yield head
            yield from _block(child, indent + "  ")
        elif all(isinstance(one, dict) for one in child):
            yield head
            for one in child:
                first, *rest = _block(one, indent + "    ")
                yield f"{indent}  - {first.lstrip()}"
                yield from rest
        else:
            yield f"{head} {flow}"


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and key.lower() not in _WORDS else json.dumps(key, ensure_ascii=False)
