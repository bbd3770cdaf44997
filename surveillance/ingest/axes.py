"""Axis levels of events: what the manifest's axes make of the fields that a device sent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surveillance.arrays import Codes, Int
from surveillance.events.batch import Columns, FeatureState
from surveillance.ingest.cells import CellTable, Group
from surveillance.ingest.distinct import distinct
from surveillance.manifest.model_strata import Axis
from surveillance.panes.groups import group_text
from surveillance.panes.plan import Plan, axis_source

UNKNOWN, OTHER = "unknown", "other"
_FEATURES = "features."


def cell_codes(
    columns: Columns, pick: Int, tenants: tuple[Codes, Sequence[str]], plan: Plan, axes: Sequence[str], cells: CellTable
) -> Codes:
    """Cell of each picked row of `columns`: tenant, manifest and the levels of these axes. `tenants` is coded per picked row."""
    coded = [axis_levels(columns, pick, plan, axis) for axis in axes]
    combined = tenants[0].astype(np.int64)
    for codes, levels in coded:
        combined = combined * len(levels) + codes
    first, inverse = distinct(combined)
    groups = []
    for at in first.tolist():
        text = group_text(axes, [levels[codes[at]] for codes, levels in coded])
        groups.append(Group(tenants[1][tenants[0][at]], plan.digest, text))
    return cells.codes(groups)[inverse]


def axis_levels(columns: Columns, pick: Int, plan: Plan, axis_id: str) -> tuple[Int, Sequence[str]]:
    """Level of each picked row on an axis, as codes of the levels returned."""
    declared = next((axis for axis in plan.manifest.strata.axes if axis.id == axis_id), None)
    source = axis_source(plan.manifest, axis_id)
    if declared is not None and declared.bins is not None:
        return _binned(_numbers(columns, source)[pick], declared)
    text = columns.feature(source.removeprefix(_FEATURES)).text if source.startswith(_FEATURES) else columns.text(source)
    levels = [*text.values, UNKNOWN, OTHER]
    codes = np.where(text.codes[pick] < 0, len(text.values), text.codes[pick]).astype(np.int64)
    if declared is not None and declared.values is not None:
        known = np.array([value in declared.values for value in text.values] + [True, True], np.bool_)
        codes = np.where(known[codes], codes, len(levels) - 1)
    return codes, levels


def _numbers(columns: Columns, source: str) -> np.ndarray:
    if not source.startswith(_FEATURES):
        return columns.number(source)
    feature = columns.feature(source.removeprefix(_FEATURES))
    return np.where(feature.state == FeatureState.NUMBER, feature.number, np.nan)


def _binned(values: np.ndarray, axis: Axis) -> tuple[Int, Sequence[str]]:
    edges, names = np.array(axis.bins), axis.levels or ()
    codes = np.searchsorted(edges, values, side="right") - 1
    codes[values == edges[-1]] = len(names) - 1  # the last bin is closed on the right
    codes = np.where((codes < 0) | (codes >= len(names)), len(names) + 1, codes)
    return np.where(np.isnan(values), len(names), codes).astype(np.int64), [*names, UNKNOWN, OTHER]
