"""What lint rules look at: the manifest and the place of each monitor in the document."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from surveillance.errors import Problem
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import Monitor
from surveillance.manifest.parse import parse_manifest
from surveillance.manifest.shape import nearest

_MONITOR = re.compile(r"surveillance\.monitors\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class LintView:
    """`monitors` = (path, monitor) of those that can be read; `monitor_ids` = ids of all, as written.

    `complete` is False where a monitor could not be read: rules about what nothing watches then say nothing.
    """

    manifest: Manifest
    document: dict[str, Any]
    monitors: tuple[tuple[str, Monitor], ...]
    monitor_ids: frozenset[str]
    complete: bool


Rule = Callable[[LintView], Iterator[Problem]]


def view_of(document: dict[str, Any], manifest: Manifest | None, problems: Iterable[Problem]) -> LintView | None:
    """The view of a document; where only monitors are faulty, of the rest of it; None where more is."""
    surveillance = document.get("surveillance")
    monitors = surveillance.get("monitors") if isinstance(surveillance, dict) else None
    written = monitors if isinstance(monitors, list) else []
    kept = list(range(len(written)))
    if manifest is None:
        faulty = _faulty_monitors(problems)
        if faulty is None:
            return None
        kept = [index for index in kept if index not in faulty]
        rest = document["surveillance"] | {"monitors": [written[index] for index in kept]}
        manifest = parse_manifest(document | {"surveillance": rest})
    placed = tuple(
        (f"surveillance.monitors[{index}]", one) for index, one in zip(kept, manifest.surveillance.monitors, strict=True)
    )
    ids = frozenset(one["id"] for one in written if isinstance(one, dict) and isinstance(one.get("id"), str))
    return LintView(manifest, document, placed, ids, len(kept) == len(written))


def dangling(path: str, what: str, name: str, known: Iterable[str]) -> Problem:
    """The error for a name that nothing bears."""
    bearers = tuple(known)
    meant = f'; the nearest is "{nearest(name, bearers)}"' if bearers else "; none is declared"
    return Problem(path, f'no {what} "{name}"{meant}')


def _faulty_monitors(problems: Iterable[Problem]) -> frozenset[int] | None:
    matches = [_MONITOR.match(problem.path) for problem in problems if problem.severity == "error"]
    if any(match is None for match in matches):
        return None
    return frozenset(int(match[1]) for match in matches if match is not None)
