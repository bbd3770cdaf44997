"""The plan of a manifest: which statistics must be kept, how wide their panes are, and which series its monitors read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import IMPLICIT_AXES, Monitor
from surveillance.panes import statistics
from surveillance.panes.lengths import length_of
from surveillance.panes.readings import read_beside, readings
from surveillance.panes.spread import FIELDS, spread_axes, spread_fields, spread_statistic
from surveillance.panes.statistics import Statistic

BASE_PANE_MS = 300_000
"""Widest base pane of contract/semantics.md."""

DAY_AXIS = "@day"
"""Axis of the label flow: UTC day of the inference, in days since the epoch. No manifest can declare the name."""

_BASE_PANED = frozenset({statistics.FLOW, statistics.ARRIVALS, statistics.DELAYS, statistics.SAFETY})
DEVICE_AXES = ("device", "gateway")


@dataclass(frozen=True, slots=True)
class Series:
    """One monitor on one set of axes, and for `feature: "*"` on one feature: a series of windows for each group."""

    monitor: Monitor
    axes: tuple[str, ...]
    feature: str | None
    statistic: str

    @property
    def statistic_axes(self) -> tuple[str, ...]:
        """Axes of the stored groups that the series reads."""
        if self.statistic.split(":", 1)[0] in (statistics.BEATS, statistics.LOWEST):
            return DEVICE_AXES
        if self.statistic == statistics.FLOW:
            return (DAY_AXIS, *self.axes)
        return self.axes

    @property
    def read_beside(self) -> tuple[str, ...]:
        """Statistics by the same axes that move no verdict: what stands beside the number rests on them."""
        return read_beside(self.monitor.metric.type, self.statistic)

    @property
    def parents(self) -> tuple[tuple[str, ...], ...]:
        """Axis sets that a small scope is pooled to, nearest first: of `a*b`, as it is written, `a` and then the whole."""
        written = next((axes for axes in self.monitor.axes if tuple(sorted(axes)) == self.axes), ())
        return tuple(tuple(sorted(written[:size])) for size in range(len(written) - 1, -1, -1))


@dataclass(frozen=True, slots=True)
class Plan:
    """What folding and evaluation need of a manifest, worked out once."""

    manifest: Manifest
    digest: str
    base_pane_ms: int
    series: tuple[Series, ...]
    statistics: tuple[Statistic, ...]

    def of_family(self, family: str) -> Iterator[Statistic]:
        """Statistics whose id is of that family."""
        return (statistic for statistic in self.statistics if statistic.family == family)

    def statistic(self, statistic_id: str) -> Statistic:
        """The statistic of that id. Raises StopIteration: no monitor reads it."""
        return next(one for one in self.statistics if one.id == statistic_id)

    @property
    def inference_axes(self) -> tuple[str, ...]:
        """Axes by which inferences are grouped, sorted."""
        apart = (statistics.EVENTS, statistics.BEATS, statistics.SPAN, statistics.CLOCKS, statistics.LOWEST)
        return _axes_of(statistic for statistic in self.statistics if statistic.family not in apart)

    @property
    def event_axes(self) -> tuple[str, ...]:
        """Axes by which events of every kind are grouped, sorted."""
        return _axes_of(self.of_family(statistics.EVENTS))

    @property
    def safety_axes(self) -> tuple[str, ...]:
        """Axes by which events of a filter are grouped, sorted."""
        return _axes_of(self.of_family(statistics.SAFETY))

    @property
    def clock_axes(self) -> tuple[str, ...]:
        """Axes by which what events say of their sender's clock is grouped, sorted."""
        return _axes_of(self.of_family(statistics.CLOCKS))


def _axes_of(chosen: Iterator[Statistic]) -> tuple[str, ...]:
    return tuple(sorted({axis for statistic in chosen for axes in statistic.axis_sets for axis in axes} - {DAY_AXIS}))


