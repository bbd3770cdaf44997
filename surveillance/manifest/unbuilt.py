"""Metric types the contract names and this version cannot compute yet: refused by name, never skipped."""

from __future__ import annotations

from surveillance.errors import Problem
from surveillance.manifest.manifest import Manifest


def unbuilt_types(manifest: Manifest, built: frozenset[str]) -> list[Problem]:
    """One error for each monitor whose metric type is not among `built`."""
    return [
        Problem(
            f"surveillance.monitors[{index}].metric.type",
            f'monitor "{monitor.id}" uses metric type "{monitor.metric.type}", which this version does not compute yet',
        )
        for index, monitor in enumerate(manifest.surveillance.monitors)
        if monitor.metric.type not in built
    ]
