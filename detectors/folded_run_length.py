"""Run lengths of a Bernoulli CUSUM whose labels fold in batches: those of a day at once, or those of a pane at a time.

A batch adds the sum of its labels' weights before S is held at 0 and looked at, so that what rises and falls within it is not
seen: such a chart signals more seldom, and later, than the same chart label by label.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from detectors.arrays import Float, Int, as_float
from detectors.bernoulli_cusum import weights

STATES, FEW_STATES = 300, 120
"""Of a run length, which hangs on them exponentially, and enough for the days until a harm is seen."""
_LARGEST_RING = 1 << 18
_DEVIATIONS, _DEVIATIONS_SKEWED = 12.0, 28.0
"""Standard deviations of a sum beyond which nothing is expected, and how many more where volumes are much over-dispersed."""
_MORE_LABELS = 8
"""Labels beyond that, for sums of few."""
_FAR = 50.0
_FEW = 0.02
"""Labels of a step up to which it hardly ever has two."""
_NO_EXCESS = 1e-9
_MOST_PARTS = 64
_BISECTIONS = 50
_FLAT, _STEEPEST = 1e-9, 50.0
_LOOKS = 1500
_LONGEST_DAYS = 1e12
"""Beyond it rounding decides."""


class Batches(NamedTuple):
    """Labels of a batch: negative binomial, variance / mean = 1 + `excess`; each of the `means` in a share of the batches."""

    means: tuple[float, ...]
    shares: tuple[float, ...]
    excess: float = 0.0

    @property
    def mean(self) -> float:
        """Labels expected."""
        return math.fsum(mean * share for mean, share in zip(self.means, self.shares, strict=True))

    def times(self, factor: float) -> Batches:
        """The same with so many times the labels."""
        return self._replace(means=tuple(mean * factor for mean in self.means))


class FoldedChart:
    """The chart for p0 against p1, limit h, where events have probability p.

    A day has `panes` panes, each with the labels `a_pane`, and ends with the labels of `a_day`, all at once; None = there is no
    such batch. A Markov chain (Brook & Evans 1972, Biometrika 59:539) on a grid of some hundred states; sums of labels by Fourier
    transform of their generating function. Labels that end between two states are shared between them so that the mean of
    exp(t W) stays 1, t as of Lundberg's equation: run lengths hang on t exponentially.

    Raises:
        ValueError: a probability is not strictly between 0 and 1 (p: not in [0, 1]), p0 equals p1, or h is not positive and
            finite.

    Twenty labels a day, all at once and one by one:

    >>> nothing, at_once, one = (Batches((labels,), (1.0,)) for labels in (0.0, 20.0, 1.0))
    >>> round(FoldedChart(0.1, 0.2, 0.1, 3.0, nothing, 1, at_once).mean_days())
    112
    >>> round(FoldedChart(0.1, 0.2, 0.1, 3.0, one, 20, None).mean_days(), 1)
    35.4
    """

    def __init__(
        self, p0: float, p1: float, p: float, h: float, a_pane: Batches, panes: int, a_day: Batches | None, states: int = STATES
    ) -> None:
        if not (0 < p0 < 1 and 0 < p1 < 1 and 0 <= p <= 1 and p0 != p1 and 0 < h < math.inf):
            raise ValueError(f"no chart has p0={p0}, p1={p1}, p={p}, h={h}")
        # What jumps far beyond h signals however far it jumps.
        event, nonevent = (float(np.clip(one, -_FAR * h, _FAR * h)) for one in weights(p0, p1))
        self._moves = ((event, p), (nonevent, 1.0 - p))
        self._tilt = _tilt(self._moves)
        # Sums of labels lie on a grid that the downward step divides exactly, states on one that is as coarse as may be.
        down, width = -min(event, nonevent), h / states
        self._parts = 1 if down > width else min(_MOST_PARTS, max(1, round(width / down)))
        self._fine = down / max(1, round(down / width)) if down > width else max(down, width / _MOST_PARTS)
        self._states = math.ceil(h / (self._fine * self._parts) - 1e-9)
        # Panes that hardly ever have a label are taken together.
        needed = max(1.0, a_pane.mean * panes / _FEW)
        self.steps_a_day = panes if needed >= panes else min(panes, 1 << math.ceil(math.log2(needed)))
        self._a_step, self._a_day = a_pane.times(panes / self.steps_a_day), a_day

    def mean_days(self) -> float:
        """Mean days until a chart that starts at 0 signals; infinite where it never does, or hardly ever."""
        try:
            if self._a_day is None:
                days = self._solved(self._step, np.full(self._states, 1.0 / self.steps_a_day))
            else:
                power, survived = self._powers(self.steps_a_day)
                days = self._solved(power @ self._end_of_day, survived / self.steps_a_day)
        except np.linalg.LinAlgError:
            return math.inf
        return days if 0 < days < _LONGEST_DAYS else math.inf

    def days(self, power: float, most_days: float) -> float | None:
        """Days until a chart that starts at 0 has signalled with this probability; None = more than `most_days`.

        Whole days where days end with a batch, else to about a thousandth of `most_days`.
        """
        if self._a_day is not None:
            looks, look_days = math.floor(most_days), 1.0
            silent = self._powers(self.steps_a_day)[0] @ self._end_of_day
        else:
            steps = math.floor(most_days * self.steps_a_day)
            of_look = max(1, math.ceil(steps / _LOOKS))
            looks, look_days = steps // of_look, of_look / self.steps_a_day
            silent = self._powers(of_look)[0]
        left = np.ones(self._states)
        for look in range(looks):
            left = silent @ left
            if left[0] <= 1.0 - power:
                return (look + 1) * look_days
        return None

    def _solved(self, silent: Float, spent: Float) -> float:
        return float(np.linalg.solve(np.eye(self._states) - silent, spent)[0])

    def _powers(self, steps: int) -> tuple[Float, Float]:
        """The chain of one step to a power, and the mean number (M,) of those steps that begin before a signal."""
        whole, spent = np.eye(self._states), np.zeros(self._states)
        power, of_power = self._step, np.ones(self._states)
        while steps:
            if steps & 1:
                spent = spent + whole @ of_power
                whole = whole @ power
            steps >>= 1
            if steps:
                of_power = of_power + power @ of_power
                power = power @ power
        return whole, spent

    @cached_property
    def _step(self) -> Float:
        return self._folded(self._a_step)

    @cached_property
    def _end_of_day(self) -> Float:
        return np.eye(self._states) if self._a_day is None else self._folded(self._a_day)

    # one batch ---------------------------------------------------------------------------------------------
    def _folded(self, batches: Batches) -> Float:
        """Chances (M, M) to go from one state to another with a batch; what a row lacks signals."""
        m = self._states
        below, between = np.zeros(m), np.zeros(2 * m - 1)
        for mean, share in zip(batches.means, batches.shares, strict=True):
            to, at = self._sums(mean, batches.excess)
            below += share * to
            between += share * at
        here = np.arange(m)
        moved: Float = between[here[None, :] - here[:, None] + m - 1]
        moved[:, 0] = below
        return moved

    def _sums(self, mean: float, excess: float) -> tuple[Float, Float]:
        """Of the sum of a batch, in widths of a state: P(sum <= -i), (M,), and P(sum = i) for |i| < M, (2 M - 1,)."""
        m, parts = self._states, self._parts
        drift = math.fsum(weight * chance for weight, chance in self._moves) / self._fine
        square = math.fsum(weight**2 * chance for weight, chance in self._moves) / self._fine**2
        middle, deviation = mean * drift, max(math.sqrt(mean * square + excess * mean * drift**2), 1e-9)
        skewed = min(1.0, 10 * excess / max(mean, 1e-300))
        reach = (_DEVIATIONS + _DEVIATIONS_SKEWED * skewed) * deviation
        reach += _MORE_LABELS * max(abs(weight) for weight, _ in self._moves) / self._fine
        if reach > _LARGEST_RING / 2:
            return _normal_sums(middle / parts, deviation / parts, m)
        low, high = math.floor((middle - reach) / parts), math.ceil((middle + reach) / parts)
        chances = self._chances(mean, excess, np.arange(low * parts, high * parts))
        # A sum between two states is shared between them.
        upper = _shared(np.arange(parts), float(parts), self._tilt * self._fine)
        by_state = chances.reshape(-1, parts)
        at = np.append(by_state @ (1.0 - upper), 0.0) + np.append(0.0, by_state @ upper)
        up_to = np.concatenate([[0.0], np.cumsum(at)])
        below = up_to[np.clip(-np.arange(m) - low + 1, 0, len(at))]
        wanted = np.arange(1 - m, m) - low
        inside = (wanted >= 0) & (wanted < len(at))
        return below, np.where(inside, at[np.clip(wanted, 0, len(at) - 1)], 0.0)

    def _chances(self, mean: float, excess: float, sums: Int) -> Float:
        """Chance of each of these sums of a batch, in parts of a state's width."""
        ring = 1 << len(sums).bit_length()
        one = np.zeros(ring)
        for weight, chance in self._moves:
            at = math.floor(weight / self._fine + 1e-9)
            rest = max(0.0, weight / self._fine - at)
            upper = float(_shared(np.array([rest]), 1.0, self._tilt * self._fine)[0])
            one[at % ring] += chance * (1.0 - upper)
            one[(at + 1) % ring] += chance * upper
        generating = np.fft.rfft(one) - 1.0
        exponent = -np.log1p(-excess * generating) / excess if excess > _NO_EXCESS else generating
        found: Float = np.maximum(np.fft.irfft(np.exp(mean * exponent), ring)[sums % ring], 0.0)
        return found


