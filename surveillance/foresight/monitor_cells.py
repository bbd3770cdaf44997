"""The series of a monitor at each scope of the field, with the quiet world of each."""

from __future__ import annotations

from surveillance.evaluation.estimators.table import ESTIMATORS
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.field_scopes import scopes_of
from surveillance.foresight.quiet_field import quiet_world
from surveillance.foresight.quiet_time import Cell
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.plan import Series
from surveillance.panes.readings import readings

NOT_OF_SUMS = frozenset({"quantile"})
"""Types that a judge of their own looks at twice."""
MOST_PEERS = 40
MOST_BY_THEMSELVES = 100
"""Scopes of a monitor that are simulated one by one."""


def series_of(manifest: Manifest, monitor: Monitor) -> list[Series]:
    """Its series, as the plan has them."""
    axis_sets = [tuple(sorted(axes)) for axes in monitor.axes] or [()]
    return [
        Series(monitor, axes, reading.feature, reading.statistic) for reading in readings(manifest, monitor) for axes in axis_sets
    ]


def cells_of(manifest: Manifest, field: FieldAssumptions, monitor: Monitor) -> list[Cell]:
    """Its cells where it judges sums of windows that can be drawn; like scopes stand once, with how many they are."""
    estimator = ESTIMATORS.get(monitor.metric.type)
    if estimator is None or monitor.metric.type in NOT_OF_SUMS:
        return []
    found = []
    for series in series_of(manifest, monitor):
        for scope in scopes_of(manifest, field, series.axes):
            world = quiet_world(manifest, field, series, scope.scope)
            if world is not None:
                levels = scope.scope if series.feature is None else tuple(sorted((*scope.scope, ("feature", series.feature))))
                found.append(Cell(series, scope._replace(scope=levels), world))
    return found


def one_by_one(cells: list[Cell]) -> list[Cell]:
    """Every scope by itself, of very many a sample: where p-values are adjusted over scopes, none can stand for another."""
    total = sum(cell.scope.alike for cell in cells)
    share = min(1.0, MOST_BY_THEMSELVES / max(total, 1))
    found = []
    for cell in cells:
        copies = max(1, round(cell.scope.alike * share))
        found += [cell._replace(scope=cell.scope._replace(alike=cell.scope.alike / copies))] * copies
    return found


def peers_of(cell: Cell, cells: list[Cell]) -> list[Cell]:
    """The other groups of the same axes and feature, one by one."""
    of_series = [one for one in cells if one.series is cell.series]
    others = [one._replace(scope=one.scope._replace(alike=one.scope.alike - (one is cell))) for one in of_series]
    return one_by_one([one for one in others if one.scope.alike >= 1])[:MOST_PEERS]
