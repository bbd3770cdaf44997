"""`heartbeat_gap`: missed beats of devices and gateways, judged at every multiple of the interval of partition time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from detectors.estimate import Estimate
from surveillance.arrays import Bool, Int
from surveillance.evaluation.device_logs import DeviceLogs
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import Monitor

_ABSENT = -1
"""Missed beats of a series that does not exist at a tick: before its first beat, or after its device went elsewhere."""


class HeartbeatMonitor:
    """Judges one heartbeat monitor of one subject."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        self.subject, self.monitor = subject, monitor
        self.interval_ms = subject.plan.manifest.surveillance.telemetry.heartbeat_interval_ms
        self._series = next(one for one in subject.plan.series if one.monitor is monitor)
        self._logs = DeviceLogs(subject)
        self._log = self._logs.own
        self._judged_tick: int | None = None
        self._first: int | None = None
        self._breached_tick: dict[Scope, int] = {}
        rules = [subject.plan.manifest.persistence_of(monitor, level) for level in LEVELS]
        self._steady = max(max(rule.of, rule.clear_after) for rule in rules)
        """Ticks a series is still judged after its last breach; until the next one only its newest tick matters."""

    @property
    def is_cumulative(self) -> bool:
        """Each of its evaluations stands as it is."""
        return False

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of each multiple of the interval passed since the last call, where it can matter to anybody."""
        first, last = self.subject.first_event_pane(), self._last_tick(moment)
        late = self._logs.update(self._judged_tick) or first != self._first
        self._first = first
        beats = [one.beats[0] for one in self._log.devices.values() if one.beats]
        if first is None or not beats:
            return
        start = min(beats) // 2 + 1 if self._judged_tick is None else self._judged_tick + 1
        if late and self._judged_tick is not None:
            start = self._judged_tick
        if start <= last:
            yield from self._ticks(np.arange(start, last + 1), first, moment)
            self._judged_tick = last
            self._logs.forget_before(last * self.interval_ms)

    def _last_tick(self, moment: Moment) -> int:
        superseded = self.subject.superseded_ms
        reached = moment.partition_ms if superseded is None else min(moment.partition_ms, superseded)
        return reached // self.interval_ms

    # ticks ------------------------------------------------------------------------------------------------
    def _ticks(self, ticks: Int, first: int, moment: Moment) -> Iterator[Evidence]:
        missed = {
            name: np.where(self._logs.ended(name, ticks), _ABSENT, device.missed(ticks))
            for name, device in self._log.devices.items()
        }
        by_gateway: dict[str, Int] = {}
        for name, counts in missed.items():
            gateway = self._log.devices[name].gateway
            by_gateway[gateway] = _fewest(by_gateway[gateway], counts) if gateway in by_gateway else counts
        series: dict[Scope, Int] = {}
        for axis, values in (("gateway", by_gateway), ("device", missed)):
            if (axis,) in self.monitor.axes:
                series |= {((axis, level),): counts for level, counts in values.items()}
        if not self.monitor.axes:
            series[()] = np.max(np.stack(list(missed.values())), axis=0)
        matters = self._matters(ticks, series)
        revision = self._logs.revision()
        for at in np.flatnonzero(matters).tolist():
            judged = [
                self._judged(scope, int(counts[at]), at, by_gateway, first)._replace(revision=revision)
                for scope, counts in sorted(series.items())
                if counts[at] != _ABSENT
            ]
            end_ms = int(ticks[at]) * self.interval_ms
            # Of a beat that has been heard a missing partition can take nothing back, so no tick is partial.
            yield from evidence_of(self.subject, self.monitor, end_ms, judged, moment._replace(complete_ms=end_ms))

    def _matters(self, ticks: Int, series: Mapping[Scope, Int]) -> Bool:
        """The last tick, those of a breach and those that may clear it, and the last tick of a series that ends."""
        fewest = min((limit.missed for limit in self.monitor.limits.by_level.values() if limit.missed is not None), default=1)
        matters = np.zeros(len(ticks), np.bool_)
        matters[-1] = True
        for scope, counts in series.items():
            matters[:-1] |= (counts[:-1] != _ABSENT) & (counts[1:] == _ABSENT)
            breached = self._breached_tick.get(scope)
            if breached is not None:
                matters |= ticks <= breached + self._steady
            for at in np.flatnonzero(counts >= fewest).tolist():
                matters[at : at + self._steady + 1] = True
                self._breached_tick[scope] = int(ticks[at])
        return matters

    def _judged(self, scope: Scope, missed: int, at: int, by_gateway: Mapping[str, Int], first: int) -> Judged:
        def silent(least: int) -> int:
            return sum(int(counts[at]) >= least for counts in by_gateway.values())

        value = float(missed)
        finding = Finding(Estimate(value, value, value, 1, "count"), silent=silent)
        return Judged(self._series, scope, first, finding, (missed,))


def _fewest(one: Int, other: Int) -> Int:
    """The smaller count; a device that has no series says nothing of its gateway."""
    return np.where(one == _ABSENT, other, np.where(other == _ABSENT, one, np.minimum(one, other)))
