"""What a manifest assumes of its field: how much is used, where, on whom, how well, and what becomes known of it.

Each number comes from one place of the manifest, or is a default that is named as one, so that an author sees what a forecast
rests on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_baselines import Measured

HOURS_A_WEEK = 168
DEFAULT_A_DAY = 1000.0
"""Inferences a day where a manifest states no volume: enough for a forecast to be read, and named as a default in it."""

MOST_DISPERSION = 1e6
MOST_AN_HOUR = 1e8
"""Inferences an hour beyond which nothing changes: every interval is as narrow as it gets."""


UNITS = {
    "inferences_a_day": "a day",
    "events_a_day": "a day",
    "prevalence": "of cases",
    "sensitivity": "of positives",
    "specificity": "of negatives",
    "label_coverage_flagged": "of flagged cases",
    "label_coverage_unflagged": "of other cases",
    "volume_dispersion": "variance / mean",
    "sites": "sites",
    "alert_rate": "of inferences",
    "label_delay_h": "hours, median",
    "duplicate_rate": "of events",
    "ood_share": "of scores",
    "input_quality_mean": "mean",
    "input_quality_sd": "of single cases",
    "missing_share": "of values",
    "absent_share": "of values",
    "out_of_range_share": "of values",
    "saturation_low": "of scores",
    "saturation_high": "of scores",
    "rate_of_limit": "of the mildest limit",
}


@dataclass(frozen=True, slots=True)
class Assumption:
    """One number, and the path of the manifest it comes from, or why it was taken."""

    name: str
    value: float
    source: str

    @property
    def unit(self) -> str:
        """What the number is a number of."""
        return UNITS[self.name]


@dataclass(frozen=True, slots=True)
class FieldAssumptions:
    """The field as the manifest describes it.

    `hours` = inferences expected in each hour of the week, Monday 00:00 UTC first, over all sites; `volume_dispersion` =
    variance / mean of an hour's count; `coverage_*` = share of such cases that get a label; `label_delay_h` = median hours
    until it comes; `sites` = share of the volume by site.
    """

    hours: tuple[float, ...]
    volume_dispersion: float
    sites: Mapping[str, float]
    prevalence: float
    sensitivity: float
    specificity: float
    alert_rate: float
    coverage_flagged: float
    coverage_unflagged: float
    label_delay_h: float
    told: tuple[Assumption, ...]

    @property
    def per_day(self) -> float:
        """Inferences a day, averaged over the week."""
        return sum(self.hours) / 7


def assumptions_of(manifest: Manifest) -> FieldAssumptions:
    """What the manifest says, and defaults where it is silent."""
    told: list[Assumption] = []
    hours = _hours(manifest, told)
    prevalence = _measured(told, "prevalence", "baselines.prevalence", manifest.baselines.prevalence, 0.1)
    sensitivity = _measured(told, "sensitivity", *_metric(manifest, "sensitivity"), 0.9)
    specificity = _measured(told, "specificity", *_metric(manifest, "specificity"), 0.9)
    flagged, unflagged = _coverage(manifest, told)
    return FieldAssumptions(
        hours=hours,
        volume_dispersion=_volume_dispersion(manifest, told),
        sites=_sites(manifest, told),
        prevalence=prevalence,
        sensitivity=sensitivity,
        specificity=specificity,
        alert_rate=_alert_rate(manifest, told, prevalence * sensitivity + (1 - prevalence) * (1 - specificity)),
        coverage_flagged=flagged,
        coverage_unflagged=unflagged,
        label_delay_h=_label_delay(manifest, told),
        told=tuple(told),
    )


def _hours(manifest: Manifest, told: list[Assumption]) -> tuple[float, ...]:
    volume, path = manifest.baselines.operational.expected_volume, "baselines.operational.expected_volume.hour_of_week"
    rows = list(volume.hour_of_week.values()) if volume is not None else []
    if volume is not None and volume.per == "overall":
        rows = rows[:1]
    if not rows:
        told.append(Assumption("inferences_a_day", DEFAULT_A_DAY, f"default: {path} is absent"))
        return (DEFAULT_A_DAY / 24,) * HOURS_A_WEEK
    factors = volume.month_factor if volume is not None and volume.month_factor is not None else (1.0,)
    # A forecast is for an average month: what the season gives one month it takes from another.
    year = sum(factors) / len(factors)
    hours = tuple(min(year * sum(each), MOST_AN_HOUR) for each in zip(*rows, strict=True))
    told.append(Assumption("inferences_a_day", sum(hours) / 7, path))
    return hours


def _volume_dispersion(manifest: Manifest, told: list[Assumption]) -> float:
    volume, path = manifest.baselines.operational.expected_volume, "baselines.operational.expected_volume.dispersion"
    stated = volume.dispersion if volume is not None else None
    stated = min(stated, MOST_DISPERSION) if stated is not None else None
    told.append(Assumption("volume_dispersion", stated or 1.0, path if stated else f"default: {path} is absent"))
    return stated or 1.0


def _sites(manifest: Manifest, told: list[Assumption]) -> Mapping[str, float]:
    volume = manifest.baselines.operational.expected_volume
    if volume is not None and volume.per == "site" and volume.hour_of_week:
        per_site = {site: sum(hours) for site, hours in volume.hour_of_week.items()}
        total = sum(per_site.values()) or 1.0
        told.append(Assumption("sites", float(len(per_site)), "baselines.operational.expected_volume.hour_of_week"))
        return {site: amount / total for site, amount in per_site.items()}
    axis = next((axis for axis in manifest.strata.axes if axis.source == "site_id" and axis.levels), None)
    dataset = manifest.release.datasets.monitoring_baseline
    if axis is not None and axis.levels:
        names, source = axis.levels, f"strata.axes, {axis.id}"
    elif dataset is not None and dataset.sites:
        names, source = tuple(str(at + 1) for at in range(dataset.sites)), "release.datasets.monitoring_baseline.sites"
    else:
        names, source = ("1",), "default: release.datasets.monitoring_baseline.sites is absent"
    told.append(Assumption("sites", float(len(names)), source))
    return dict.fromkeys(names, 1 / len(names))


def _metric(manifest: Manifest, metric_id: str) -> tuple[str, Measured | None]:
    at = next((at for at, metric in enumerate(manifest.baselines.metrics) if metric.id == metric_id), None)
    if at is None:
        return f"baselines.metrics, {metric_id}", None
    return f"baselines.metrics[{at}].overall", manifest.baselines.metrics[at].overall


def _measured(told: list[Assumption], name: str, path: str, measured: Measured | None, default: float) -> float:
    known = measured is not None and 0 < measured.value < 1
    value = measured.value if measured is not None and known else default
    told.append(Assumption(name, value, path if known else f"default: {path} is absent"))
    return value


def _coverage(manifest: Manifest, told: list[Assumption]) -> tuple[float, float]:
    latency, path = manifest.baselines.label_latency, "baselines.label_latency"
    expected = 1.0 if latency is None or latency.expected_coverage is None else latency.expected_coverage
    source = f"{path}.expected_coverage" if latency is not None and latency.expected_coverage is not None else "default: complete"
    found = []
    for name in ("flagged", "unflagged"):
        own = getattr(latency.verification, name) if latency is not None else None
        found.append(expected if own is None else own)
        told.append(Assumption(f"label_coverage_{name}", found[-1], source if own is None else f"{path}.verification.{name}"))
    return found[0], found[1]


def _label_delay(manifest: Manifest, told: list[Assumption]) -> float:
    latency = manifest.baselines.label_latency
    known = latency is not None and latency.p50_h is not None
    value = latency.p50_h if latency is not None and latency.p50_h is not None else 0.0
    source = "baselines.label_latency.p50_h" if known else "default: labels come at once"
    told.append(Assumption("label_delay_h", value, source))
    return value


def _alert_rate(manifest: Manifest, told: list[Assumption], derived: float) -> float:
    figure = manifest.baselines.operational.alerts_per_100_encounters
    stated = figure.value / 100 if figure is not None and figure.value is not None else None
    source = "baselines.operational.alerts_per_100_encounters" if stated is not None else "from prevalence and operating point"
    told.append(Assumption("alert_rate", derived if stated is None else stated, source))
    return derived if stated is None else min(stated, 1.0)
