"""`heartbeat_gap`: missed beats of devices and gateways, judged at every multiple of the interval of partition time.

The last beat of a device as of a multiple m follows exactly from two counts per slot (see `statistics.Beats`): a code 2 s
stands for a beat at the very start of slot s, 2 s + 1 for one inside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from detectors.estimate import Estimate
from surveillance.arrays import Int
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.mirror import Table
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.groups import scope_of
from surveillance.panes.plan import DEVICE_AXES
from surveillance.panes.statistics import BEAT_SLOTS, Beats

_STEADY = 64
"""Ticks a met series is still judged after its last breach: longer than any `clear_after` in use; then only changes matter."""


@dataclass(slots=True)
class _Device:
    gateway: str
    beats: set[int] = field(default_factory=set)
    newest_event: int = -1
    codes: Int = field(default_factory=lambda: np.zeros(0, np.int64))


class HeartbeatMonitor:
    """Judges one heartbeat monitor of one subject."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        self.subject, self.monitor = subject, monitor
        self.interval_ms = subject.plan.manifest.surveillance.telemetry.heartbeat_interval_ms
        self._table: Table = subject.mirror.table(subject.table_key(statistics.BEATS, DEVICE_AXES))
        self._changed = self._table.subscribe()
        self._devices: dict[str, _Device] = {}
        self._judged_tick: int | None = None
        self._breached_tick: dict[Scope, int] = {}

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of each multiple of the interval passed since the last call, where it can matter to anybody."""
        self._update()
        first = self.subject.first_event_pane()
        last = self._last_tick(moment)
        if first is None or not self._devices:
            return
        start = (
            self._judged_tick + 1
            if self._judged_tick is not None
            else min(int(one.codes[0]) // 2 for one in self._devices.values()) + 1
        )
        if start <= last:
            yield from self._ticks(np.arange(start, last + 1), first, moment)
            self._judged_tick = last
        elif moment.final and self._judged_tick is not None:
            yield from self._ticks(np.array([self._judged_tick]), first, moment)

    def _last_tick(self, moment: Moment) -> int:
        superseded = self.subject.superseded_ms
        reached = moment.partition_ms if superseded is None else min(moment.partition_ms, superseded)
        return reached // self.interval_ms

    def _update(self) -> None:
        for pane in self._changed:
            slot = pane // self.interval_ms
            for code, counts in self._table.panes[pane].items():
                self._take(scope_of(self._table.groups[code]), slot, counts.reshape(len(Beats), BEAT_SLOTS))
        if self._changed:
            for device in self._devices.values():
                device.codes = np.array(sorted(device.beats), np.int64)
        self._changed.clear()

    def _take(self, levels: Mapping[str, str], first_slot: int, counts: Int) -> None:
        at_start = (first_slot + np.flatnonzero(counts[Beats.AT_START])) * 2
        inside = (first_slot + np.flatnonzero(counts[Beats.INSIDE])) * 2 + 1
        beats = {*at_start.tolist(), *inside.tolist()}
        known = self._devices.get(levels["device"])
        if known is None:
            if not beats:
                return  # a device has no series before its first beat
            known = self._devices[levels["device"]] = _Device(levels["gateway"])
        if beats and max(beats) >= max(known.beats, default=-1):
            known.gateway = levels["gateway"]
        known.beats |= beats
        events = np.flatnonzero(counts[Beats.ANY_EVENT])
        if len(events):
            known.newest_event = max(known.newest_event, first_slot + int(events[-1]))

    # ticks ------------------------------------------------------------------------------------------------
    def _ticks(self, ticks: Int, first: int, moment: Moment) -> Iterator[Evidence]:
        missed = {device: _missed(one.codes, ticks) for device, one in self._devices.items() if not self._ended(device, one)}
        by_gateway: dict[str, Int] = {}
        for device, counts in missed.items():
            gateway = self._devices[device].gateway
            # A device that has not beaten yet (-1) says nothing of its gateway.
            heard = np.where(counts < 0, np.iinfo(np.int64).max, counts)
            by_gateway[gateway] = np.minimum(by_gateway[gateway], heard) if gateway in by_gateway else heard
        series: dict[Scope, Int] = {}
        for axis, values in (("gateway", by_gateway), ("device", missed)):
            if (axis,) in self.monitor.axes:
                series |= {
                    ((axis, level),): np.where(counts == np.iinfo(np.int64).max, -1, counts) for level, counts in values.items()
                }
        if not self.monitor.axes and missed:
            series[()] = np.max(np.stack(list(missed.values())), axis=0)
        yield from self._evidence(ticks, series, by_gateway, first, moment)

    def _evidence(
        self, ticks: Int, series: dict[Scope, Int], by_gateway: dict[str, Int], first: int, moment: Moment
    ) -> Iterator[Evidence]:
        fewest = min((limit.missed for limit in self.monitor.limits.by_level.values() if limit.missed is not None), default=1)
        matters = np.zeros(len(ticks), np.bool_)
        matters[-1] = True
        for scope, counts in series.items():
            for at in np.flatnonzero(counts >= fewest).tolist():
                self._breached_tick[scope] = int(ticks[at])
                matters[at : at + _STEADY] = True
            if int(ticks[0]) - self._breached_tick.get(scope, -(10**9)) < _STEADY:
                matters[: self._breached_tick[scope] + _STEADY - int(ticks[0]) + 1] = True
        for at in np.flatnonzero(matters).tolist():
            judged = [
                self._judged(scope, int(counts[at]), at, by_gateway, first)
                for scope, counts in sorted(series.items())
                if counts[at] >= 0
            ]
            yield from evidence_of(self.subject, self.monitor, int(ticks[at]) * self.interval_ms, judged, moment)

    def _judged(self, scope: Scope, missed: int, at: int, by_gateway: dict[str, Int], first: int) -> Judged:
        def silent(least: int) -> int:
            unheard = np.iinfo(np.int64).max
            return sum(least <= int(counts[at]) < unheard for counts in by_gateway.values())

        value = float(missed)
        series = next(one for one in self.subject.plan.series if one.monitor is self.monitor)
        return Judged(
            series,
            scope,
            first,
            Finding(Estimate(value, value, value, 1, "count"), silent=silent),
            (missed,),
            dict(self._table.largest_version),
        )

    def _ended(self, device: str, one: _Device) -> bool:
        """Whether the device's newest event counts under another manifest."""
        mine = (one.newest_event, self.subject.registration.in_force_ms)
        for other in self.subject.registry.all():
            if other.digest == self.subject.plan.digest:
                continue
            interval_ms = other.plan.manifest.surveillance.telemetry.heartbeat_interval_ms
            table = self.subject.mirror.table(
                self.subject.table_key(statistics.BEATS, DEVICE_AXES)._replace(manifest_digest=other.digest)
            )
            newest = _newest_event_ms(table, device, interval_ms) // self.interval_ms
            if (newest, other.in_force_ms) > mine:
                return True
        return False


def _missed(codes: Int, ticks: Int) -> Int:
    """Missed beats at each tick, -1 before the first beat."""
    at = np.searchsorted(codes, ticks * 2, side="right") - 1
    last = codes[np.maximum(at, 0)]
    return np.where(at < 0, -1, ticks - last // 2 - last % 2)


def _newest_event_ms(table: Table, device: str, interval_ms: int) -> int:
    """Start of the newest slot with an event of the device under this table's manifest, -1 where there is none."""
    codes = [code for code, text in enumerate(table.groups) if scope_of(text)["device"] == device]
    for pane in sorted(table.panes, reverse=True) if codes else ():
        for code in codes:
            counts = table.panes[pane].get(code)
            if counts is not None and counts.reshape(len(Beats), BEAT_SLOTS)[Beats.ANY_EVENT].any():
                events = np.flatnonzero(counts.reshape(len(Beats), BEAT_SLOTS)[Beats.ANY_EVENT])
                return pane + int(events[-1]) * interval_ms
    return -1
