"""A long quiet time, simulated on counts: how often a monitor that judges sums of windows would open an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.evaluation.verdict import Finding, Verdict
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.chance import Chance, chance
from surveillance.foresight.field_scopes import FieldScope
from surveillance.foresight.incident_walk import incidents_by_level
from surveillance.foresight.looks import Examiner, adjusted_together
from surveillance.foresight.looks_together import are_judged_together, findings_together
from surveillance.foresight.quiet_field import World
from surveillance.foresight.volume import drawn_cases, expected_cases
from surveillance.manifest.manifest import Manifest
from surveillance.panes.lengths import length_of
from surveillance.panes.plan import Series
from surveillance.times import DAY_MS

MOST_LOOKS = 10_000
"""Looks simulated for a scope at most."""
LOOKS_IN_ALL = 15_000
"""Looks simulated for a monitor, over its scopes."""
LOOKS_TOGETHER, LOOKS_ALONE = 1000, 3000
"""Looks of types that are estimated look by look: of many groups, and of one."""
COUNTS_IN_ALL = 1_500_000
"""Integers drawn for a monitor: long vectors get fewer looks."""
OFTEN = 0.2
"""Share of breached looks from which a number of incidents alone would mislead."""
_YEAR_STEPS = 365
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
    """Incidents raised by level over `days` of one fleet. `alike` groups are counted as often as they stand in the field.

    `breached` = share of looks that breach a level: one that always does raises one incident, which never ends.
    """

    raised: Mapping[str, float]
    days: float
    breached: Mapping[str, float]

    def how(self, level: str) -> str:
        """How the number came about, and that it is no rare event where it is none."""
        often = self.breached.get(level, 0.0)
        told = f"simulated over {self.days:.0f} days"
        return told if often < OFTEN else f"{told}: {often:.0%} of the looks at a quiet field breach it"

    def per_30_days(self, level: str) -> float:
        """Mean number of incidents raised to a level in 30 days."""
        return self.raised.get(level, 0.0) * 30 / self.days


@dataclass(frozen=True, slots=True)
class _Line:
    """Window sums of one cell, look by look, with where each window starts and ends."""

    cell: Cell
    examiner: Examiner
    counts: Int
    starts_ms: Int
    ends_ms: Int


class QuietLines:
    """Simulated windows of all cells of one monitor, kept so that other limits can be tried on the same windows."""

    def __init__(self, manifest: Manifest, digest: str, field: FieldAssumptions, cells: Sequence[Cell]) -> None:
        self.manifest = manifest
        monitor = cells[0].series.monitor
        window = manifest.surveillance.window(monitor.window) if monitor.window is not None else None
        self.size_ms = window.size_ms if window is not None else None
        self._stride, self.step_ms = (1, DAY_MS) if window is None else steps_of(window.size_ms, window.slide_ms)
        length = length_of(manifest, cells[0].series.statistic)
        self._together = are_judged_together(manifest, monitor)
        looks = _looks(len(cells), length, cumulative=window is None, together=self._together)
        self._seen = round(sum(cell.scope.alike for cell in cells))
        self._steps = looks + self._stride - 1
        self.days = looks * self.step_ms / DAY_MS
        common = chance(digest, monitor.id, "common").standard_normal(self._steps)
        self.cells = tuple(cells)
        self._lines = [
            self._line(chance(digest, monitor.id, str(number)), field, cell, common) for number, cell in enumerate(cells)
        ]

    def _line(self, draws: Chance, field: FieldAssumptions, cell: Cell, common: Float) -> _Line:
        expected = expected_cases(field, cell.scope.share, self.step_ms, self._steps)
        cases = drawn_cases(draws, field, cell.scope.share, expected)
        steps = cell.world.draw(draws, cases, common)
        examiner = Examiner(self.manifest, cell.series, cell.scope.scope)
        ends = MONDAY_MS + (np.arange(self._steps) + 1) * self.step_ms
        if self.size_ms is None:
            year = np.arange(self._steps) // _YEAR_STEPS
            sums = np.concatenate([np.cumsum(steps[year == one], axis=0) for one in range(int(year[-1]) + 1)])
            starts = MONDAY_MS + year * _YEAR_STEPS * self.step_ms
            return _Line(cell, examiner, sums, starts, ends)
        stride = self._stride
        total = np.concatenate([np.zeros((1, steps.shape[1]), np.int64), np.cumsum(steps, axis=0)])
        sums = total[stride:] - total[:-stride]
        windows = examiner.extended(sums, stride)
        ends = ends[stride - 1 :]
        return _Line(cell, examiner, windows.counts, ends - windows.spans * self.size_ms, ends)

    def judged(self, manifest: Manifest, series: Sequence[Series]) -> QuietTime:
        """What the monitor, with limits as this manifest has them, would raise; `series` replace those of the cells."""
        pairs = list(zip(series, self._lines, strict=True))
        examiners = [Examiner(manifest, one, line.cell.scope.scope, self._seen) for one, line in pairs]
        findings = self._findings_together(manifest, series) if self._together else self._findings(examiners)
        raised: dict[str, float] = {}
        breaches: Counter[str] = Counter()
        looked = 0
        adjusted = adjusted_together(manifest, findings)
        for examiner, line, row in zip(examiners, self._lines, adjusted, strict=True):
            looks = examiner.looks(row)
            looked += len(looks)
            breaches.update(level for look in looks for level, verdict in look.levels.items() if verdict is Verdict.BREACHED)
            for part in self._parts(line):
                found = incidents_by_level(
                    manifest, examiner.monitor, line.cell.scope.scope, looks[part], line.ends_ms[part], line.starts_ms[part]
                )
                for level, times in found.items():
                    raised[level] = raised.get(level, 0.0) + times * line.cell.scope.alike
        return QuietTime(raised, self.days, {level: times / looked for level, times in breaches.items()})

    def _findings(self, examiners: Sequence[Examiner]) -> list[list[Finding]]:
        return [one.findings(line.counts) for one, line in zip(examiners, self._lines, strict=True)]

    def _findings_together(self, manifest: Manifest, series: Sequence[Series]) -> list[list[Finding]]:
        scopes, counts = [line.cell.scope.scope for line in self._lines], [line.counts for line in self._lines]
        return findings_together(manifest, series, scopes, counts, self._lines[0].starts_ms, self._lines[0].ends_ms)

    def _parts(self, line: _Line) -> list[slice]:
        """A cumulative series is simulated year by year, each from its own first event."""
        if self.size_ms is not None:
            return [slice(None)]
        return [slice(at, at + _YEAR_STEPS) for at in range(0, len(line.ends_ms), _YEAR_STEPS)]


def _looks(cells: int, length: int, *, cumulative: bool, together: bool) -> int:
    in_all = min(max(LOOKS_TOGETHER, LOOKS_ALONE // cells) * cells if together else LOOKS_IN_ALL, COUNTS_IN_ALL // length)
    looks = max(200, min(MOST_LOOKS, in_all // cells))
    return max(1, looks // _YEAR_STEPS) * _YEAR_STEPS if cumulative else looks
