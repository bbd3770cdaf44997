"""What the contract names and this version cannot compute yet: refused by name, never skipped."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.errors import Problem
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import Monitor


def unbuilt_parts(manifest: Manifest, built: frozenset[str]) -> list[Problem]:
    """One error for each monitor whose metric type is not among `built`."""
    return [
        problem
        for index, monitor in enumerate(manifest.surveillance.monitors)
        for problem in _parts(monitor, f"surveillance.monitors[{index}]", built)
    ]


def _parts(monitor: Monitor, path: str, built: frozenset[str]) -> Iterator[Problem]:
    metric = monitor.metric
    if metric.type not in built:
        yield _not_yet(f"{path}.metric.type", monitor, f'metric type "{metric.type}"')


def _not_yet(path: str, monitor: Monitor, what: str) -> Problem:
    return Problem(path, f'monitor "{monitor.id}" uses {what}, which this version does not compute yet')
