"""`maxsprt_poisson` and `event_count`: events from the manifest's first one on, folded in the order of base panes.

What is known changes at panes that hold matching events, and at the one that uses up a test's horizon. So evidence is made
there, for as many panes after it as persistence asks for, and at the newest end. It depends on rows alone: a late row takes
back what was said of its scope from its pane on, and says it again.
"""

from __future__ import annotations

from collections.abc import Iterator

from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.maxsprt_poisson import maxsprt_poisson
from surveillance.evaluation.event_course import EventCourse
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.revision_through import RevisionThrough
from surveillance.evaluation.verdict import Finding
from surveillance.evaluation.windowed import scope_with_feature
from surveillance.manifest.metrics_safety import MaxSprtPoisson
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes import statistics
from surveillance.panes.statistics import Safety
from surveillance.times import floor_to


class EventMonitor:
    """Judges one cumulative monitor of events of one subject."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        self.subject, self.monitor = subject, monitor
        self.pane_ms = subject.plan.base_pane_ms
        self.series = [one for one in subject.plan.series if one.monitor is monitor]
        read = [subject.panes_of(one.statistic, one.statistic_axes) for one in self.series]
        self._tables = [table for table, _ in read]
        self._dirty = [table.subscribe() for table in self._tables]
        self._revision = RevisionThrough([subject.panes_of(statistics.SPAN, ()), *read])
        self._courses: list[dict[str, EventCourse]] = [{} if one.axes else {"": EventCourse()} for one in self.series]
        rules = [subject.plan.manifest.persistence_of(monitor, level) for level in LEVELS]
        self._steady = max(max(rule.of, rule.clear_after) for rule in rules)
        """Panes from one in which something happened on that can matter to an incident."""
        self._judged_end: int | None = None
        self._first: int | None = None
        self._partial: set[int] = set()

    @property
    def is_cumulative(self) -> bool:
        """Each of its evaluations stands as it is."""
        return False

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of every pane since the last call, or since the first that was corrected, that can matter."""
        superseded, first = self.subject.superseded_ms, self.subject.first_event_pane()
        reached = moment.watermark_ms if superseded is None else min(moment.watermark_ms, superseded)
        end = floor_to(reached, self.pane_ms)
        if first is None or end <= first or (end == self._judged_end and not moment.final):
            return
        self._take_rows()
        completed = {one for one in self._partial if one <= moment.complete_ms}
        judged_end = first if first != self._first or self._judged_end is None else self._judged_end
        found: dict[int, list[Judged]] = {}
        for series, courses in zip(self.series, self._courses, strict=True):
            for text, course in sorted(courses.items()):
                scope = scope_with_feature(series, text)
                for through in self._told(course, judged_end, end, completed):
                    if series.axes and not course.has_begun(through):
                        continue
                    finding, counts = self._finding(course, through)
                    found.setdefault(through, []).append(Judged(series, scope, first, finding, counts))
        for through, several in sorted(found.items()):
            yield from evidence_of(self.subject, self.monitor, through, several, moment, self._revision.to(through))
        self._partial = {one for one in self._partial - completed | set(found) if one > moment.complete_ms}
        self._judged_end, self._first = end, first

    def _take_rows(self) -> None:
        for table, reader, courses in zip(self._tables, self._dirty, self._courses, strict=True):
            for (pane, code), counts in reader.items():
                course = courses.setdefault(table.groups[code], EventCourse())
                course.put(pane, int(counts[Safety.USES]), int(counts[Safety.MATCHED]))
            reader.clear()

    def _told(self, course: EventCourse, judged_end: int, end: int, completed: set[int]) -> list[int]:
        """Ends at which something is to be said."""
        changed = course.take_changed_from()
        since = judged_end if changed is None else min(changed, judged_end)
        happened = course.event_panes(since - self._steady * self.pane_ms)
        first_use = course.first_use_after_events()
        if first_use is not None:
            happened.append(first_use)
        horizon = self._horizon_uses()
        exhausted_in = course.pane_reaching(horizon) if horizon is not None else None
        if exhausted_in is not None:
            happened.append(exhausted_in)
        ends = {pane + after * self.pane_ms for pane in happened for after in range(1, self._steady + 1)}
        return sorted({one for one in ends if since < one <= end} | completed | {end})

    def _horizon_uses(self) -> float | None:
        metric = self.monitor.metric
        if not isinstance(metric, MaxSprtPoisson):
            return None
        return metric.horizon * 10_000 / (metric.rr0 * metric.expected_per_10k)

    def _finding(self, course: EventCourse, through: int) -> tuple[Finding, tuple[int, ...]]:
        """What is known at an end, and (events, uses) up to it."""
        events, uses = course.through(through)
        metric = self.monitor.metric
        if not isinstance(metric, MaxSprtPoisson):
            outcome: Outcome = Estimate(float(events), float(events), float(events), events, "count")
            return Finding(outcome), (events, uses)
        horizon = self._horizon_uses()
        if horizon is not None and uses >= horizon:
            return Finding(Insufficient(Reason.EXHAUSTED, events), exhausted=True), (events, uses)
        # The ratio is worked out where events came, and stands until the next ones: between them only the expectation grows.
        mu = metric.rr0 * metric.expected_per_10k * course.uses_at_last_event(through) / 10_000
        found = maxsprt_poisson([events], [mu], horizon=metric.horizon, minimum_events=metric.minimum_events)
        return Finding(found[0]), (events, uses)
