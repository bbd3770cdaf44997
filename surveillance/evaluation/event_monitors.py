"""`maxsprt_poisson` and `event_count`: events from the manifest's first one on, folded in the order of base panes.

Something can only begin at a pane that holds matching events, or that uses up a test's horizon, so there evidence is made, and
at the newest end. It depends on rows alone: a late row takes back what was said from its pane on, and says it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.maxsprt_poisson import maxsprt_poisson
from surveillance.arrays import Int
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.mirror import Table, merged
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.windowed import scope_with_feature
from surveillance.manifest.metrics_safety import MaxSprtPoisson
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.statistics import Safety
from surveillance.times import floor_to


class _Course(NamedTuple):
    """Panes of one scope, ascending, with running sums of matching events and uses through each, and its own events."""

    panes: Int
    events: Int
    uses: Int
    own: Int


class EventMonitor:
    """Judges one cumulative monitor of events of one subject."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        self.subject, self.monitor = subject, monitor
        self.pane_ms = subject.plan.base_pane_ms
        self.series = [one for one in subject.plan.series if one.monitor is monitor]
        self._tables = [subject.mirror.table(subject.table_key(one.statistic, one.statistic_axes)) for one in self.series]
        self._dirty = [table.subscribe() for table in self._tables]
        self._courses: list[dict[int | None, _Course]] = [{} for _ in self.series]
        self._judged_end: int | None = None
        self._first: int | None = None
        self._partial: set[int] = set()

    @property
    def is_cumulative(self) -> bool:
        """Each of its evaluations stands as it is."""
        return False

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of every pane since the last call, or since the first that was corrected, in which something happened."""
        superseded, first = self.subject.superseded_ms, self.subject.first_event_pane()
        reached = moment.watermark_ms if superseded is None else min(moment.watermark_ms, superseded)
        end = floor_to(reached, self.pane_ms)
        if first is None or end <= first or (end == self._judged_end and not moment.final):
            return
        changed = min((pane for reader in self._dirty for pane, _ in reader), default=end)
        for courses, reader in zip(self._courses, self._dirty, strict=True):
            for _, code in reader:
                courses.pop(code, None)
            reader.clear()
        since = min(changed, end if self._judged_end is None else self._judged_end) if first == self._first else first
        completed = {one for one in self._partial if one <= moment.complete_ms}
        found: dict[int, list[Judged]] = {}
        for at in range(len(self.series)):
            for judged_end, judged in self._of_series(at, first, since, end, completed):
                found.setdefault(judged_end, []).append(judged)
        revision = self._revision()
        for judged_end, several in sorted(found.items()):
            told = [one._replace(revision=revision) for one in several]
            yield from evidence_of(self.subject, self.monitor, judged_end, told, moment)
        self._partial = {one for one in self._partial - completed | set(found) if one > moment.complete_ms}
        self._judged_end, self._first = end, first

    def _revision(self) -> dict[int, int]:
        return merged([*(table.largest_version for table in self._tables), self.subject.first_event_revision()])

    def _of_series(self, at: int, first: int, since: int, end: int, completed: set[int]) -> Iterator[tuple[int, Judged]]:
        series, table, courses = self.series[at], self._tables[at], self._courses[at]
        seen: list[int | None] = [code for code in range(len(table.groups)) if table.first_pane[code] < end]
        if not seen and not series.axes:
            seen = [None]
        for code in seen:
            scope = scope_with_feature(series, table.groups[code] if code is not None else "")
            if code not in courses:
                courses[code] = _course(table, code)
            course = courses[code]
            for through in self._told(course, since, end, completed):
                finding, counts = self._finding(course, through)
                yield through, Judged(series, scope, first, finding, counts)

    def _told(self, course: _Course, since: int, end: int, completed: set[int]) -> list[int]:
        """Ends at which something is to be said: of panes with events, of the one that used up the horizon, and the newest."""
        happened = course.own > 0
        horizon = self._horizon_uses()
        if horizon is not None:
            reached = np.flatnonzero(course.uses >= horizon)
            happened[reached[:1]] = True
        ends = course.panes[happened] + self.pane_ms
        ends = ends[ends <= end]
        return sorted({*ends[ends > since].tolist(), *(set(ends.tolist()) & completed), end})

    def _horizon_uses(self) -> float | None:
        metric = self.monitor.metric
        if not isinstance(metric, MaxSprtPoisson):
            return None
        return metric.horizon * 10_000 / (metric.rr0 * metric.expected_per_10k)

    def _finding(self, course: _Course, through: int) -> tuple[Finding, tuple[int, ...]]:
        """What is known at an end, and (events, uses) up to it."""
        before = int(np.searchsorted(course.panes + self.pane_ms, through, side="right"))
        events = int(course.events[before - 1]) if before else 0
        uses = int(course.uses[before - 1]) if before else 0
        metric = self.monitor.metric
        if not isinstance(metric, MaxSprtPoisson):
            outcome: Outcome = Estimate(float(events), float(events), float(events), events, "count")
            return Finding(outcome), (events, uses)
        horizon = self._horizon_uses()
        if horizon is not None and uses >= horizon:
            return Finding(Insufficient(Reason.EXHAUSTED, events), exhausted=True), (events, uses)
        last = np.flatnonzero(course.own[:before] > 0)
        # The ratio is worked out where events came, and stands until the next ones: between them only the expectation grows.
        at_event = int(course.uses[last[-1]]) if len(last) else uses
        mu = metric.rr0 * metric.expected_per_10k * at_event / 10_000
        found = maxsprt_poisson([events], [mu], horizon=metric.horizon, minimum_events=metric.minimum_events)
        return Finding(found[0]), (events, uses)


def _course(table: Table, code: int | None) -> _Course:
    nothing = np.zeros(0, np.int64)
    if code is None:
        return _Course(nothing, nothing, nothing, nothing)
    panes = sorted(pane for pane, groups in table.panes.items() if code in groups)
    if not panes:
        return _Course(nothing, nothing, nothing, nothing)
    counts = np.stack([table.panes[pane][code] for pane in panes])
    own = counts[:, Safety.MATCHED]
    return _Course(np.array(panes, np.int64), np.cumsum(own), np.cumsum(counts[:, Safety.USES]), own)
