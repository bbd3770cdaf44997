"""By what an incident's attribution splits a drifted distribution: the fields of events, and where their counts are kept."""

from __future__ import annotations

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import Drift
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.readings import feature_statistic

_VENDOR = "device_context.vendor"
FIELDS = {"@site": "site_id", "@vendor": _VENDOR, "@firmware": "device_context.firmware"}
"""Fields that explain drift although no axis is declared for them, with their telemetry fields. No manifest can declare the
names."""

VERSION = "@version"
"""The release, of which a manifest has one: rows of the other manifests of the device are read beside its own."""

_POPULATION = ("context.", "site_id")


def spread_fields(manifest: Manifest) -> tuple[str, ...]:
    """Axis ids by which drift is attributed: every declared axis, and the fields that no declared axis reads."""
    declared = {axis.source for axis in manifest.strata.axes}
    return (*(axis.id for axis in manifest.strata.axes), *(field for field, source in FIELDS.items() if source not in declared))


def is_mix_field(source: str, *, brings_levels: bool) -> bool:
    """Whether another mix of this field's levels is another mix of what there was, and no other equipment.

    Vendors that are used more or less than before are, one that was not there (`brings_levels`) is not. New firmware never is.
    """
    return source.startswith(_POPULATION) or (source == _VENDOR and not brings_levels)


def spread_statistic(manifest: Manifest, monitor: Monitor, feature: str | None) -> str | None:
    """Where the counts stand that attribute a monitor's incidents; None where its incidents are not attributed."""
    metric = monitor.metric
    if not isinstance(metric, Drift):
        return None
    return f"{statistics.SPREAD}:{feature_statistic(manifest, feature or metric.feature)}"


def spread_axes(axes: tuple[str, ...], field: str) -> tuple[str, ...]:
    """Axes of the groups that split the scopes of `axes` by one field more."""
    return tuple(sorted({*axes, field}))
