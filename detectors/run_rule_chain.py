"""How long run rules wait: chains of what a rule remembers of the points before, moved from point to point.

Rules on where points lie remember the zones of the last ones; rules on rising or alternating points remember the newest
point and the length of its run. So the waiting time is exact (Fu & Koutras 1994, JASA 89:1050), on cells as narrow as those
of `SeriesCells`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from detectors.arrays import Float
from detectors.run_rules import RULES
from detectors.series_cells import PointShape, SeriesCells

ZONES: Final[Mapping[int, float]] = {1: 3.0, 2: 0.0, 5: 2.0, 6: 1.0, 7: 1.0, 8: 1.0}
"""Standard deviations at which the zones of a rule part, on both sides of the mean."""
RISING, ALTERNATING = 3, 4
_RUN_IN = 60
"""Quiet points before the first that matters."""


@dataclass(frozen=True)
class ZoneChain:
    """A rule on where points lie; they are `before` until they are `after`.

    A state is the zones of the last points, shape (zones ** (points - 1),).

    >>> from detectors.series_cells import NormalPoint
    >>> chain = ZoneChain(1, before=NormalPoint(), after=NormalPoint(mean=1.0))
    >>> _, held = chain.look(chain.start(), 0)
    >>> round(held.sum(), 5) == round(NormalPoint(mean=1.0).below(-3.0) + NormalPoint(mean=-1.0).below(-3.0), 5)
    np.True_
    >>> nine_on_a_side = ZoneChain(2, before=NormalPoint(), after=NormalPoint())
    >>> _, held = nine_on_a_side.look(nine_on_a_side.start(), 0)
    >>> round(float(held.sum()), 5)
    0.00198
    """

    rule: int
    before: PointShape
    after: PointShape

    def start(self) -> Float:
        """After a long quiet time in which the rule did not hold at the last point."""
        shares, state = self._shares(self.before), np.ones(1)
        for _ in range(self._points - 1):
            state = np.outer(state, shares).ravel()
        return _settled(state, lambda one: self._moved(one, shares))

    def look(self, state: Float, number: int) -> tuple[Float, Float]:
        """Probabilities after a point, `number` of which came before it: where the rule does not hold, and where it does."""
        return self._moved(state, self._shares(self.after))

    @property
    def _points(self) -> int:
        return RULES[self.rule][0]

    @property
    def _zones(self) -> int:
        return 2 if self.rule == 7 else 3

    def _shares(self, shape: PointShape) -> Float:
        """Probabilities of the zones, lowest first; for a rule that does not ask on which side, inside first."""
        beyond = ZONES[self.rule]
        low, high = shape.below(-beyond), 1.0 - shape.below(beyond)
        middle = max(1.0 - low - high, 0.0)
        return np.array([middle, low + high] if self._zones == 2 else [low, middle, high])

    @cached_property
    def _holds(self) -> Float:
        """1 for each run of zones that the rule holds for, as the rule itself says of points in them."""
        beyond = ZONES[self.rule]
        places = np.array([0.0, beyond + 0.5] if self._zones == 2 else [-beyond - 0.5, 0.0, beyond + 0.5])
        runs = np.indices((self._zones,) * self._points).reshape(self._points, -1).T
        return RULES[self.rule][1](places[runs]).astype(np.float64)

    def _moved(self, state: Float, shares: Float) -> tuple[Float, Float]:
        runs = np.outer(state, shares).ravel()
        held = runs * self._holds
        # The oldest zone of a run is forgotten.
        forgotten = (self._zones, len(state))
        return (runs - held).reshape(forgotten).sum(axis=0), held.reshape(forgotten).sum(axis=0)


@dataclass(frozen=True)
class RisingChain:
    """Rule 3. A state is (length of the rising run, cell of its last point), shape (points, cells).

    >>> from detectors.series_cells import normal_cells
    >>> chain = RisingChain(normal_cells(lambda number: 0.0, 1))
    >>> _, held = chain.look(chain.start(), 0)
    >>> round(float(held.sum()), 5)
    0.0012
    """

    cells: SeriesCells

    def start(self) -> Float:
        """After a long quiet time in which the rule did not hold at the last point."""
        state = np.zeros((RULES[RISING][0], len(self.cells.before)))
        state[0] = self.cells.before
        return _settled(state, lambda one: self._moved(one, self.cells.before))

    def look(self, state: Float, number: int) -> tuple[Float, Float]:
        """Probabilities after a point, `number` of which came before it: where the rule does not hold, and where it does."""
        return self._moved(state, self.cells.after(number))

    def _moved(self, state: Float, mass: Float) -> tuple[Float, Float]:
        lower, _ = self.cells.sides(state)
        rising, others = lower * mass, (state.sum(axis=1, keepdims=True) - lower) * mass
        found = np.zeros_like(state)
        found[0] = others.sum(axis=0)
        found[1:] = rising[:-1]
        found[-1] += rising[-1]
        return _parted(found)


@dataclass(frozen=True)
class AlternatingChain:
    """Rule 4. A state is (whether the last step fell or rose, length of the alternating run, cell), shape (2, points, cells).

    >>> from detectors.series_cells import normal_cells
    >>> chain = AlternatingChain(normal_cells(lambda number: 0.0, 1))
    >>> _, held = chain.look(chain.start(), 0)
    >>> round(float(held.sum()), 5)
    0.0017
    """

    cells: SeriesCells

    def start(self) -> Float:
        """After a long quiet time in which the rule did not hold at the last point."""
        state = np.zeros((2, RULES[ALTERNATING][0], len(self.cells.before)))
        state[0, 0] = self.cells.before
        return _settled(state, lambda one: self._moved(one, self.cells.before))

    def look(self, state: Float, number: int) -> tuple[Float, Float]:
        """Probabilities after a point, `number` of which came before it: where the rule does not hold, and where it does."""
        return self._moved(state, self.cells.after(number))

    def _moved(self, state: Float, mass: Float) -> tuple[Float, Float]:
        lower, higher = self.cells.sides(state)
        up, down = lower * mass, higher * mass
        fell, rose = 0, 1
        found = np.zeros_like(state)
        # Single points stand at [fell, 0]; what does not alternate leaves a run of two, equal points one of one.
        found[fell, 0] = (state.sum() - (lower + higher).sum(axis=(0, 1))) * mass
        found[rose, 1], found[fell, 1] = up[fell, 0] + up[rose].sum(axis=0), down[fell].sum(axis=0)
        for to, alternating in ((rose, up[fell, 1:]), (fell, down[rose, 1:])):
            found[to, 2:] = alternating[:-1]
            found[to, -1] += alternating[-1]
        return _parted(found)


def _parted(found: Float) -> tuple[Float, Float]:
    """What has not reached the whole length of a run, and what has; lengths stand on the last axis but one."""
    quiet, held = found.copy(), np.zeros_like(found)
    quiet[..., -1, :] = 0.0
    held[..., -1, :] = found[..., -1, :]
    return quiet, held


def _settled(state: Float, moved: Callable[[Float], tuple[Float, Float]]) -> Float:
    for _ in range(_RUN_IN):
        quiet, _ = moved(state)
        state = quiet / quiet.sum()
    return state
