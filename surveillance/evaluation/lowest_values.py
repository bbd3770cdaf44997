"""`min_value`: the lowest newest number of a heartbeat field, judged at the end of every base pane of partition time.

A level begins or ceases to be breached at some panes and stays as it is in between, so evidence is made where a scope's
levels change and for as many panes more as persistence looks back, and of the last pane of a series that ends; what else
stands in the newest pane is told when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from detectors.estimate import Estimate
from surveillance.arrays import Bool, Float, Int
from surveillance.evaluation.device_logs import DeviceLogs
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.mirror import merged
from surveillance.evaluation.newest_values import DeviceValues, NewestValues
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_operation import CERTIFICATE_DAYS, LowestValue
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.plan import DEVICE_AXES, lowest_slot_ms
from surveillance.times import DAY_MS, floor_to

METHOD = "minimum"
_ABSENT = -1
"""State of a scope in which no device has said the number, or all went to another manifest."""


class _Lows(NamedTuple):
    """Of each scope at the end of one base pane: lowest value, devices it is the lowest of, and which levels it breaches."""

    tick: int
    value: Float
    devices: Int
    state: Int


class LowestMonitor:
    """Judges one `min_value` monitor of one subject."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        metric = monitor.metric
        assert isinstance(metric, LowestValue)
        self.subject, self.monitor, self.metric = subject, monitor, metric
        self.pane_ms = subject.plan.base_pane_ms
        self._series = next(one for one in subject.plan.series if one.monitor is monitor)
        self._table = subject.mirror.table(subject.table_key(self._series.statistic, DEVICE_AXES))
        self._slot_ms = lowest_slot_ms(subject.plan.manifest)
        self._newest = NewestValues(self._table, self._slot_ms)
        self._logs: DeviceLogs | None = None
        rules = [subject.plan.manifest.persistence_of(monitor, level) for level in LEVELS]
        self._steady = max(max(rule.of, rule.clear_after) for rule in rules)
        self._limits = [limit.below for limit in monitor.limits.by_level.values() if limit.below is not None]
        self._axes = sorted({axis for (axis,) in monitor.axes}) or [""]
        self._scopes: list[Scope] = []
        self._before = _Lows(0, np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._since = np.zeros(0, np.int64)
        """Pane in which the state of each scope began."""
        self._judged: int | None = None
        self._untold = np.zeros(0, np.bool_)
        """Scopes of which nothing was said in the newest pane."""
        self._first: int | None = None

    @property
    def is_cumulative(self) -> bool:
        """Each of its evaluations stands as it is."""
        return False

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of each base pane passed since the last call, where it can matter to anybody."""
        first, last = self.subject.first_event_pane(), self._last_tick(moment)
        late = self._update() or first != self._first
        self._first = first
        begin = self._begin()
        if first is None or begin is None:
            return
        if self._judged is not None and late:
            lows = self._before = self._lows(self._judged)
            self._untold = np.zeros(len(lows.state), np.bool_)
            yield from self._evidence(lows, lows.state != _ABSENT)
        for tick in range(begin, last + 1):
            yield from self._at(tick)
            self._judged = tick
        if self._logs is not None and self._judged is not None:
            self._logs.forget_before(floor_to(self._judged * self.pane_ms, self._logs.own.interval_ms))

    def standing(self) -> Iterator[Evidence]:
        """What stands at the newest pane of scopes that nothing was said of there; once."""
        untold, self._untold = self._untold, np.zeros(len(self._untold), np.bool_)
        if untold.any():
            yield from self._evidence(self._before, untold)

    def stands(self, end_ms: int, taken: Moment, offsets: Mapping[int, int]) -> bool:
        """Of the panes judged only the last one is judged again."""
        return end_ms < self._last_tick(taken) * self.pane_ms

    def _last_tick(self, moment: Moment) -> int:
        superseded = self.subject.superseded_ms
        reached = moment.partition_ms if superseded is None else min(moment.partition_ms, superseded)
        return reached // self.pane_ms

    def _begin(self) -> int | None:
        """The pane to go on at: at first the one in which a device first said the number."""
        if self._judged is not None:
            return self._judged + 1
        slot = self._newest.first_slot
        return None if slot is None else slot * self._slot_ms // self.pane_ms + 1

    def _update(self) -> bool:
        """Take up changed rows; True where they change what was known at the newest pane judged."""
        late = self._newest.update(None if self._judged is None else self._judged * self.pane_ms // self._slot_ms)
        if self._logs is None and self._others_were_heard():
            self._logs = DeviceLogs(self.subject)
        if self._logs is not None:
            late |= self._logs.update(None)
        return late

    def _others_were_heard(self) -> bool:
        tenant, mirror = self.subject.tenant, self.subject.mirror
        others = (one.digest for one in self.subject.registry.all() if one.digest != self.subject.plan.digest)
        return any(len(mirror.heard(tenant, digest)) for digest in others)

    # one pane ---------------------------------------------------------------------------------------------
    def _at(self, tick: int) -> Iterator[Evidence]:
        lows, before = self._lows(tick), self._before
        changed = lows.state != before.state
        self._since[changed] = tick
        ended = changed & (lows.state == _ABSENT)
        if ended.any():
            yield from self._evidence(before, ended)
        matters = (lows.state != _ABSENT) & (tick - self._since <= self._steady)
        self._before, self._untold = lows, ~matters & (lows.state != _ABSENT)
        if matters.any():
            yield from self._evidence(lows, matters)

    def _lows(self, tick: int) -> _Lows:
        end_ms = tick * self.pane_ms
        found = self._present(self._newest.before(end_ms // self._slot_ms), end_ms)
        self._grow()
        value = (found.value - end_ms) / DAY_MS if self.metric.field == CERTIFICATE_DAYS else found.value / 1000
        low, devices = np.full(len(self._scopes), np.inf), np.zeros(len(self._scopes), np.int64)
        for at in self._places(found):
            np.minimum.at(low, at, value)
            np.add.at(devices, at, 1)
        breached = sum(((low < limit).astype(np.int64) << level for level, limit in enumerate(self._limits)), np.int64(0))
        return _Lows(tick, low, devices, np.where(devices > 0, breached, _ABSENT))

    def _present(self, found: DeviceValues, end_ms: int) -> DeviceValues:
        """Without the devices whose newest event counts under another manifest."""
        logs = self._logs
        if logs is None:
            return found
        moved = logs.ended_at(end_ms // logs.own.interval_ms)
        stays = np.array([self._newest.devices[device] not in moved for device in found.device.tolist()], np.bool_)
        return DeviceValues(found.device[stays], found.gateway[stays], found.value[stays])

    def _places(self, found: DeviceValues) -> Iterator[Int]:
        """For each axis of the monitor the scope that each device belongs to."""
        start = 0
        for axis in self._axes:
            of_device = {"device": found.device, "gateway": found.gateway, "": np.zeros_like(found.device)}
            yield start + of_device[axis]
            start += len(self._levels(axis))

    def _levels(self, axis: str) -> list[str]:
        return {"device": self._newest.devices, "gateway": self._newest.gateways, "": [""]}[axis]

    def _grow(self) -> None:
        """Know every scope; what was known of the others stays."""
        if sum(len(self._levels(axis)) for axis in self._axes) == len(self._scopes):
            return
        scopes: list[Scope] = [((axis, level),) if axis else () for axis in self._axes for level in self._levels(axis)]
        place = {scope: at for at, scope in enumerate(scopes)}
        at = np.array([place[scope] for scope in self._scopes], np.int64)
        value, devices, state = np.full(len(scopes), np.inf), np.zeros(len(scopes), np.int64), np.full(len(scopes), _ABSENT)
        since = np.zeros(len(scopes), np.int64)
        value[at], devices[at], state[at], since[at] = self._before.value, self._before.devices, self._before.state, self._since
        self._scopes, self._since = scopes, since
        self._before = self._before._replace(value=value, devices=devices, state=state)

    def _evidence(self, lows: _Lows, chosen: Bool) -> list[Evidence]:
        end_ms = lows.tick * self.pane_ms
        assert self._first is not None
        judged = []
        for at in np.flatnonzero(chosen).tolist():
            value, devices = float(lows.value[at]), int(lows.devices[at])
            finding = Finding(Estimate(value, value, value, devices, METHOD))
            judged.append(Judged(self._series, self._scopes[at], self._first, finding, ()))
        # Of a number that has been heard a missing partition can take nothing back, so no pane is partial.
        return evidence_of(self.subject, self.monitor, end_ms, judged, Moment(end_ms, end_ms, end_ms), self._revision())

    def _revision(self) -> dict[int, int]:
        heard = [self._table.largest_version, self.subject.first_event_revision()]
        return merged(heard if self._logs is None else [*heard, self._logs.revision()])
