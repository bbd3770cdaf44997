"""Which windows of a monitor are judged, and when: tumbling, sliding, or cumulative from the manifest's first event.

New windows are judged when the watermark passes an end of the monitor's own windows, together with closed ones whose data
were revised or whose labels became mature since. Results depend on window sums alone, never on when rows came.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from surveillance.evaluation.due_windows import ChangedRow, DueWindows
from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Judged, Moment, Subject, evidence_of
from surveillance.evaluation.mirror import Axes, is_within, merged
from surveillance.evaluation.reaching_back import LONGEST_EXTENSION_MS
from surveillance.evaluation.window_sums import WindowSums
from surveillance.manifest.metric_kind import Labelled
from surveillance.manifest.model_monitors import Monitor
from surveillance.panes.groups import scope_of
from surveillance.panes.plan import Series
from surveillance.times import floor_to


class WindowedMonitor(ABC):
    """Judges one monitor of one subject; a subclass says what a window gives for each scope."""

    reads_all_before = False
    """Whether a window's result rests on all earlier panes of its statistic."""
    zero_is_a_count = False
    """Whether a window in which nothing is counted says something: that the count is zero."""

    def __init__(self, subject: Subject, monitor: Monitor) -> None:
        self.subject, self.monitor = subject, monitor
        self.series = [one for one in subject.plan.series if one.monitor is monitor]
        window = subject.plan.manifest.surveillance.window(monitor.window) if monitor.window else None
        self.size_ms = window.size_ms if window is not None else None
        self.slide_ms = window.slide_ms if window is not None else subject.plan.base_pane_ms
        latency = subject.plan.manifest.baselines.label_latency
        self._or_age_ms = latency.maturity.or_age_ms if latency is not None else None
        self._sums = [self.sums_of(one.statistic, one.statistic_axes) for one in self.series]
        self._dirty = [sums.table.subscribe() for sums in self._sums]
        self.beside = {
            (name, one.statistic_axes): self.sums_of(name, one.statistic_axes) for one in self.series for name in one.read_beside
        }
        self._beside_dirty = [
            (number, table := self.beside[name, one.statistic_axes].table, table.subscribe())
            for number, one in enumerate(self.series)
            for name in one.read_beside
        ]
        self._windows = DueWindows(self.size_ms, self.slide_ms, or_age_ms=self._or_age_ms, reads_all_before=self.reads_all_before)
        self._begins: dict[tuple[int, int], int] = {}
        """(series, group code) -> start of its first pane, as last looked at."""

    @property
    def is_cumulative(self) -> bool:
        """Whether it is one window that grows, judged at its newest end only."""
        return self.size_ms is None and not self.reads_all_before

    def judge(self, moment: Moment) -> Iterator[Evidence]:
        """Evidence of windows that have closed, changed, matured or become complete since the last call, ascending by end."""
        end, first = self._last_end(moment), self.first_pane()
        if first is None or (end == self._windows.newest_end and not moment.final):
            return
        again, fresh = self._windows.due(first, end, self._changed(), moment)
        for ended in again:
            yield from self._at(ended, first, moment)
        for ended in fresh:
            # A window with nothing in it and nothing before it can be conclusive for no scope.
            if ended == end or self._has_data(ended):
                yield from self._at(ended, first, moment)

    def stands(self, end_ms: int, taken: Moment, offsets: Mapping[int, int]) -> bool:
        """Of what reads all before its end, only the newest look and those at windows with newer rows are taken again."""
        if not self._windows.reads_all_before or end_ms >= self._last_end(taken):
            return False
        size_ms = self.size_ms
        return size_ms is None or all(is_within(sums.revision(end_ms - size_ms, end_ms), offsets) for sums in self._sums)

    def first_pane(self) -> int | None:
        """Start of the pane from which on windows are judged: that of the manifest's first event."""
        return self.subject.first_event_pane()

    def _changed(self) -> list[ChangedRow]:
        newest = self._windows.newest_end
        # What has changed in no window that was judged is nothing to judge again.
        since_ms = math.inf if newest is None or self.zero_is_a_count else newest
        changed = [
            ChangedRow(number, pane, code)
            for number, reader in enumerate(self._dirty)
            for pane, code in reader
            if pane < since_ms
        ]
        for reader in self._dirty:
            reader.clear()
        for number, table, reader in self._beside_dirty:
            for pane, beside in reader:
                code = self._sums[number].table.code_of(table.groups[beside]) if pane < since_ms else None
                # A group that the series itself does not know yet is looked at when its own rows come.
                if code is not None:
                    changed.append(ChangedRow(number, pane, code))
            reader.clear()
        return changed + self._newly_empty(changed) if self.zero_is_a_count else changed

    def _newly_empty(self, changed: Sequence[ChangedRow]) -> list[ChangedRow]:
        """Panes of a scope that turns out to begin earlier: windows there, judged without it, are zeros of it."""
        found, newest = [], self._windows.newest_end
        for number, code in {(row.series, row.code) for row in changed}:
            begins = self._sums[number].table.first_pane[code]
            known = self._begins.get((number, code), newest)
            if known is not None:
                found += [ChangedRow(number, pane, code) for pane in range(begins, known, self.slide_ms)]
            self._begins[number, code] = begins
        return found

    # which windows ----------------------------------------------------------------------------------------
    def _last_end(self, moment: Moment) -> int:
        end = floor_to(moment.watermark_ms, self.slide_ms)
        superseded = self.subject.superseded_ms
        if superseded is None:
            return end
        if self._is_labelled():
            if self._or_age_ms is None:
                return end
            superseded += self._or_age_ms
        return min(end, floor_to(superseded, self.slide_ms))

    def _is_labelled(self) -> bool:
        return isinstance(self.monitor.metric, Labelled) or self.monitor.metric.type == "label_arrivals_vs_expected"

    def _has_data(self, end: int) -> bool:
        if self.size_ms is None or self.zero_is_a_count:
            return True
        reach = LONGEST_EXTENSION_MS if self.accumulates() else self.size_ms
        start = end - max(reach, self.size_ms)
        return any(sums.table.holds_any(start, end, sums.pane_ms) for sums in self._sums)

    def accumulates(self) -> bool:
        return self.subject.plan.manifest.strata.below_min == "accumulate"

    # one window -------------------------------------------------------------------------------------------
    def _at(self, end: int, first: int, moment: Moment) -> Iterator[Evidence]:
        start = first if self.size_ms is None else end - self.size_ms
        judged: list[Judged] = []
        reach: dict[tuple[int, int], int] = {}
        for number, (series, sums) in enumerate(zip(self.series, self._sums, strict=True)):
            found = list(self.scopes(series, sums, start, end, moment))
            judged += found
            reach |= {(number, one.code): one.reach_ms for one in found if one.reach_ms is not None}
        revision = self.revision(min(reach.values(), default=start), end)
        mature = all(one.mature for one in judged)
        self._windows.judged(end, reach=reach, mature=mature, partial=moment.complete_ms < end)
        yield from evidence_of(self.subject, self.monitor, end, judged, moment, revision)

    def revision(self, reach: int, end: int) -> Mapping[int, int]:
        """Revision of everything that a result at this window end rests on: multiplicity joins all scopes of a monitor."""
        read = [sums.revision(reach, end) for sums in (*self._sums, *self.beside.values())]
        if self.zero_is_a_count:  # where a scope began decides whether it has a zero here
            tables = [sums.table for sums in self._sums]
            read += [table.versions[begins] for table in tables for begins in set(table.first_pane) if begins < end]
        return merged(read if self.size_ms is not None else [*read, self.subject.first_event_revision()])

    @abstractmethod
    def scopes(self, series: Series, sums: WindowSums, start: int, end: int, moment: Moment) -> Iterator[Judged]:
        """Every scope of a series that has been seen before the window's end."""

    def sums_of(self, statistic: str, axes: Axes) -> WindowSums:
        length = self.subject.plan.statistic(statistic).length
        return WindowSums(*self.subject.panes_of(statistic, axes), length, cumulative=self.size_ms is None)


def scope_with_feature(series: Series, group: str) -> Scope:
    """Scope of a stored group, with the key `feature` where the monitor has one series per feature."""
    return _scope(group, series.feature)


@lru_cache(100_000)
def _scope(group: str, feature: str | None) -> Scope:
    levels = dict(scope_of(group))
    if feature is not None:
        levels["feature"] = feature
    return tuple(sorted(levels.items()))
