"""`heartbeat_gap`: missed beats of devices and gateways, judged at every multiple of the interval of partition time.

A series that is heard meets every limit, tick after tick. So evidence is made of ticks at which beats are missed and of as
many after them as persistence looks back, of the last tick of a series that ends, and of the first tick of a day; what else
stands at the newest tick is told when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from detectors.estimate import Estimate
from surveillance.arrays import Bool, Int
from surveillance.evaluation.device_logs import DeviceLogs
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import Monitor
from surveillance.times import DAY_MS

_ABSENT = -1
"""Missed beats of a series that does not exist at a tick: before its first beat, or after its device went elsewhere."""
_NOT_COUNTED = 2**62


class _Missed(NamedTuple):
    """Missed beats at ticks (T,): of each scope, (S, T), and of each gateway, (G, T)."""

    ticks: Int
    scopes: list[Scope]
    counts: Int
    of_gateway: Int

    def at(self, column: int) -> _Missed:
        """Of one tick alone."""
        one = slice(column, column + 1)
        return _Missed(self.ticks[one], self.scopes, self.counts[:, one], self.of_gateway[:, one])


class _Standing(NamedTuple):
    """The newest tick, and the scopes (S,) of which nothing was said there."""

    missed: _Missed
    untold: Bool
    revision: Mapping[int, int]


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
        self._standing: _Standing | None = None
        self._scopes: list[Scope] = [] if monitor.axes else [()]
        rules = [subject.plan.manifest.persistence_of(monitor, level) for level in LEVELS]
        self._steady = max(max(rule.of, rule.clear_after) for rule in rules)
        """Ticks a series is still judged after its last breach."""
        self._fewest = min((limit.missed for limit in monitor.limits.by_level.values() if limit.missed is not None), default=1)

    @property
    def is_cumulative(self) -> bool:
        """Each of its evaluations stands as it is."""
        return False

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of each multiple of the interval passed since the last call, where it can matter to anybody."""
        first, last = self.subject.first_event_pane(), self._last_tick(moment)
        late = self._logs.update(self._judged_tick) or first != self._first
        self._first = first
        begin = self._log.first_tick
        if first is None or begin is None:
            return
        start = begin if self._judged_tick is None else self._judged_tick + 1
        if late and self._judged_tick is not None:
            start = self._judged_tick
        if start <= last:
            yield from self._ticks(np.arange(start, last + 1), moment)
            self._judged_tick = last
            self._logs.forget_before(last * self.interval_ms)

    def standing(self) -> Iterator[Evidence]:
        """What stands at the newest tick of scopes that nothing was said of there; once."""
        standing, self._standing = self._standing, None
        if standing is not None:
            yield from self._evidence(*standing)

    def stands(self, end_ms: int, taken: Moment, offsets: Mapping[int, int]) -> bool:
        """Of the ticks judged only the last one is judged again."""
        return end_ms < self._last_tick(taken) * self.interval_ms

    def _last_tick(self, moment: Moment) -> int:
        superseded = self.subject.superseded_ms
        reached = moment.partition_ms if superseded is None else min(moment.partition_ms, superseded)
        return reached // self.interval_ms

    # ticks ------------------------------------------------------------------------------------------------
    def _ticks(self, ticks: Int, moment: Moment) -> Iterator[Evidence]:
        missed, revision = self._missed(ticks), self._logs.revision()
        yield from self._ended_untold(missed)
        matters = self._matters(missed)
        for at in np.flatnonzero(matters.any(axis=0)).tolist():
            yield from self._evidence(missed.at(at), matters[:, at], revision)
        newest = missed.at(len(ticks) - 1)
        self._standing = _Standing(newest, ~matters[:, -1] & (newest.counts[:, 0] != _ABSENT), revision)

    def _ended_untold(self, following: _Missed) -> Iterator[Evidence]:
        """The newest tick before these, of scopes that have ended with it and of which nothing was said there."""
        standing = self._standing
        if standing is None or standing.missed.ticks[0] >= following.ticks[0]:
            return
        ended = following.counts[:, 0] == _ABSENT
        if standing.missed.scopes is not following.scopes:
            gone = {following.scopes[at] for at in np.flatnonzero(ended).tolist()}
            ended = np.array([scope in gone for scope in standing.missed.scopes], np.bool_)
        yield from self._evidence(standing.missed, standing.untold & ended, standing.revision)

    def _missed(self, ticks: Int) -> _Missed:
        log, heard = self._log, self._log.heard
        beaten = log.beaten(ticks)
        of_device = np.where(self._logs.ended(ticks), _ABSENT, beaten.missed)
        # A device that has no series says nothing of its gateway.
        of_gateway = np.full((len(heard.gateways), len(ticks)), _NOT_COUNTED)
        counted = np.where(of_device == _ABSENT, _NOT_COUNTED, of_device)
        np.minimum.at(of_gateway, (beaten.gateway, np.arange(len(ticks))), counted)
        of_gateway[of_gateway == _NOT_COUNTED] = _ABSENT
        counts = of_device.max(axis=0, keepdims=True)
        if self.monitor.axes:
            named = {"device": (heard.devices, of_device), "gateway": (heard.gateways, of_gateway)}
            wanted = [(axis, *named[axis]) for axis in named if (axis,) in self.monitor.axes]
            if len(self._scopes) != sum(len(levels) for _, levels, _ in wanted):
                self._scopes = [((axis, level),) for axis, levels, _ in wanted for level in levels]
            counts = np.concatenate([of_axis for _, _, of_axis in wanted])
        return _Missed(ticks, self._scopes, counts, of_gateway)

    def _matters(self, missed: _Missed) -> Bool:
        """(S, T) ticks of a breach and those that may clear it, the last tick of a series that ends, the first of a day."""
        ticks, counts = missed.ticks, missed.counts
        matters = np.repeat((ticks * self.interval_ms % DAY_MS < self.interval_ms)[None], len(counts), axis=0)
        matters[:, :-1] |= counts[:, 1:] == _ABSENT
        breached = counts >= self._fewest
        if self._breached_tick:
            place = {scope: at for at, scope in enumerate(missed.scopes)}
            for scope, tick in self._breached_tick.items():
                matters[place[scope]] |= ticks <= tick + self._steady
        for scope_at in np.flatnonzero(breached.any(axis=1)).tolist():
            at = np.flatnonzero(breached[scope_at])
            for after in range(self._steady + 1):
                matters[scope_at, np.minimum(at + after, len(ticks) - 1)] = True
            self._breached_tick[missed.scopes[scope_at]] = int(ticks[at[-1]])
        self._breached_tick = {scope: tick for scope, tick in self._breached_tick.items() if tick + self._steady >= ticks[-1]}
        found: Bool = matters & (counts != _ABSENT)
        return found

    def _evidence(self, missed: _Missed, chosen: Bool, revision: Mapping[int, int]) -> list[Evidence]:
        """Of the scopes chosen, at the one tick of `missed`."""
        end_ms, of_gateway = int(missed.ticks[0]) * self.interval_ms, missed.of_gateway[:, 0]
        assert self._first is not None

        def silent(least: int) -> int:
            return int((of_gateway >= least).sum())

        judged = []
        for scope_at in sorted(np.flatnonzero(chosen).tolist(), key=missed.scopes.__getitem__):
            value = float(missed.counts[scope_at, 0])
            finding = Finding(Estimate(value, value, value, 1, "count"), silent=silent)
            judged.append(Judged(self._series, missed.scopes[scope_at], self._first, finding, (int(value),)))
        # Of a beat that has been heard a missing partition can take nothing back, so no tick is partial.
        return evidence_of(self.subject, self.monitor, end_ms, judged, Moment(end_ms, end_ms, end_ms), revision)
