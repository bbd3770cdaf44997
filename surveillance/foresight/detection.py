"""Days until a harm opens an incident, and the smallest harm that does so in time, for monitors that judge sums of windows.

The chance of each verdict comes from windows drawn around the onset and judged by the monitor's own estimator and limits; how
chances make an incident is worked out: a chain of states for looks that share no events, correlated paths for those that do.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from surveillance.arrays import Int
from surveillance.foresight.harms import Harm, harmed
from surveillance.foresight.onset import Chances, Onset
from surveillance.foresight.persistence_chain import LONGEST_MEMORY, chance_within, first_hits, first_look
from surveillance.foresight.quiet_field import World
from surveillance.foresight.quiet_time import Cell
from surveillance.foresight.window_overlap import PATHS, verdict_paths
from surveillance.manifest.manifest import Manifest, Persistence
from surveillance.manifest.model_monitors import Monitor
from surveillance.times import DAY_MS

_SHARES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
"""Shares of a sliding window after the onset at which chances are drawn; between them they are interpolated."""
_MOST_LOOKS = 3000
_MOST_HALVINGS = 12
_BISECTIONS = 4
_LONGEST_SPAN = 1000
_FEW_PATHS = 250
"""Of the paths, enough to find a smallest harm."""
_HOPELESS = 1e-3
FALSE_ALARM = 0.2
"""Probability of a false alarm up to which a signal says something of a harm."""


Harming = Callable[[World, Monitor, Harm], World]
"""The world of a monitor after a harm has set in."""


class Detector:
    """One cell at one level: the onset, and the rule that turns looks into an incident."""

    def __init__(
        self, manifest: Manifest, onset: Onset, cell: Cell, level: str, delay_days: float, after: Harming = harmed
    ) -> None:
        self._after = after
        self._onset, self._cell, self._delay_days = onset, cell, delay_days
        monitor = cell.series.monitor
        self._monitor = monitor
        sustained = monitor.limits.by_level[level].sustained_ms
        rule = manifest.persistence_of(monitor, level)
        if sustained is not None:
            looks = max(1, min(sustained // onset.slide_ms, _LONGEST_SPAN))
            rule = Persistence(looks, looks, rule.clear_after, rule.cooldown_ms)
        self._rule = rule
        self._stride = max(1, onset.width_ms // onset.slide_ms)
        self._apart = self._stride if onset.spans > 1 else 1

    def days(self, harm: Harm, power: float) -> float | None:
        """Days from the onset, at the start of a window, until an incident has opened with this probability; None = never."""
        after = self._after(self._cell.world, self._monitor, harm)
        final = self._onset.chances(after, 1.0, finely=True)
        if final.breach < _HOPELESS or self._onset.shortfall is not None:
            return None
        looks = self._independent(final, power) if self._is_independent() else self._overlapping(after, final, power)
        return None if looks is None else looks * self._onset.slide_ms / DAY_MS + self._delay_days

    def power_within(self, harm: Harm, days: float) -> float:
        """Probability that the harm has opened an incident so many days after its onset."""
        final = self._onset.chances(self._after(self._cell.world, self._monitor, harm), 1.0)
        left_ms = (days - self._delay_days) * DAY_MS - self._onset.width_ms
        if left_ms < 0 or final.breach < _HOPELESS or self._onset.shortfall is not None:
            return 0.0
        looks = min(1 + int(left_ms // self._onset.slide_ms), _MOST_LOOKS)
        if self._is_independent():
            return chance_within(final.breach, final.met, self._rule.k, self._rule.of, looks)
        breached, met = verdict_paths(np.full(looks, final.breach), np.full(looks, final.met), self._stride)
        few = slice(_FEW_PATHS)
        hits = first_hits(breached[few], met[few], self._rule.k, self._rule.of, self._apart)
        return float((hits < looks).mean())

    def smallest(self, harm: Harm, days: float, power: float) -> float | None:
        """The smallest harm, to a few per cent, that opens an incident within so many days with this probability.

        None where none does.
        """

        days = self._quiet_days(harm, days)

        def seen(size: float) -> bool:
            return self.power_within(harm.at(size), days) >= power

        high = harm.most if seen(harm.most) else self._largest_seen(harm, days, power)
        return smallest_seen(seen, high) if high > 0 else None

    def opens_quietly(self, harm: Harm, days: float) -> bool:
        """Whether a false alarm within so many days is so frequent that an incident says nothing of a harm of this kind."""
        return self.power_within(harm.at(0.0), days) > FALSE_ALARM

    def _quiet_days(self, harm: Harm, days: float) -> float:
        """At most so many days, and so few that a false alarm in them is rare: one that comes anyway sees nothing."""
        while days * DAY_MS > self._onset.width_ms and self.opens_quietly(harm, days):
            days /= 2
        return days

    def _largest_seen(self, harm: Harm, days: float, power: float) -> float:
        """A harm that is seen although the largest one leaves nothing to judge; 0 where there is none."""
        sizes = (harm.most * part for part in (0.75, 0.5, 0.25, 0.1, 0.05))
        return next((size for size in sizes if self.power_within(harm.at(size), days) >= power), 0.0)

    def _is_independent(self) -> bool:
        return self._stride == 1 and self._rule.of <= LONGEST_MEMORY

    def _independent(self, final: Chances, power: float) -> float | None:
        return first_look(final.breach, final.met, self._rule.k, self._rule.of, power)

    def _overlapping(self, after: World, final: Chances, power: float) -> float | None:
        """Looks until the rule holds, while the window fills with what came after the onset and then moves on."""
        looks = min(max(6 * self._stride, 60) + self._rule.of * self._apart, _MOST_LOOKS)
        shares = np.minimum(1.0, (np.arange(looks) + 1) / self._stride)
        drawn = [self._onset.chances(after, share) if share < 1.0 else final for share in _SHARES]
        quiet = self._onset.chances(self._cell.world, 1.0)
        known = (0.0, *_SHARES)
        breach = np.interp(shares, known, [quiet.breach, *(one.breach for one in drawn)])
        met = np.interp(shares, known, [quiet.met, *(one.met for one in drawn)])
        breached, held = verdict_paths(breach, met, self._stride)
        hits = np.sort(first_hits(breached, held, self._rule.k, self._rule.of, self._apart))
        at = int(hits[min(math.ceil(power * PATHS) - 1, PATHS - 1)])
        if at < looks:
            return float(at + 1)
        return self._later(hits, looks, power)

    def _later(self, hits: Int, looks: int, power: float) -> float | None:
        """Beyond the simulated looks each has the chance that those of the second half had."""
        half = looks // 2
        alive = float((hits >= half).mean())
        left = float((hits >= looks).mean())
        if left == 0.0 or alive == left:
            return None
        hazard = -math.log(left / alive) / (looks - half)
        return looks + math.log(left / (1.0 - power)) / hazard


def smallest_seen(seen: Callable[[float], bool], large: float) -> float:
    """The smallest size that is seen, to a few per cent, below one that is."""
    high = large
    for _ in range(_MOST_HALVINGS):
        if not seen(high / 2):
            break
        high /= 2
    low = high / 2
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
