"""Axis levels of the cases of a snapshot, and which of them are large enough to be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surveillance.ingest.axes import OTHER, UNKNOWN
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_strata import Axis
from surveillance.snapshot.cases import Case, field_of

MOST_LEVELS = 50
"""An axis with more levels gets no references of its own for them."""


def levels_by_axis(manifest: Manifest | None, cases: Sequence[Case]) -> Mapping[str, list[str]]:
    """Level of each case on each declared axis."""
    axes = manifest.strata.axes if manifest is not None else ()
    return {axis.id: [_level(axis, case) for case in cases] for axis in axes}


def told_levels(levels: Sequence[str], smallest: int) -> list[str]:
    """Levels with at least so many cases, in order; where a single small one could be got by subtraction, not the next either."""
    counts = Counter(level for level in levels if level not in (UNKNOWN, OTHER))
    by_size = sorted(counts, key=lambda level: (counts[level], level))
    kept = [level for level in by_size if counts[level] >= smallest]
    if len(by_size) - len(kept) == 1 and kept:
        kept = kept[1:]
    return sorted(kept) if len(kept) <= MOST_LEVELS else []


def _level(axis: Axis, case: Case) -> str:
    value = case.features.get(axis.source.removeprefix("features.")) if axis.source.startswith("features.") else None
    value = field_of(case.row, axis.source) if value is None else value
    if axis.bins is not None:
        return _binned(axis, value)
    if not isinstance(value, str):
        return UNKNOWN
    return value if axis.values is None or value in axis.values else OTHER


def _binned(axis: Axis, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or axis.bins is None:
        return UNKNOWN
    names, last = axis.levels or (), axis.bins[-1]
    at = len(names) - 1 if value == last else int(np.searchsorted(np.array(axis.bins), value, side="right")) - 1
    return names[at] if 0 <= at < len(names) else OTHER
