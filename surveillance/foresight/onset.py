"""What the looks after the onset of a harm would say: the chance of each verdict, from windows drawn before, during and after."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.reaching_back import LONGEST_EXTENSION_MS
from surveillance.evaluation.verdict import Finding, Verdict, level_verdict
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.chance import Chance, chance
from surveillance.foresight.looks import Examiner
from surveillance.foresight.looks_together import are_judged_together, findings_together
from surveillance.foresight.quiet_field import World
from surveillance.foresight.quiet_time import MONDAY_MS, Cell, steps_of
from surveillance.foresight.volume import drawn_cases, expected_cases
from surveillance.manifest.manifest import Manifest
from surveillance.panes.lengths import length_of
from surveillance.times import DAY_MS

WINDOWS = 160
"""Windows drawn for each chance."""
MOST_WINDOWS, MOST_COUNTS = 5000, 1_000_000
"""Windows, and integers of windows, drawn at most where a chance must be known well."""
WELL_KNOWN = 0.04
"""Standard error of such a chance, as part of it: the days to two breaches of three go by its square."""


class Chances(NamedTuple):
    """Probability that one look breaches a level, or is met there."""

    breach: float
    met: float


class Shortfall(NamedTuple):
    """A look takes in `days` at most, in which `expected` cases come where it needs `needed`."""

    expected: float
    needed: int
    days: float


class Onset:
    """A series at one scope around the onset of a harm, for one level.

    `peers` = the other groups that it is compared with, where its type does so, in which all stays well. `spans` = whole
    windows that a look takes, more than one where the minimum sample asks for it.
    """

    def __init__(
        self, manifest: Manifest, seed: str, field: FieldAssumptions, cell: Cell, level: str, peers: Sequence[Cell] = ()
    ) -> None:
        monitor = cell.series.monitor
        window = manifest.surveillance.window(monitor.window) if monitor.window is not None else None
        self._examiner = Examiner(manifest, cell.series, cell.scope.scope, round(cell.scope.alike) + len(peers))
        self._manifest, self._peers, self._together = manifest, peers, are_judged_together(manifest, monitor)
        self._cell, self._field, self._level = cell, field, level
        self._names = (seed, monitor.id, str(cell.scope.scope), level)
        self.size_ms = window.size_ms if window is not None else DAY_MS
        self.slide_ms = steps_of(window.size_ms, window.slide_ms)[1] if window is not None else DAY_MS
        self.spans = self._spans()

    @property
    def width_ms(self) -> int:
        """Length of what a look takes in."""
        return self.spans * self.size_ms

    @cached_property
    def shortfall(self) -> Shortfall | None:
        """Where a look is expected not to reach the minimum sample, however far it reaches back."""
        expected, needed = self._size_of(self.width_ms), self._examiner.needed
        return Shortfall(expected, needed, self.width_ms / DAY_MS) if expected < needed else None

    def chances(self, after: World, share: float, *, finely: bool = False) -> Chances:
        """Verdicts of looks of which this share of time lies after the onset; the draws are the same for every harm.

        `finely`: from so many windows that the chance to breach is well known.
        """
        found = self._drawn(after, share, WINDOWS)
        if not finely or found.breach == 0.0:
            return found
        wanted = (1.0 - found.breach) / found.breach / WELL_KNOWN**2
        windows = min(int(wanted), MOST_WINDOWS, MOST_COUNTS // length_of(self._manifest, self._cell.series.statistic))
        return self._drawn(after, share, windows) if windows > WINDOWS else found

    def _drawn(self, after: World, share: float, windows: int) -> Chances:
        draws = chance(*self._names, f"{share:.3f}")
        cases = self._cases(self.width_ms, windows)
        late = draws.binomial(cases, share)
        common = draws.standard_normal(windows)
        counts = after.draw(draws, late, common)
        if share < 1.0:
            counts = counts + self._cell.world.draw(draws, cases - late, common)
        limit = self._cell.series.monitor.limits.by_level[self._level]
        findings = self._beside_peers(draws, counts) if self._together else self._examiner.findings(counts)
        verdicts = [level_verdict(limit, finding, self._examiner.family) for finding in findings]
        return Chances(_share_of(verdicts, Verdict.BREACHED), _share_of(verdicts, Verdict.MET))

    def _beside_peers(self, draws: Chance, counts: Int) -> list[Finding]:
        """Findings of its own windows, each beside those of its peers at the same time."""
        windows = len(counts)
        everyone = [counts]
        for peer in self._peers:
            expected = expected_cases(self._field, peer.scope.share, self.width_ms, windows)
            cases = drawn_cases(draws, self._field, peer.scope.share, expected)
            everyone.append(peer.world.draw(draws, cases, np.zeros(windows)))
        cells = [self._cell, *self._peers]
        ends = MONDAY_MS + (np.arange(windows) + 1) * self.width_ms
        series, scopes = [cell.series for cell in cells], [cell.scope.scope for cell in cells]
        return findings_together(self._manifest, series, scopes, everyone, ends - self.width_ms, ends)[0]

    def _cases(self, width_ms: int, windows: int) -> Int:
        """Inferences (windows,) of windows spread over the hours of the week."""
        draws = chance(*self._names, "cases")
        expected = expected_cases(self._field, self._cell.scope.share, width_ms, windows)
        return drawn_cases(draws, self._field, self._cell.scope.share, expected)

    def _size_of(self, width_ms: int) -> float:
        """Mean n of windows of a width in the quiet field."""
        draws = chance(*self._names, "sizes")
        counts = self._cell.world.draw(draws, self._cases(width_ms, WINDOWS), np.zeros(WINDOWS))
        return float(self._examiner.sizes(counts).mean())

    def _spans(self) -> int:
        if not self._examiner.accumulates or self._examiner.needed == 0:
            return 1
        mean = self._size_of(self.size_ms)
        if mean <= 0:
            return 1
        # Windows that fall short by chance take one more: so that most looks say something.
        spans = (
            int(np.ceil((self._examiner.needed + np.sqrt(self._examiner.needed)) / mean)) if mean < self._examiner.needed else 1
        )
        return max(1, min(spans, LONGEST_EXTENSION_MS // self.size_ms))


def _share_of(verdicts: Sequence[Verdict], wanted: Verdict) -> float:
    return sum(verdict is wanted for verdict in verdicts) / len(verdicts)
