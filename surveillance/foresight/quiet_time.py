"""A long quiet time, simulated on counts: how often a monitor that judges sums of windows would open an incident."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from detectors.estimate import Estimate
from surveillance.arrays import Float, Int
from surveillance.evaluation.verdict import Finding, Verdict
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.chance import chance
from surveillance.foresight.course import Course
from surveillance.foresight.field_scopes import FieldScope
from surveillance.foresight.incident_walk import incidents_by_level
from surveillance.foresight.looks import Examiner, adjusted_together
from surveillance.foresight.looks_together import (
    are_judged_together,
    are_simulated_together,
    findings_together,
    largest_adjusted,
)
from surveillance.foresight.quiet_field import World
from surveillance.foresight.simulated_rate import UNSEEN, Rate, chance_of_coincidence, squared_error
from surveillance.foresight.volume import drawn_cases, expected_cases
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.model_monitors import IntervalChoice, Monitor
from surveillance.panes.lengths import length_of
from surveillance.panes.plan import Series
from surveillance.times import DAY_MS

FEWEST_LOOKS = 200
"""Looks simulated at a cell at least."""
FIRST_LOOKS, MOST_LOOKS = 15_000, 200_000
"""Looks simulated for a monitor, over its scopes: at first, and where that leaves too large an error at most."""
JUDGED_LOOKS = 45_000
"""Findings judged at most: of counts that repeat themselves there are fewer than looks."""
LOOKS_TOGETHER, LOOKS_ALONE = 1000, 3000
"""Looks of types that are estimated look by look: of many groups, and of one."""
FIRST_COUNTS, MOST_COUNTS = 1_500_000, 3_000_000
"""Integers drawn for a monitor, at first and at most: long vectors get fewer looks."""
OFTEN = 0.2
"""Share of breached looks from which a number of incidents alone would mislead."""
_PART, _SMALL, _PART_OF_BUDGET = 0.05, 0.02, 0.1
"""Standard errors for the sake of which nothing more is simulated: of the number, in incidents per 30 days, of the budget."""
_YEAR_STEPS = 365
_YEAR_MS = 365 * DAY_MS
"""A line of looks starts anew after as long: what an incident that never clears keeps from opening is told of a year."""
_MONTH_MS = 30 * DAY_MS
MONDAY_MS = 4 * DAY_MS


_MOST_STEPS_A_WINDOW = 500
"""Looks at one window while it moves by its own length: oftener ones say nearly the same."""


def steps_of(size_ms: int, slide_ms: int) -> tuple[int, int]:
    """Steps in a window and the length of a step: the slide, or where that is very short a longer one."""
    stride = min(max(1, size_ms // slide_ms), _MOST_STEPS_A_WINDOW)
    return stride, max(1, size_ms // stride)


class Cell(NamedTuple):
    """A series at one scope of the field, and the world it draws from."""

    series: Series
    scope: FieldScope
    world: World


@dataclass(frozen=True, slots=True)
class QuietTime:
    """Incidents by level over `days`, added up over the scopes that were simulated. `distinct` = findings that were judged, as
    part of the looks."""

    days: float
    rates: Mapping[str, Rate]
    distinct: float

    def is_precise(self, budget: Mapping[str, float]) -> bool:
        """Whether at each level the error is small: against the number, by itself, and against the level's budget."""
        return all(
            rate.error <= max(_PART * rate.per_30_days, min(_SMALL, _PART_OF_BUDGET * budget.get(level, math.inf)))
            for level, rate in self.rates.items()
        )

    def how(self, level: str) -> str:
        """How the number came about, and that it is no rare event where it is none."""
        often = self.rates[level].breached
        told = f"simulated over {self.days:,.0f} days of a scope"
        return told if often < OFTEN else f"{told}: {often:.0%} of the looks at a quiet field breach it"


@dataclass(frozen=True, slots=True)
class _Line:
    """Window sums of one cell, look by look, with where each window starts and ends; the parts that start anew, the mean number
    of windows in a look, and what an incident adds to those of 30 days of all scopes that the cell stands for."""

    cell: Cell
    examiner: Examiner
    counts: Int
    starts_ms: Int
    ends_ms: Int
    parts: Sequence[slice]
    spans: float
    weight: float


