"""Bernoulli CUSUM: log-likelihood weights, the fold over panes, run lengths, and parameters under partial verification.

A chart watches labels for a rise of the event probability from p0 to p1 (or a fall, p1 < p0): S = max(0, S + W), W the log
of the likelihood ratio of a label; it signals at S >= h (Reynolds & Stoumbos 1999, J. Qual. Technol. 31:87).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse import linalg

from detectors.arrays import Float, as_float, numbers

_STATES = 4000
_MOST_STATES = 200_000
_SMALLEST_P = 1e-12
_MOST_LABELS, _LARGEST_WEIGHT = 1e19, 1e3
"""More than any count or weight there is, so that what is folded stays a number."""


def weights(p0: ArrayLike, p1: ArrayLike) -> tuple[Float, Float]:
    """(w_event, w_nonevent) = (ln(p1/p0), ln((1-p1)/(1-p0))), of the shape of p0 and p1.

    Probabilities are kept within [1e-12, 1 - 1e-12], so that no single label can carry infinite evidence.

    >>> event, nonevent = weights(0.1, 0.2)
    >>> round(float(event), 4), round(float(nonevent), 4)
    (0.6931, -0.1178)
    """
    before, after = _inside(p0), _inside(p1)
    return np.log(after / before), np.log1p(-after) - np.log1p(-before)


def _inside(p: ArrayLike) -> Float:
    return np.clip(np.nan_to_num(as_float(p), nan=0.5), _SMALLEST_P, 1.0 - _SMALLEST_P)


def fold(previous: ArrayLike, events: ArrayLike, trials: ArrayLike, w_event: ArrayLike, w_nonevent: ArrayLike) -> Float:
    """The chart after a pane, all its labels at once: max(0, S + events w_event + (trials - events) w_nonevent).

    All arguments broadcast over cells. A pane without trials leaves S as it is. Events beyond 0..trials are moved inside,
    and what is no number counts as 0.

    >>> event, nonevent = weights(0.1, 0.2)
    >>> round(float(fold(1.0, 2, 10, event, nonevent)), 4)
    1.444
    """
    total = np.maximum(numbers(trials, _MOST_LABELS), 0.0)
    seen = np.clip(numbers(events, _MOST_LABELS), 0.0, total)
    event, nonevent = numbers(w_event, _LARGEST_WEIGHT), numbers(w_nonevent, _LARGEST_WEIGHT)
    return np.maximum(numbers(previous) + seen * event + (total - seen) * nonevent, 0.0)


def miss_parameters(p: ArrayLike, coverage_unflagged: ArrayLike, coverage_flagged: ArrayLike) -> Float:
    """Probability that a *labelled* positive was missed, where p of all positives are: p v_u / (p v_u + (1-p) v_f).

    Correcting p0 and p1 so leaves the weight of each label at 1; weighted labels would destroy the run length. Without any
    coverage p is returned. (Bayes' theorem on selection into verification; Begg & Greenes 1983, Biometrics 39:207.)

    >>> round(float(miss_parameters(0.2, 0.1, 0.5)), 4)
    0.0476
    """
    share = _inside(p)
    missed = share * _coverage(coverage_unflagged)
    whole = missed + (1.0 - share) * _coverage(coverage_flagged)
    return np.where(whole > 0, missed / np.where(whole > 0, whole, 1.0), share)


def _coverage(share: ArrayLike) -> Float:
    return np.clip(np.nan_to_num(as_float(share)), 0.0, 1.0)


def false_alert_parameters(p: ArrayLike, coverage_unflagged: ArrayLike, coverage_flagged: ArrayLike) -> Float:
    """Probability that a *labelled* negative was flagged, where p of all negatives are: `miss_parameters` with swapped roles.

    >>> round(float(false_alert_parameters(0.2, 0.1, 0.5)), 4)
    0.5556
    """
    return miss_parameters(p, coverage_flagged, coverage_unflagged)


def run_length(p0: float, p1: float, p: float, h: float) -> float:
    """Mean number of labels until the chart for p0 against p1, started at 0, reaches h when events have probability p.

    Markov chain of Brook & Evans (1972, Biometrika 59:539) on a grid that the downward step divides exactly; an upward step
    that ends between two states is shared between them so that its mean is kept. With h of some thousand downward steps the
    chain is exact to about 1e-3. It describes the chart label by label; folding the labels of a pane at once signals no
    earlier. `math.inf` where the chart can never signal or would need more than 1e15 labels.

    Raises:
        ValueError: a probability is not strictly between 0 and 1, p0 equals p1, h is not positive and finite, or so many
            downward steps make up h that the chain would not fit into memory.

    >>> round(run_length(0.1, 0.2, 0.1, 2.0), 1)
    184.9
    """
    if not (0 < p0 < 1 and 0 < p1 < 1 and 0 <= p <= 1 and p0 != p1 and 0 < h < math.inf):
        raise ValueError(f"no chart has p0={p0}, p1={p1}, p={p}, h={h}")
    event, nonevent = (float(w) for w in weights(p0, p1))
    up, down, rising = (event, -nonevent, p) if p1 > p0 else (nonevent, -event, 1.0 - p)
    if rising == 0.0:
        return math.inf
    steps_down = max(1, math.ceil(_STATES * down / h))
    width = down / steps_down
    if h / width > _MOST_STATES:
        raise ValueError(f"the chart for p0={p0}, p1={p1} takes more than {_MOST_STATES} steps to fall from h={h}")
    return _mean_passage(max(1, math.ceil(h / width - 1e-9)), steps_down, up / width, rising)


def _mean_passage(states: int, down: int, up: float, rising: float) -> float:
    """Mean steps from state 0 until a state >= `states`, moving up by `up` with probability `rising`, else `down`, held at 0."""
    here = np.arange(states)
    whole = math.floor(up)
    part = up - whole
    rows, columns, moves = [here], [np.maximum(here - down, 0)], [np.full(states, 1.0 - rising)]
    for target, probability in ((here + whole, rising * (1.0 - part)), (here + whole + 1, rising * part)):
        stays = target < states
        rows.append(here[stays])
        columns.append(target[stays])
        moves.append(np.full(int(stays.sum()), probability))
    moving = sparse.coo_array((np.concatenate(moves), (np.concatenate(rows), np.concatenate(columns))), shape=(states, states))
    mean = float(linalg.spsolve((sparse.eye_array(states) - moving).tocsc(), np.ones(states))[0])
    return mean if 0 < mean < 1e15 else math.inf


def false_alarm_probability(mean_run_length: float, labels: float) -> float:
    """Probability of a signal within so many labels, the run length taken as geometric: what a mean alone does not say.

    >>> round(false_alarm_probability(1000.0, 1000.0), 3)
    0.632
    """
    return -math.expm1(-labels / mean_run_length)
