"""Manifests that tests of the manifest start from, and edits of them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from surveillance.manifest.yaml12 import load_document

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[2].parent / "shared" / "contract" / "manifest.example.yaml"
REMOVED = object()

Document = dict[str, Any]
Edit = Callable[..., Document]


@pytest.fixture(scope="session")
def written_small() -> Document:
    return load_document((HERE / "small.yaml").read_bytes(), "small.yaml")


@pytest.fixture
def small(written_small: Document) -> Document:
    return copy.deepcopy(written_small)


@pytest.fixture(scope="session")
def written_example() -> Document:
    if not EXAMPLE.exists():
        pytest.skip(f"the contract's example is not here: {EXAMPLE}")
    return load_document(EXAMPLE.read_bytes(), EXAMPLE.name)


@pytest.fixture
def example(written_example: Document) -> Document:
    return copy.deepcopy(written_example)


@pytest.fixture(scope="session")
def apply_edits() -> Edit:
    """`apply_edits(document, "strata.axes[0].id", "x", "a.b", 2)`: the document with values set at paths.

    REMOVED takes a key away; an index one beyond the end appends.
    """

    def apply(document: Document, *changes: Any) -> Document:
        for path, value in zip(changes[::2], changes[1::2], strict=True):
            _set(document, path, value)
        return document

    return apply


@pytest.fixture
def edited(small: Document, apply_edits: Edit) -> Edit:
    """Edits of the small manifest, which add up within a test."""
    return lambda *changes: apply_edits(small, *changes)


def _set(document: Document, path: str, value: Any) -> None:
    steps = [int(index) if index else key for key, index in re.findall(r"([^.\[\]]+)|\[([0-9]+)\]", path)]
    place: Any = document
    for step in steps[:-1]:
        place = place.setdefault(step, {}) if isinstance(step, str) else place[step]
    if value is REMOVED:
        del place[steps[-1]]
    elif isinstance(place, list) and steps[-1] == len(place):
        place.append(value)
    else:
        place[steps[-1]] = value


@pytest.fixture
def removed() -> object:
    return REMOVED