class QuietLines:
    """Simulated windows of all cells of one monitor, kept so that other limits can be tried on the same windows, and on the same
    findings where only limits differ.

    The scopes that a cell stands for are simulated as so much longer a time of one, cut into years; `looks` in all.
    """

    def __init__(
        self, manifest: Manifest, seed: str, field: FieldAssumptions, cells: Sequence[Cell], looks: int = FIRST_LOOKS
    ) -> None:
        self.manifest, self.cells = manifest, tuple(cells)
        self._seed, self._field = seed, field
        self._monitor = cells[0].series.monitor
        window = manifest.surveillance.window(self._monitor.window) if self._monitor.window is not None else None
        self._size_ms = window.size_ms if window is not None else None
        self._stride, self._step_ms = (1, DAY_MS) if window is None else steps_of(window.size_ms, window.slide_ms)
        self._together = are_judged_together(manifest, self._monitor)
        self._joint = are_simulated_together(manifest, self._monitor)
        self._seen = round(sum(cell.scope.alike for cell in cells))
        self._known: tuple[Manifest, IntervalChoice, list[tuple[list[Finding], Int]]] | None = None
        self._lines = [self._line(number, *each) for number, each in enumerate(zip(cells, self._looks(looks), strict=True))]

    def _looks(self, in_all: int) -> list[int]:
        """Looks at each cell: as many as the scopes that it stands for ask for, of those that there is time for."""
        cells, length = self.cells, length_of(self.manifest, self.cells[0].series.statistic)
        if self._together:
            in_all = max(LOOKS_TOGETHER, LOOKS_ALONE // len(cells)) * len(cells)
        in_all = min(in_all, (FIRST_COUNTS if in_all <= FIRST_LOOKS else MOST_COUNTS) // length)
        scopes = math.fsum(cell.scope.alike for cell in cells)
        share = [1 / len(cells) if self._joint else cell.scope.alike / scopes for cell in cells]
        found = [max(FEWEST_LOOKS, round(in_all * each)) for each in share]
        if self._size_ms is not None:
            return found
        return [max(1, looks // _YEAR_STEPS) * _YEAR_STEPS for looks in found]

    def _line(self, number: int, cell: Cell, looks: int) -> _Line:
        draws = chance(self._seed, self._monitor.id, str(number))
        steps, stride, step_ms = looks + self._stride - 1, self._stride, self._step_ms
        # Days that are odd for everyone are so for all scopes at once where their looks are set against each other.
        common = (chance(self._seed, self._monitor.id, "common") if self._joint else draws).standard_normal(steps)
        cases = drawn_cases(draws, self._field, cell.scope.share, expected_cases(self._field, cell.scope.share, step_ms, steps))
        drawn = cell.world.draw(draws, cases, common)
        examiner = Examiner(self.manifest, cell.series, cell.scope.scope)
        ends = MONDAY_MS + (np.arange(steps) + 1) * step_ms
        weight = cell.scope.alike * _MONTH_MS / (looks * step_ms)
        if self._size_ms is None:
            parts = _parts(looks, _YEAR_STEPS)
            sums = np.concatenate([np.cumsum(drawn[part], axis=0) for part in parts])
            starts = MONDAY_MS + np.arange(steps) // _YEAR_STEPS * _YEAR_STEPS * step_ms
            return _Line(cell, examiner, sums, starts, ends, parts, 1.0, weight)
        total = np.concatenate([np.zeros((1, drawn.shape[1]), np.int64), np.cumsum(drawn, axis=0)])
        windows, ends = examiner.extended(total[stride:] - total[:-stride], stride), ends[stride - 1 :]
        starts, parts = ends - windows.spans * self._size_ms, _parts(looks, max(1, _YEAR_MS // step_ms))
        return _Line(cell, examiner, windows.counts, starts, ends, parts, float(windows.spans.mean()), weight)

    def judged(self, manifest: Manifest, series: Sequence[Series]) -> QuietTime:
        """What the monitor, with limits as this manifest has them, would raise; `series` replace those of the cells."""
        monitor, found = series[0].monitor, self._findings(manifest, series)
        each = zip(self._examiners(manifest, series), found, strict=True)
        courses = [Course.of(one.looks(findings)).at(place) for one, (findings, place) in each]
        judged, looked = (sum(map(len, one)) for one in zip(*found, strict=True))
        raised = [self._raised(manifest, monitor, *each) for each in zip(self._lines, courses, strict=True)]
        rates = {}
        for level in monitor.limits.by_level:
            breached, idle = (_share(courses, verdict, level) for verdict in (Verdict.BREACHED, Verdict.INCONCLUSIVE))
            counts = [np.array([part[level] for part in parts], np.float64) for parts in raised]
            rates[level] = self._rate(counts, breached) or self._none_seen(manifest, monitor, level, breached, 1.0 - idle)
        return QuietTime(looked * self._step_ms / DAY_MS, rates, judged / looked)

    def values(self, manifest: Manifest, series: Sequence[Series]) -> Float:
        """The numbers that windows give, one for each finding that was judged."""
        found = (one.outcome for findings, _ in self._findings(manifest, series) for one in findings)
        return np.array([outcome.value for outcome in found if isinstance(outcome, Estimate)])

    def _examiners(self, manifest: Manifest, series: Sequence[Series]) -> list[Examiner]:
        each = zip(series, self.cells, strict=True)
        return [Examiner(manifest, one, cell.scope.scope, self._seen) for one, cell in each]

    def _findings(self, manifest: Manifest, series: Sequence[Series]) -> list[tuple[list[Finding], Int]]:
        """Findings of each cell, and which of them each look has."""
        if self._known is None or self._known[0] is not manifest or self._known[1] != series[0].monitor.interval:
            self._known = (manifest, series[0].monitor.interval, self._estimated(manifest, series))
        found, largest = self._known[2], largest_adjusted(manifest, series[0].monitor)
        if largest is None:
            return found
        rows = adjusted_together([[findings[at] for at in place.tolist()] for findings, place in found], largest)
        return [(row, np.arange(len(row))) for row in rows]

    def _estimated(self, manifest: Manifest, series: Sequence[Series]) -> list[tuple[list[Finding], Int]]:
        counts = [line.counts for line in self._lines]
        if not self._together:
            return [one.distinct_findings(sums) for one, sums in zip(self._examiners(manifest, series), counts, strict=True)]
        scopes, first = [cell.scope.scope for cell in self.cells], self._lines[0]
        rows = findings_together(manifest, series, scopes, counts, first.starts_ms, first.ends_ms)
        return [(row, np.arange(len(row))) for row in rows]

    def _raised(self, manifest: Manifest, monitor: Monitor, line: _Line, course: Course) -> list[Counter[str]]:
        """Incidents by level in each part of a line."""
        scope = line.cell.scope.scope
        return [
            incidents_by_level(manifest, monitor, scope, course.at(part), line.ends_ms[part], line.starts_ms[part])
            for part in line.parts
        ]

    def _rate(self, counts: Sequence[Float], breached: float) -> Rate | None:
        """From the incidents (P,) in the parts of each line; None where there are none."""
        weights = np.array([line.weight for line in self._lines])
        rate = math.fsum(float(weight * found.sum()) for weight, found in zip(weights, counts, strict=True))
        if rate == 0.0:
            return None
        if self._joint:
            return Rate(rate, math.sqrt(squared_error(np.stack(counts), weights)), breached)
        each = (squared_error(found[None], weights[at : at + 1]) for at, found in enumerate(counts))
        return Rate(rate, math.sqrt(math.fsum(each)), breached)

    def _none_seen(self, manifest: Manifest, monitor: Monitor, level: str, breached: float, conclusive: float) -> Rate:
        error = math.sqrt(UNSEEN) * max(line.weight for line in self._lines)
        if self._size_ms is not None and self._stride == 1:
            # Looks that share no events are independent: that several of those that conclude breach is rarer by a power.
            rule, sustained_ms = manifest.persistence_of(monitor, level), monitor.limits.by_level[level].sustained_ms
            k, of = (rule.k, rule.of) if sustained_ms is None else (max(1, sustained_ms // self._step_ms),) * 2
            apart = sum(len(line.ends_ms) / line.spans for line in self._lines)
            breach = max(breached, min(1.0, UNSEEN / apart))
            conclusive = max(conclusive, breach)
            chance_of_look = conclusive * chance_of_coincidence(breach / conclusive, k, of)
            error = min(error, self._seen * _MONTH_MS / self._step_ms * chance_of_look)
        return Rate(0.0, error, breached)


def _share(courses: Sequence[Course], verdict: Verdict, level: str) -> float:
    """Share of all looks that have the verdict at a level."""
    looks = sum(len(course.codes) for course in courses)
    return sum(int(course.are(verdict, level).sum()) for course in courses) / looks


def _parts(looks: int, longest: int) -> list[slice]:
    return [slice(at, min(at + longest, looks)) for at in range(0, looks, longest)]
