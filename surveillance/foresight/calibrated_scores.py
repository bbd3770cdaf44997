"""Scores and labels that go together: a distribution of scores, and the probability of a positive label at each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from detectors.score_sketch import SKETCH_BINS, sketch_bin
from surveillance.arrays import Float, Int
from surveillance.manifest.model_distribution import Reference

_POINTS = 1000
_MICRO = 1_000_000
_BISECTIONS = 40


@dataclass(frozen=True)
class CalibratedScores:
    """`score` (P,) strictly inside 0..1, its `weight` (P,) in the field, and `risk` (P,) = P(label 1 | score)."""

    score: Float
    weight: Float
    risk: Float

    @cached_property
    def prevalence(self) -> float:
        """Share of positives."""
        return float((self.weight * self.risk).sum())

    def density(self, label: int) -> Float:
        """Weights (P,) of the scores among the cases of a label."""
        joint: Float = self.weight * (self.risk if label else 1.0 - self.risk)
        return joint / (joint.sum() or 1.0)

    def sketch(self, label: int) -> Float:
        """Shares (SKETCH_BINS,) of the sketch's bins among the cases of a label."""
        return np.bincount(self._bins, self.density(label), SKETCH_BINS).astype(np.float64)

    def sketch_means_micro(self) -> Float:
        """Mean score (SKETCH_BINS,) of each bin in micro-units."""
        weight = np.bincount(self._bins, self.weight, SKETCH_BINS)
        total = np.bincount(self._bins, self.weight * self.score * _MICRO, SKETCH_BINS)
        return total / np.where(weight > 0, weight, 1.0)

    @cached_property
    def _bins(self) -> Int:
        return sketch_bin(np.round(self.score * _MICRO).astype(np.int64))

    def auroc(self) -> float:
        """Area under the ROC curve."""
        negative, positive = self.density(0), self.density(1)
        below = np.cumsum(negative) - negative
        return float((positive * (below + negative / 2)).sum())

    def brier(self) -> float:
        """Mean squared error of the score."""
        return float((self.weight * (self.risk * (1 - self.score) ** 2 + (1 - self.risk) * self.score**2)).sum())

    def with_ratio(self, ratio: float) -> CalibratedScores:
        """Observed events are `ratio` times those the scores expect."""
        return replace(self, risk=np.clip(self.risk * ratio, 0.0, 1.0))

    def with_line(self, intercept: float, slope: float) -> CalibratedScores:
        """A calibration line: logit risk = intercept + slope x logit score."""
        odds = np.exp(intercept) * (self.score / (1 - self.score)) ** slope
        return replace(self, risk=odds / (1 + odds))

    def with_slope(self, slope: float) -> CalibratedScores:
        """A calibration slope at the same prevalence."""
        low, high = -30.0, 30.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.with_line(middle, slope).prevalence < self.prevalence else (low, middle)
        return self.with_line((low + high) / 2, slope)

    def blurred(self, share: float) -> CalibratedScores:
        """For this share of the cases the score says nothing about the label."""
        return replace(self, risk=(1 - share) * self.risk + share * self.prevalence)


def calibrated_scores(reference: Reference | None, prevalence: float) -> CalibratedScores:
    """Scores spread as the reference says, within bins evenly, tilted so that they are calibrated at the prevalence.

    Without a reference they are beta distributed with that mean.
    """
    points = (np.arange(_POINTS) + 0.5) / _POINTS
    distribution = reference.distribution if reference is not None else None
    if distribution is None or distribution.edges is None:
        # Towards both ends the points get close, so that rare high and low scores are there.
        score = 1 / (1 + np.exp(-12 * (2 * points - 1)))
        weight = score**prevalence * (1 - score) ** (1 - prevalence)
    else:
        edges, probs = np.array(distribution.edges), np.array(distribution.probs)
        each = _POINTS // len(probs)
        inside = (np.arange(each) + 0.5) / each
        score = (edges[:-1, None] + np.diff(edges)[:, None] * inside).ravel()
        weight = np.repeat(probs / each, each)
    score = np.clip(score, 1e-6, 1 - 1e-6)
    weight = _tilted(score, weight / weight.sum(), prevalence)
    return CalibratedScores(score, weight, score)


def _tilted(score: Float, weight: Float, mean: float) -> Float:
    """The weights, exponentially tilted to a mean score."""
    low, high, tilted = -200.0, 200.0, weight
    for _ in range(_BISECTIONS * 2):
        middle = (low + high) / 2
        tilted = weight * np.exp(middle * (score - (1.0 if middle > 0 else 0.0)))
        tilted = tilted / tilted.sum()
        low, high = (middle, high) if (tilted * score).sum() < mean else (low, middle)
    return tilted
