"""Simulated looks through the very rules that make incidents: persistence, escalation, clearing, cooldown."""

from __future__ import annotations

from collections import Counter

import numpy as np

from detectors.estimate import Insufficient, Reason
from surveillance.arrays import Bool, Int
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.verdict import Verdict
from surveillance.foresight.course import Course
from surveillance.foresight.looks import Look
from surveillance.incidents.history import History
from surveillance.incidents.incident import Incident
from surveillance.incidents.step import step
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import Monitor

_NO_NUMBER = Insufficient(Reason.NO_EXPOSURE)
"""Incidents are decided on verdicts alone."""


def incidents_by_level(
    manifest: Manifest, monitor: Monitor, scope: Scope, course: Course, ends_ms: Int, starts_ms: Int
) -> Counter[str]:
    """How often an incident was raised to each level over the looks of one scope, in order of time."""
    found: Counter[str] = Counter()
    history, incident = History(), None
    size_ms = int((ends_ms - starts_ms).min()) if len(ends_ms) else 0
    places = _that_matter(manifest, monitor, course, ends_ms, starts_ms)
    rows = zip(course.codes[places].tolist(), ends_ms[places].tolist(), starts_ms[places].tolist(), strict=True)
    for code, end_ms, start_ms in rows:
        evidence = _evidence(monitor, scope, course.kinds[code], start_ms, end_ms, extended=end_ms - start_ms > size_ms)
        history.put(evidence)
        if evidence.verdict is Verdict.INCONCLUSIVE:
            continue  # it raises nothing and clears nothing
        change = step(incident, history, evidence, manifest, monitor, end_ms)
        if change is None:
            continue
        if change.incident.resolved_at_ms is None and not _only_reopened(incident, change.incident):
            found[change.incident.level] += 1
        incident = change.incident
    return found


def _that_matter(manifest: Manifest, monitor: Monitor, course: Course, ends_ms: Int, starts_ms: Int) -> Int:
    """Places of the first look, of those that the persistence of a breach may look back to, and of those that say something of
    the whole from there until what opened has surely cleared. All others decide nothing."""
    breached = np.flatnonzero(course.are(Verdict.BREACHED))
    if not len(breached):
        return breached
    apart = _longest_overlap(ends_ms, starts_ms)
    concludes = ~course.are(Verdict.INCONCLUSIVE)
    until = _cleared_at(manifest, monitor, course, breached, apart)
    matters = concludes & _within(len(ends_ms), breached, until)
    for level in monitor.limits.by_level:
        concludes |= ~course.are(Verdict.INCONCLUSIVE, level)
    since = _needed_from(manifest, monitor, course, breached, apart, ends_ms)
    matters |= concludes & _within(len(ends_ms), since, breached)
    matters[0] = True
    return np.flatnonzero(matters)


def _within(looks: int, first: Int, last: Int) -> Bool:
    """Which looks (T,) lie in any of so many stretches, both ends included."""
    edges = np.zeros(looks + 1, np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, last + 1, -1)
    return np.asarray(np.cumsum(edges[:-1]) > 0, np.bool_)


def _longest_overlap(ends_ms: Int, starts_ms: Int) -> int:
    """Looks back, at most, from one that was extended to the newest that shares no event with it; 1 where none was."""
    lengths = ends_ms - starts_ms
    if (lengths == lengths[0]).all():
        return 1
    return int((np.arange(len(ends_ms)) - np.searchsorted(ends_ms, starts_ms, side="right")).max()) + 1


def _needed_from(manifest: Manifest, monitor: Monitor, course: Course, breached: Int, apart: int, ends_ms: Int) -> Int:
    """For each breached look the first one that its persistence may look back to, at any level."""
    first = breached
    for level, limit in monitor.limits.by_level.items():
        if limit.sustained_ms is not None:
            since = np.searchsorted(ends_ms, ends_ms[breached] - limit.sustained_ms, side="right")
        else:
            conclusive = np.flatnonzero(~course.are(Verdict.INCONCLUSIVE, level))
            if not len(conclusive):
                continue
            back = np.searchsorted(conclusive, breached) - manifest.persistence_of(monitor, level).of * apart
            since = conclusive[np.maximum(back, 0)]
        first = np.minimum(first, since)
    return first


def _cleared_at(manifest: Manifest, monitor: Monitor, course: Course, breached: Int, apart: int) -> Int:
    """For each breached look the next at which whatever is open clears, else the last one."""
    conclusive = np.flatnonzero(~course.are(Verdict.INCONCLUSIVE))
    place = np.arange(len(conclusive))
    is_met = course.are(Verdict.MET)[conclusive]
    met_in_a_row = place - np.maximum.accumulate(np.where(is_met, -1, place))
    needed = apart * max(manifest.persistence_of(monitor, level).clear_after for level in monitor.limits.by_level)
    cleared = np.append(conclusive[met_in_a_row >= needed], len(course.codes) - 1)
    return cleared[np.minimum(np.searchsorted(cleared, breached, side="right"), len(cleared) - 1)]


def _only_reopened(before: Incident | None, after: Incident) -> bool:
    """Whether the same incident opened again at a level it had reached before: nobody is asked anything new."""
    return before is not None and before.ordinal == after.ordinal and before.level == after.level


def _evidence(monitor: Monitor, scope: Scope, look: Look, start_ms: int, end_ms: int, *, extended: bool) -> Evidence:
    return Evidence(
        tenant="",
        manifest_digest="",
        monitor_id=monitor.id,
        scope=scope,
        start_ms=start_ms,
        end_ms=end_ms,
        outcome=_NO_NUMBER,
        verdict=look.verdict,
        levels=look.levels,
        revision={},
        extended=extended,
    )
