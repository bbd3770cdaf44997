"""Net benefit of acting on scores from a threshold on: true positives less false positives at the threshold's odds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import MICRO, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import wilson
from detectors.outcomes import impossible_share, outcomes
from detectors.score_sketch import sketch_bin


@silent
def net_benefit(
    true_positives: ArrayLike, false_positives: ArrayLike, n: ArrayLike, *, threshold: float, level: float = 0.95
) -> list[Outcome]:
    """TP/n - FP/n x threshold / (1 - threshold), per labelled row; all (C,) (Vickers & Elkin 2006, Med. Decis. Making 26:565).

    Acting on nobody has 0. The interval joins the Wilson intervals of both shares, which exclude each other, by MOVER (Zou &
    Donner 2008, Stat. Med. 27:1693), so it has a width also where nothing was flagged.

    `no_exposure` where n is 0, `degenerate_outcomes` where the counts are none of n rows.

    Raises:
        ValueError: the threshold is not between 0 and 1.

    >>> found = net_benefit([80], [150], [1000], threshold=0.2)[0]
    >>> round(found.value, 4), round(found.lower, 4), round(found.upper, 4)
    (0.0425, 0.0255, 0.0623)
    """
    odds = _odds(threshold)
    hits, alarms, rows = as_float(true_positives), as_float(false_positives), as_float(n)
    size = np.where(rows > 0, rows, 1.0)
    (hit_low, hit_high), (alarm_low, alarm_high) = wilson(hits, rows, level), wilson(alarms, rows, level)
    hit, alarm = hits / size, alarms / size
    both = _correlation(hit, alarm)
    value = hit - odds * alarm
    lower = value - _joined(hit - hit_low, odds * (alarm_high - alarm), both)
    upper = value + _joined(hit_high - hit, odds * (alarm - alarm_low), both)
    impossible = impossible_share(hits, rows) | impossible_share(alarms, rows) | ~(hits + alarms <= rows)
    refusals = [(rows == 0, Reason.NO_EXPOSURE), (impossible, Reason.DEGENERATE_OUTCOMES)]
    return outcomes(value, np.maximum(lower, -odds), np.minimum(upper, 1.0), rows, "net_benefit_mover", refusals=refusals)


def net_benefit_of_scores(neg: ArrayLike, pos: ArrayLike, *, threshold: float, level: float = 0.95) -> list[Outcome]:
    """Net benefit of acting from the sketch bin on that holds the threshold; counts (C, SKETCH_BINS) in rising score order.

    Raises:
        ValueError: the threshold is not between 0 and 1.

    >>> from detectors.score_sketch import SKETCH_BINS
    >>> neg, pos = np.zeros((2, 1, SKETCH_BINS), dtype=np.int64)
    >>> neg[0, [40, 140]], pos[0, [40, 140]] = (770, 150), (0, 80)
    >>> round(net_benefit_of_scores(neg, pos, threshold=0.2)[0].value, 4)
    0.0425
    """
    _odds(threshold)
    first = int(sketch_bin(np.array([round(threshold * MICRO)]))[0])
    negatives, positives = np.atleast_2d(as_float(neg)), np.atleast_2d(as_float(pos))
    hits, alarms = positives[:, first:].sum(axis=1), negatives[:, first:].sum(axis=1)
    wrong = (negatives.min(axis=1, initial=0.0) < 0) | (positives.min(axis=1, initial=0.0) < 0)
    n = np.where(wrong, -1.0, negatives.sum(axis=1) + positives.sum(axis=1))
    return net_benefit(hits, alarms, n, threshold=threshold, level=level)


def _odds(threshold: float) -> float:
    if not 0.0 < threshold < 1.0:
        raise ValueError(f"threshold must lie between 0 and 1: {threshold}")
    return threshold / (1.0 - threshold)


def _correlation(hit: Float, alarm: Float) -> Float:
    """Correlation of two shares of one whole: what is a hit is no false alarm."""
    others = (1.0 - hit) * (1.0 - alarm)
    square = np.where(others > 0, hit * alarm / np.where(others > 0, others, 1.0), 1.0)
    return as_float(-np.sqrt(np.clip(square, 0.0, 1.0)))


def _joined(one: Float, other: Float, correlation: Float) -> Float:
    """Reach of a difference from the reaches of its parts."""
    return np.sqrt(np.maximum(one**2 + other**2 - 2.0 * correlation * one * other, 0.0))
