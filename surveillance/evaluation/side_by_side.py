"""Versions in use at the same time: where the other releases of a device count the same thing in the same bins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from surveillance.evaluation.judging import Subject
from surveillance.evaluation.mirror import Table, TableKey
from surveillance.manifest.manifest import Manifest
from surveillance.panes.binning import feature_distribution
from surveillance.panes.lengths import counted_in
from surveillance.panes.plan import Plan
from surveillance.panes.spread import spread_axes, spread_fields


class VersionTable(NamedTuple):
    """A release with a table of the counts of one statistic, split by `field`. A release may have one for each revision."""

    release_id: str
    table: Table
    field: str


def version_tables(subject: Subject, spread: str, axes: Iterable[str]) -> Iterator[VersionTable]:
    """Tables of the subject's own release and of those of the same device, where the scope of these axes is the same there."""
    within = tuple(axes)
    for registration in subject.registry.all():
        plan = registration.plan
        field = _split_by(plan, spread, within)
        if field is not None and _is_comparable(subject.plan, plan, spread, within):
            key = TableKey(subject.tenant, plan.digest, spread, spread_axes(within, field))
            yield VersionTable(registration.release_id, subject.mirror.table(key), field)


def _split_by(plan: Plan, spread: str, axes: tuple[str, ...]) -> str | None:
    """A field by which the plan splits the scopes of the axes; all fields add up to the same counts."""
    kept = next((one.axis_sets for one in plan.statistics if one.id == spread), ())
    fields = (field for field in spread_fields(plan.manifest) if field not in axes)
    return next((field for field in fields if spread_axes(axes, field) in kept), None)


def _is_comparable(own: Plan, other: Plan, spread: str, axes: tuple[str, ...]) -> bool:
    same_bins = _bins(own.manifest, spread) == _bins(other.manifest, spread)
    same_panes = own.statistic(spread).pane_ms == other.statistic(spread).pane_ms
    same_scope = all(own.manifest.axis(axis) == other.manifest.axis(axis) for axis in axes)
    return same_bins and same_panes and same_scope and _device(own.manifest) == _device(other.manifest)


def _bins(manifest: Manifest, spread: str) -> object:
    distribution = feature_distribution(manifest, counted_in(spread.partition(":")[2]))
    return None if distribution is None else (distribution.edges, distribution.levels)


def _device(manifest: Manifest) -> tuple[str | None, str | None]:
    return manifest.device.basic_udi_di, manifest.device.name
