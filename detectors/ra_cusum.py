"""Risk-adjusted CUSUM: a chart of outcomes that knows how likely each was, for a change of the odds.

Steiner, Cook, Farewell & Treasure 2000, Biostatistics 1:441. S = max(0, S + W); it signals at S >= h.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse import linalg

from detectors.arrays import Float, as_float, numbers

_SMALLEST_RISK = 1e-12
_STATES = 1500
_LONGEST = 1e15


def score(risk: ArrayLike, outcome: ArrayLike, *, odds_ratio: float) -> Float:
    """W = y ln R - ln(1 - p + R p): log likelihood ratio of an outcome y of risk p when the odds are R times as high.

    Raises:
        ValueError: the odds ratio is not positive and finite.

    >>> [round(float(w), 3) for w in score([0.0246, 0.0246, 0.5424, 0.5424], [0, 1, 0, 1], odds_ratio=2.0)]
    [-0.024, 0.669, -0.433, 0.26]
    """
    if not 0 < odds_ratio < math.inf:
        raise ValueError(f"an odds ratio must be positive and finite: {odds_ratio}")
    p = np.clip(np.nan_to_num(as_float(risk)), _SMALLEST_RISK, 1.0 - _SMALLEST_RISK)
    y = np.clip(np.nan_to_num(as_float(outcome)), 0.0, 1.0)
    return y * math.log(odds_ratio) - np.log1p((odds_ratio - 1.0) * p)


def fold(previous: ArrayLike, total_score: ArrayLike) -> Float:
    """The chart after outcomes with this sum of scores, all at once; arguments broadcast over charts.

    >>> fold([0.0, 1.0], [-0.4, 0.25]).tolist()
    [0.0, 1.25]
    """
    return np.maximum(numbers(previous) + numbers(total_score), 0.0)


def run_length(risk: ArrayLike, weight: ArrayLike, h: float, *, odds_ratio: float, true_odds_ratio: float = 1.0) -> float:
    """Mean number of outcomes until the chart reaches h, started at 0, where cases of each risk (K,) come in proportion to
    `weight` (K,) and their odds are `true_odds_ratio` times those of the risk; `math.inf` beyond 1e15.

    Markov chain of Brook & Evans (1972, Biometrika 59:539). A step that ends between two states is shared between them, so that
    its mean is kept.

    Raises:
        ValueError: a risk is none, the weights do not add up to something positive, h or an odds ratio is not positive, or the
            ratio is 1.

    >>> round(run_length([0.1], [1.0], 2.0, odds_ratio=2.25), 0)
    185.0
    """
    p, share = as_float(risk), as_float(weight)
    positive = all(0 < number < math.inf for number in (h, odds_ratio, true_odds_ratio)) and odds_ratio != 1
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("a risk does not lie between 0 and 1")
    if not positive or not (share >= 0).all() or not share.sum() > 0:
        raise ValueError(f"no chart has h={h} and odds ratio {odds_ratio} against {true_odds_ratio} over {len(share)} risks")
    truth = true_odds_ratio * p / (1.0 - p + true_odds_ratio * p)
    steps = np.concatenate([score(p, np.zeros_like(p), odds_ratio=odds_ratio), score(p, np.ones_like(p), odds_ratio=odds_ratio)])
    chance = np.concatenate([1.0 - truth, truth]) * np.tile(share / share.sum(), 2)
    return _mean_passage(steps / (h / _STATES), chance)


def _mean_passage(steps: Float, chance: Float) -> float:
    """Mean moves from 0 until state `_STATES` by steps (J,), in states, of these probabilities; below 0 it is held."""
    here = np.arange(_STATES)
    low = np.floor(steps).astype(np.int64)
    part = steps - low
    target = here[:, None, None] + np.stack([low, low + 1])[None]
    moves = np.broadcast_to(np.stack([chance * (1.0 - part), chance * part])[None], target.shape)
    stays = target < _STATES
    rows = np.broadcast_to(here[:, None, None], target.shape)[stays]
    moving = sparse.coo_array((moves[stays], (rows, np.maximum(target[stays], 0))), shape=(_STATES, _STATES))
    mean = float(linalg.spsolve((sparse.eye_array(_STATES) - moving).tocsc(), np.ones(_STATES))[0])
    return mean if 0 < mean < _LONGEST else math.inf
