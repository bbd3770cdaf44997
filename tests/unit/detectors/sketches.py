"""Rows with scores as the detectors on score sketches see them."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from detectors.arrays import Float, Int
from detectors.score_sketch import SKETCH_BINS, sketch_bin


def drawn(rng: np.random.Generator, shape: tuple[int, int], *, shift: float = 0.0, slope: float = 1.0, centre: float = -1.0):
    """Scores and outcomes of rows (cells, rows) whose true logit is `shift` + `slope` x that of the score."""
    logit = rng.normal(centre, 1.5, shape)
    score = np.round(expit(logit), 6)
    return score, (rng.random(shape) < expit(shift + slope * logit)).astype(np.int64)


def sketched(score: Float, outcome: Int, weight: Int | None = None) -> tuple[Int, Int, Int]:
    """Negatives, positives and sums of score in micro-units, (cells, SKETCH_BINS) each; rows of weight 0 are left out."""
    micro = np.round(score * 1e6).astype(np.int64)
    kept = np.ones(score.shape, dtype=np.int64) if weight is None else weight
    at = (sketch_bin(micro) + np.arange(len(score))[:, None] * SKETCH_BINS).ravel()

    def total(values: Int) -> Int:
        sums = np.bincount(at, weights=(values * kept).ravel(), minlength=len(score) * SKETCH_BINS)
        return np.round(sums).astype(np.int64).reshape(len(score), SKETCH_BINS)

    return total(1 - outcome), total(outcome), total(micro)