def plan_of(manifest: Manifest, digest: str) -> Plan:
    """The plan of a manifest whose metric types are all built."""
    base = base_pane_ms(manifest)
    series = tuple(_series(manifest))
    wanted: dict[str, list[Series]] = {}
    for one in series:
        for name in (one.statistic, *one.read_beside):
            wanted.setdefault(name, []).append(one)
    chosen = [_statistic(manifest, name, readers, base) for name, readers in sorted(wanted.items())]
    if statistics.BEATS not in wanted:
        # A device's heartbeat series ends when its newest event counts under another manifest, so every manifest keeps them.
        chosen.append(_beats(manifest))
    chosen += _spreads(manifest, series, base)
    chosen.append(Statistic(statistics.SPAN, 1, base, ((),)))
    return Plan(manifest, digest, base, series, tuple(chosen))


def base_pane_ms(manifest: Manifest) -> int:
    """Width of the base pane: the largest that divides every window and slide, at most five minutes."""
    widths = [width for window in manifest.surveillance.windows for width in (window.size_ms, window.slide_ms)]
    common = math.gcd(*widths) if widths else BASE_PANE_MS
    return common // next(parts for parts in range(1, common + 1) if common % parts == 0 and common // parts <= BASE_PANE_MS)


def _series(manifest: Manifest) -> Iterator[Series]:
    for monitor in manifest.surveillance.monitors:
        axis_sets = [tuple(sorted(axes)) for axes in monitor.axes] or [()]
        for reading in readings(manifest, monitor):
            yield from (Series(monitor, axes, reading.feature, reading.statistic) for axes in axis_sets)


def _statistic(manifest: Manifest, name: str, readers: Sequence[Series], base: int) -> Statistic:
    family = name.split(":", 1)[0]
    if family == statistics.BEATS:
        return _beats(manifest)
    if family == statistics.LOWEST:
        return Statistic(name, statistics.LOWEST_LENGTH, lowest_slot_ms(manifest) * statistics.BEAT_SLOTS, (DEVICE_AXES,))
    axis_sets = {one.statistic_axes for one in readers}
    if family == statistics.FLOW:
        axis_sets.add((DAY_AXIS,))  # maturity of a day is judged over all scopes
    if any(one.axes for one in readers) and manifest.strata.below_min == "pool_to_parent":
        axis_sets |= {parent for one in readers for parent in one.parents}
    pane = base if family in _BASE_PANED else _pane_ms(manifest, readers, base)
    return Statistic(name, length_of(manifest, name), pane, tuple(sorted(axis_sets)))


def _spreads(manifest: Manifest, series: Sequence[Series], base: int) -> Iterator[Statistic]:
    wanted: dict[str, list[Series]] = {}
    for one in series:
        name = spread_statistic(manifest, one.monitor, one.feature)
        if name is not None:
            wanted.setdefault(name, []).append(one)
    for name, readers in sorted(wanted.items()):
        fields = spread_fields(manifest)
        axis_sets = {spread_axes(one.axes, field) for one in readers for field in fields if field not in one.axes}
        if axis_sets and length_of(manifest, name):
            yield Statistic(name, length_of(manifest, name), _pane_ms(manifest, readers, base), tuple(sorted(axis_sets)))


def _pane_ms(manifest: Manifest, readers: Sequence[Series], base: int) -> int:
    widths: list[int] = []
    for one in readers:
        window = manifest.surveillance.window(one.monitor.window) if one.monitor.window else None
        widths += (window.size_ms, window.slide_ms) if window is not None else (base,)
    return math.gcd(*widths)


def _beats(manifest: Manifest) -> Statistic:
    interval_ms = manifest.surveillance.telemetry.heartbeat_interval_ms
    return Statistic(statistics.BEATS, statistics.BEATS_LENGTH, interval_ms * statistics.BEAT_SLOTS, (DEVICE_AXES,))


def lowest_slot_ms(manifest: Manifest) -> int:
    """Slot of `LOWEST`: every base pane begins with one, and no slot holds two regular beats of a device."""
    return math.gcd(base_pane_ms(manifest), manifest.surveillance.telemetry.heartbeat_interval_ms)


def axis_source(manifest: Manifest, axis_id: str) -> str:
    """Dotted path of the telemetry field of an axis, declared or implicit."""
    declared = next((axis for axis in manifest.strata.axes if axis.id == axis_id), None)
    return declared.source if declared is not None else (IMPLICIT_AXES | FIELDS)[axis_id]
