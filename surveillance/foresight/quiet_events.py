"""What arrives in a quiet field: events of every kind, how many of them are retransmissions, and what their clocks say."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.evaluation.evidence import Scope
from surveillance.foresight.assumptions import Assumption, FieldAssumptions
from surveillance.foresight.chance import Chance
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_operation import ClockOffset, DuplicateRate
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.log_bins import LONGEST_OFFSET_MS, log_bins, log_edges
from surveillance.panes.plan import Series
from surveillance.panes.statistics import Events
from surveillance.times import HOUR_MS, SECOND_MS

_DUPLICATE_RATE = "duplicate_rate"


@dataclass(frozen=True, slots=True)
class QuietEvents:
    """`duplicated` = share of retransmissions among the events."""

    duplicated: float

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        """Counts (W, len(Events)) of windows of `cases` events (W,)."""
        counts = np.zeros((len(cases), len(Events)), np.int64)
        counts[:, Events.ARRIVED] = cases
        counts[:, Events.DUPLICATES] = chance.binomial(cases, self.duplicated)
        return counts


@dataclass(frozen=True, slots=True)
class QuietClocks:
    """Clocks that all stand `offset_s` from broker time, counted in bins with these upper `edges_ms`."""

    edges_ms: tuple[int, ...]
    offset_s: float = 0.0

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        """Counts (W, 2 x bins) of windows of `cases` events (W,)."""
        offset_ms = min(round(self.offset_s * SECOND_MS), self.edges_ms[-1])
        counts = np.zeros((len(cases), 2 * len(self.edges_ms)), np.int64)
        (place,) = log_bins(np.array(self.edges_ms), np.array([offset_ms])).tolist()
        counts[:, place] = cases
        counts[:, len(self.edges_ms) + place] = cases * offset_ms
        return counts


def quiet_events(manifest: Manifest, field: FieldAssumptions, series: Series, scope: Scope) -> QuietEvents | QuietClocks:
    """Retransmissions at the rate that the manifest states, none where it states none; clocks that are right."""
    family, _, subject = series.statistic.partition(":")
    if family == statistics.CLOCKS:
        return QuietClocks(tuple(log_edges(subject, LONGEST_OFFSET_MS).tolist()))
    return QuietEvents(_duplicated(manifest).value)


def counts_events(monitor: Monitor) -> bool:
    """Whether the cases of its windows are events of every kind, and not inferences."""
    return isinstance(monitor.metric, DuplicateRate | ClockOffset)


def field_of(manifest: Manifest, field: FieldAssumptions, monitor: Monitor) -> FieldAssumptions:
    """The field whose cases are those that the monitor counts."""
    if not counts_events(monitor):
        return field
    beats = _beats_an_hour(manifest, field)
    each = _events_per_inference(manifest, field)
    return replace(field, hours=tuple(each * hour + beats for hour in field.hours))


def assumptions_on_events(manifest: Manifest, field: FieldAssumptions) -> tuple[Assumption, ...]:
    """What is assumed beside the rest where a monitor counts events of every kind."""
    monitors = [monitor for monitor in manifest.surveillance.monitors if counts_events(monitor)]
    if not monitors:
        return ()
    of_events = field_of(manifest, field, monitors[0])
    source = "inferences, their labels, an action per alert, and heartbeats of one device at each site"
    found = [Assumption("events_a_day", of_events.per_day, source)]
    if any(isinstance(monitor.metric, DuplicateRate) for monitor in monitors):
        rate = _duplicated(manifest)
        found.append(Assumption(_DUPLICATE_RATE, rate.value, rate.source))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Stated:
    value: float
    source: str


def _duplicated(manifest: Manifest) -> _Stated:
    path, figure = f"baselines.operational.{_DUPLICATE_RATE}", manifest.baselines.operational.figure(_DUPLICATE_RATE)
    if figure is None or figure.value is None:
        return _Stated(0.0, f"default: {path} is absent")
    return _Stated(min(max(figure.value, 0.0), 1.0), path)


def _events_per_inference(manifest: Manifest, field: FieldAssumptions) -> float:
    labels = field.alert_rate * field.coverage_flagged + (1 - field.alert_rate) * field.coverage_unflagged
    return 1.0 + labels * _is_sent(manifest, "outcome") + field.alert_rate * _is_sent(manifest, "alert_action")


def _beats_an_hour(manifest: Manifest, field: FieldAssumptions) -> float:
    interval_ms = manifest.surveillance.telemetry.heartbeat_interval_ms
    return len(field.sites) * HOUR_MS / interval_ms * _is_sent(manifest, "heartbeat")


def _is_sent(manifest: Manifest, kind: str) -> bool:
    schemas = manifest.surveillance.telemetry.schemas
    return not schemas or any(schema.partition("/")[0] == kind for schema in schemas)
