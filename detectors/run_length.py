"""How long a normal chart runs until it signals: means and probabilities, by Markov chains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from detectors.arrays import Float
from detectors.normal_chart import Tail

STATES = 401
"""States of a chain: a mean run length of a thousand windows is then exact to 1e-4 of it."""

_DEEPEST = 8.0
"""Standard deviations of an EWMA's own distribution below 0 at which the chain of a one-sided one ends."""

LONGEST = 1e15
"""Windows beyond which a chart is said never to signal."""


@dataclass(frozen=True, slots=True)
class RunLength:
    """Windows until a chart signals, each of `chains` (moves between its S states, (S, S), from state 0) being one side of it.

    Sides of a CUSUM signal as if independently (exact for means: Kemp 1961, JRSS B 23:149).
    """

    chains: Sequence[Float]

    @property
    def mean(self) -> float:
        """Mean number of windows until the signal; `math.inf` beyond 1e15."""
        rate = sum(1.0 / _mean_passage(moves) for moves in self.chains)
        return 1.0 / rate if rate > 0 else math.inf

    def within(self, windows: int) -> float:
        """Probability of a signal within so many windows: what a mean alone does not say.

        >>> round(cusum_run_length(0.5, 5.0, tail="upper").within(365), 3)
        0.322
        """
        silent = 1.0
        for moves in self.chains:
            silent *= float(np.linalg.matrix_power(moves, windows)[0].sum())
        return min(max(1.0 - silent, 0.0), 1.0)


def cusum_run_length(k: float, h: float, *, shift: float = 0.0, tail: Tail = "both") -> RunLength:
    """Run length of a CUSUM of independent normal z with mean `shift` and sd 1, started at 0 (Brook & Evans 1972, Biometrika
    59:539).

    Raises:
        ValueError: k is negative, h is not positive, or one of them is not finite.

    >>> round(cusum_run_length(0.5, 4.0, tail="upper").mean, 1), round(cusum_run_length(0.5, 4.0, shift=1.0).mean, 2)
    (335.4, 8.38)
    """
    if not (0.0 <= k < math.inf and 0.0 < h < math.inf and math.isfinite(shift)):
        raise ValueError(f"no chart has k={k}, h={h}, shift={shift}")
    return RunLength([_cusum_chain(k, h, side) for side in _shifts(shift, tail)])


def ewma_run_length(smoothing: float, h: float, *, shift: float = 0.0, tail: Tail = "both") -> RunLength:
    """Run length of an EWMA of independent normal z with mean `shift` and sd 1, started at 0, that signals at |E| >= h or on one
    side (Lucas & Saccucci 1990, Technometrics 32:1).

    Raises:
        ValueError: the weight is not in (0, 1], h is not positive, or one of them is not finite.

    >>> round(ewma_run_length(0.25, 2.898 * (0.25 / 1.75) ** 0.5).mean, -1)
    370.0
    """
    if not (0.0 < smoothing <= 1.0 and 0.0 < h < math.inf and math.isfinite(shift)):
        raise ValueError(f"no chart has lambda={smoothing}, h={h}, shift={shift}")
    if tail == "both":
        return RunLength([_ewma_chain(smoothing, -h, h, shift)])
    (side,) = _shifts(shift, tail)
    spread = math.sqrt(smoothing / (2.0 - smoothing))
    return RunLength([_ewma_chain(smoothing, min(side, 0.0) - _DEEPEST * spread, h, side, reflects=True)])


def _shifts(shift: float, tail: Tail) -> list[float]:
    return {"both": [shift, -shift], "upper": [shift], "lower": [-shift]}[tail]


def _cusum_chain(k: float, h: float, shift: float) -> Float:
    """Moves among [0, width/2) and the STATES - 1 intervals of `width` above it."""
    width = 2.0 * h / (2 * STATES - 1)
    step = np.arange(STATES)[None, :] - np.arange(STATES)[:, None]
    upper = special.ndtr((step + 0.5) * width + k - shift)
    moves = upper - special.ndtr((step - 0.5) * width + k - shift)
    moves[:, 0] = upper[:, 0]
    return moves


def _ewma_chain(smoothing: float, low: float, high: float, shift: float, *, reflects: bool = False) -> Float:
    """Moves among STATES intervals of [low, high], the one nearest 0 first; what falls below `low` signals, or is held."""
    edges = np.linspace(low, high, STATES + 1)
    middle = (edges[1:] + edges[:-1]) / 2.0
    reached = special.ndtr((edges[None, :] - (1.0 - smoothing) * middle[:, None]) / smoothing - shift)
    if reflects:
        reached[:, 0] = 0.0
    moves = np.diff(reached, axis=1)
    start = int(np.argmin(np.abs(middle)))
    order = np.concatenate([[start], np.delete(np.arange(STATES), start)])
    found: Float = moves[np.ix_(order, order)]
    return found


def _mean_passage(moves: Float) -> float:
    try:
        found = float(np.linalg.solve(np.eye(len(moves)) - moves, np.ones(len(moves)))[0])
    except np.linalg.LinAlgError:  # a chain that is never left
        return math.inf
    return found if 0 < found < LONGEST else math.inf
