"""What a trend test does before it is run: counts of an observation period, carried from look to look.

The test adds events up over a period and compares the sum, look by look, with the smallest number whose upper Poisson
probability lies below what is spent at that look. So what is known between two looks is one number, and sums that have not
signalled are carried on exactly: Poisson numbers added (Armitage, McPherson & Rowe 1969, JRSS A 132:235, for counts).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from detectors.arrays import Float

MOST_EVENTS = 20_000.0
"""Events expected in a period, of more than which the chain is that of so many: a change by a few per cent is then seen."""


@dataclass(frozen=True)
class PoissonTrendChain:
    """`expected` events by the next look, `looks` of them in a period, each at upper probability below `p`; events come at
    `relative_risk` times the expected rate. After the last look of a period the sum begins again at 0.

    >>> PoissonTrendChain(10.0, 2, 0.025).critical
    (18, 30)
    """

    expected: float
    looks: int
    p: float
    relative_risk: float = 1.0

    @cached_property
    def critical(self) -> tuple[int, ...]:
        """The smallest sum that breaches, look by look."""
        return tuple(_critical(self._expected * (look + 1), self.p) for look in range(self.looks))

    @property
    def _expected(self) -> float:
        return min(self.expected, MOST_EVENTS / self.looks)

    def start(self) -> Float:
        """Probability of each sum before the first look, shape (sums,); the last stands for all that breach at every look."""
        found = np.zeros(self.critical[-1] + 1)
        found[0] = 1.0
        return found

    def look(self, state: Float, number: int) -> tuple[Float, Float]:
        """Probabilities of the sums at a look, `number` of which stand before it: those that do not breach, and those that do."""
        at = number % self.looks
        if at == 0:
            state = state.sum() * self.start()
        sums = _sum_with(state, self._more)
        breached = np.arange(len(sums)) >= self.critical[at]
        return np.where(breached, 0.0, sums), np.where(breached, sums, 0.0)

    @cached_property
    def _more(self) -> Float:
        """Probabilities of so many more events by the next look."""
        mean, most = self._expected * self.relative_risk, self.critical[-1]
        count = np.arange(most + 1)
        return np.asarray(np.exp(special.xlogy(count, mean) - mean - special.gammaln(count + 1.0)), np.float64)


def _critical(mean: float, p: float) -> int:
    low, high = 0, 1
    while special.gammainc(high, mean) >= p:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if special.gammainc(middle, mean) >= p else (low, middle)
    return high


def _sum_with(state: Float, more: Float) -> Float:
    """Probabilities of sums, those beyond the last put there."""
    length = len(state)
    size = 1 << math.ceil(math.log2(2 * length))
    both = np.fft.irfft(np.fft.rfft(state, size) * np.fft.rfft(more, size), size)[:length]
    found = np.maximum(both, 0.0)
    found[-1] = max(state.sum() - found[:-1].sum(), 0.0)
    return found
