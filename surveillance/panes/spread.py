"""By what an incident's attribution splits a drifted distribution: the fields of events, and where their counts are kept."""

from __future__ import annotations

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import Drift
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.readings import feature_statistic

FIELDS = {"@site": "site_id", "@vendor": "device_context.vendor", "@firmware": "device_context.firmware"}
"""Fields that explain drift although no axis is declared for them, with their telemetry fields. No manifest can declare the
names."""

_MIX_SOURCES = ("context.", "site_id")


def spread_fields(manifest: Manifest) -> tuple[str, ...]:
    """Axis ids by which drift is attributed: every declared axis, and the fields that no declared axis reads."""
    declared = {axis.source for axis in manifest.strata.axes}
    return (*(axis.id for axis in manifest.strata.axes), *(field for field, source in FIELDS.items() if source not in declared))


def is_mix_field(source: str) -> bool:
    """Whether another mix of this field's levels is another population, and no other equipment."""
    return source.startswith(_MIX_SOURCES)


def spread_statistic(manifest: Manifest, monitor: Monitor, feature: str | None) -> str | None:
    """Where the counts stand that attribute a monitor's incidents; None where its incidents are not attributed."""
    metric = monitor.metric
    if not isinstance(metric, Drift):
        return None
    return f"{statistics.SPREAD}:{feature_statistic(manifest, feature or metric.feature)}"


def spread_axes(axes: tuple[str, ...], field: str) -> tuple[str, ...]:
    """Axes of the groups that split the scopes of `axes` by one field more."""
    return tuple(sorted({*axes, field}))