def _tilt(moves: Iterable[tuple[float, float]]) -> float:
    """The t other than 0 for which the mean of exp(t W) is 1: 1 where events have p0, -1 where they have p1; 0 without one."""
    (up, rising), (down, falling) = sorted(moves, reverse=True)
    if not 0 < rising < 1:
        return 0.0
    side = -math.copysign(1.0, up * rising + down * falling)

    def excess(t: float) -> float:
        return float(np.logaddexp(math.log(rising) + side * t * up, math.log(falling) + side * t * down))

    low, high = 0.0, 1e-6
    while excess(high) < 0:
        low, high = high, 2 * high
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) < 0 else (low, middle)
    return side * high


def _shared(rest: ArrayLike, whole: float, tilt: float) -> Float:
    """Part (...) of what lies `rest` of `whole` above a point that goes to the next one: the mean of exp(tilt x) is kept."""
    tilt = math.copysign(min(abs(tilt), _STEEPEST / whole), tilt)
    above = as_float(rest)
    return above / whole if abs(tilt) * whole < _FLAT else np.expm1(tilt * above) / np.expm1(tilt * whole)


def _normal_sums(middle: float, deviation: float, m: int) -> tuple[Float, Float]:
    """As `_sums`, for sums of so many labels that they are normal."""
    edges: Float = ndtr((np.arange(-m, m) + 0.5 - middle) / deviation)
    return edges[m:0:-1], np.diff(edges)


@lru_cache(maxsize=256)
def mean_days_of_chart(p0: float, p1: float, p: float, h: float, a_pane: Batches, panes: int, a_day: Batches | None) -> float:
    """`FoldedChart.mean_days`, remembered."""
    return FoldedChart(p0, p1, p, h, a_pane, panes, a_day).mean_days()
