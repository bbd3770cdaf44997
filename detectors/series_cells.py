"""Points of a periodic series before a harm and after it: where they lie, and on cells so narrow that their order is known.

Cells stand for the points in them as those of a CUSUM's states do (Brook & Evans 1972, Biometrika 59:539).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import special

from detectors.arrays import Bool, Float

_STEP = 0.05
"""Width of a normal cell in standard deviations."""
_REACH = 6.0
"""Standard deviations to each side of the mean."""
_REACH_OF_COUNTS = 8.0
_CELLS = 600
"""Of a series of few counts: each is parted into some of them, as its uses part it."""


class PointShape(Protocol):
    """The distribution of one point, in standard units of its series."""

    def below(self, z: float) -> float:
        """P(point < z)."""


@dataclass(frozen=True, slots=True)
class NormalPoint:
    """Normal, of this mean and sd.

    >>> round(NormalPoint(mean=1.0).below(2.0), 4)
    0.8413
    """

    mean: float = 0.0
    sd: float = 1.0

    def below(self, z: float) -> float:
        """P(point < z)."""
        return float(special.ndtr((z - self.mean) / self.sd))


@dataclass(frozen=True, slots=True)
class PoissonPoint:
    """Events per use, told as (rate - `centre`) / `unit`: a Poisson number of them with this `mean`, in a Poisson number of
    uses with the mean `uses`.

    >>> round(PoissonPoint(mean=8.0, uses=1000.0, centre=0.004, unit=0.002).below(3.0), 4)
    0.7662
    """

    mean: float
    uses: float
    centre: float
    unit: float

    def below(self, z: float) -> float:
        """P(point < z): so many events, and more uses than it takes."""
        rate = self.centre + z * self.unit
        if rate <= 0:
            return 0.0
        reach = _REACH_OF_COUNTS * math.sqrt(self.mean) + _REACH_OF_COUNTS
        count = np.arange(max(0, math.floor(self.mean - reach)), math.ceil(self.mean + reach) + 1)
        share = np.exp(special.xlogy(count, self.mean) - self.mean - special.gammaln(count + 1.0))
        return float(share @ special.ndtr((self.uses - count / rate) / math.sqrt(self.uses)))


@dataclass(frozen=True)
class SeriesCells:
    """Cells in ascending order of the points in them. `before` (cells,) = shares of a quiet point, `after(number)` of the
    point that `number` others of the harm came before; `tied` (cells,) = whether points of one cell are equal."""

    before: Float
    after: Callable[[int], Float]
    tied: Bool

    def sides(self, state: Float) -> tuple[Float, Float]:
        """Shares (..., cells) of a state that lie lower, and higher, than a point of each cell; half of its own cell where
        its points differ."""
        up_to = np.cumsum(state, axis=-1)
        inside = np.where(self.tied, 0.0, state / 2)
        lower = up_to - state + inside
        return lower, up_to[..., -1:] - up_to + inside


def normal_cells(mean: Callable[[int], float], most_points: int) -> SeriesCells:
    """Normal points of sd 1, quiet ones of mean 0; `mean(number)` = that of a point of the harm.

    How often a point of the harm lies higher than a quiet one: P(z < 1 / sqrt(2)).

    >>> cells = normal_cells(lambda number: 1.0, 1)
    >>> lower, _ = cells.sides(cells.before)
    >>> round(float(lower @ cells.after(0)), 4)
    0.7602
    """
    means = [mean(number) for number in range(most_points)]
    low, high = min(0.0, *means) - _REACH, max(0.0, *means) + _REACH
    edges = np.arange(math.floor(low / _STEP), math.ceil(high / _STEP) + 1) * _STEP

    def mass(at: float) -> Float:
        inside = np.diff(special.ndtr(edges - at))
        found: Float = inside / inside.sum()
        return found

    return SeriesCells(mass(0.0), lambda number: mass(mean(number)), np.zeros(len(edges) - 1, np.bool_))


def poisson_cells(quiet: float, mean: Callable[[int], float], most_points: int) -> SeriesCells:
    """Events per use, seldom among very many uses: equal counts of unequal uses are unequal, but for none, so only zeros tie.

    >>> cells = poisson_cells(4.0, lambda number: 8.0, 1)
    >>> lower, _ = cells.sides(cells.before)
    >>> round(float(lower @ cells.after(0)), 4), round(float(cells.before[cells.tied].sum()), 4)
    (0.8767, 0.0183)
    """
    largest = max(quiet, *(mean(number) for number in range(most_points)))
    most = math.ceil(largest + _REACH * math.sqrt(largest) + 10)
    # The root of a count has a standard deviation of a half, whatever its mean.
    first = np.unique(np.floor((np.arange(math.ceil(2 * math.sqrt(most) / _STEP) + 1) * _STEP / 2) ** 2).astype(np.int64))
    last = np.append(first[1:], first[-1] + 1) - 1
    copies = np.where(first == 0, 1, max(1, _CELLS // most))

    def mass(at: float) -> Float:
        inside = np.diff(np.concatenate([[0.0], special.pdtr(last, at)]))
        found: Float = np.repeat(inside / inside.sum() / copies, copies)
        return found

    return SeriesCells(mass(quiet), lambda number: mass(mean(number)), np.repeat(first == 0, copies))
