"""When devices were heard, under a manifest and all others: a series ends when its device's newest event counts elsewhere."""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Bool, Int
from surveillance.evaluation.beat_log import BeatLog
from surveillance.evaluation.judging import Subject
from surveillance.evaluation.mirror import merged
from surveillance.registry import Registration


class DeviceLogs:
    """The beat log of one subject, and those of every other manifest that is registered."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self.own = self._log_of(subject.registration)
        self._others: dict[str, tuple[Registration, BeatLog]] = {}

    def update(self, judged_tick: int | None) -> bool:
        """Take up what is news; True where they change what was known of the own log at a tick that has been judged."""
        for other in self._subject.registry.all():
            if other.digest != self._subject.plan.digest and other.digest not in self._others:
                self._others[other.digest] = (other, self._log_of(other))
        for _, log in self._others.values():
            log.update(None)
        return self.own.update(judged_tick)

    def forget_before(self, at_ms: int) -> None:
        """Drop what nothing from this time on can see."""
        for log in (self.own, *(log for _, log in self._others.values())):
            log.forget_before(at_ms // log.interval_ms)

    def revision(self) -> dict[int, int]:
        """Of every manifest's beats: a device that is heard under another one has no series here."""
        logs = (self.own, *(log for _, log in self._others.values()))
        return merged([*(log.heard.largest_version for log in logs), self._subject.first_event_revision()])

    def ended(self, ticks: Int) -> Bool:
        """(devices, ticks): whether the newest event of a device of the own log counts under another manifest at a tick (a
        multiple of the own interval)."""
        ended = np.zeros((len(self.own.heard.devices), len(ticks)), np.bool_)
        for other, log in self._others.values():
            common = [name for name in self.own.heard.devices if name in log.heard.number]
            if common:
                at, there = ([each.heard.number[name] for name in common] for each in (self.own, log))
                mine = self.own.heard_before(ticks)[at]
                theirs = log.heard_before(ticks * self.own.interval_ms // log.interval_ms)[there]
                theirs = np.where(theirs < 0, -1, theirs * log.interval_ms // self.own.interval_ms)
                newer_manifest = other.in_force_ms > self._subject.registration.in_force_ms
                ended[at] |= (theirs > mine) | ((theirs == mine) & (theirs >= 0) & newer_manifest)
        return ended

    def ended_at(self, tick: int) -> set[str]:
        """Names of the devices that have ended at a tick."""
        ended = self.ended(np.array([tick], np.int64))[:, 0]
        return {self.own.heard.devices[at] for at in np.flatnonzero(ended).tolist()}

    def _log_of(self, registration: Registration) -> BeatLog:
        heard = self._subject.mirror.heard(self._subject.tenant, registration.digest)
        interval_ms = registration.plan.manifest.surveillance.telemetry.heartbeat_interval_ms
        return BeatLog(heard, interval_ms)
