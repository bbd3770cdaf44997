"""Features, scores and output classes of a quiet field, as counts over the bins of their reference."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.request import own_level
from surveillance.evaluation.evidence import Scope
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.chance import Chance
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import FeatureShare, Saturation
from surveillance.manifest.mix_reference import mix_distribution, mix_reference
from surveillance.manifest.model_baselines import FeatureBaseline, ScoreBaseline
from surveillance.manifest.model_distribution import Distribution, Reference
from surveillance.panes import statistics
from surveillance.panes.binning import bin_count, feature_distribution
from surveillance.panes.plan import Series
from surveillance.panes.statistics import FeatureTail, ScoreTail


@dataclass(frozen=True, slots=True)
class QuietBins:
    """Shares of a value that varies from window to window by `wander` standard deviations, and is moved by `shift` of them.

    Without `binned` nobody reads the bins, and they stay empty.
    """

    family: str
    probs: Float
    missing: float = 0.0
    absent: float = 0.0
    out_of_range: float = 0.0
    low: float = 0.0
    high: float = 0.0
    wander: float = 0.0
    shift: float = 0.0
    binned: bool = True

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        """Counts (W, length) of windows of `cases` inferences (W,); `common` (W,) is what all groups share, standard normal."""
        if self.family == statistics.FEATURE:
            return self._feature(chance, cases, common)
        counts = self._bins(chance, cases, common)
        if self.family == statistics.OUTPUT:
            return counts
        if self.family == statistics.MIX:
            return np.concatenate([counts, cases[:, None]], axis=1)
        tail = np.zeros((len(cases), len(ScoreTail)), np.int64)
        tail[:, ScoreTail.LOW], tail[:, ScoreTail.HIGH] = chance.binomial(cases, self.low), chance.binomial(cases, self.high)
        tail[:, ScoreTail.SCORES] = cases
        return np.concatenate([counts, tail], axis=1)

    def _feature(self, chance: Chance, cases: Int, common: Float) -> Int:
        tail = np.zeros((len(cases), len(FeatureTail)), np.int64)
        tail[:, FeatureTail.ABSENT] = chance.binomial(cases, self.absent)
        tail[:, FeatureTail.SENT] = cases - tail[:, FeatureTail.ABSENT]
        tail[:, FeatureTail.MISSING] = chance.binomial(tail[:, FeatureTail.SENT], self.missing)
        present = tail[:, FeatureTail.SENT] - tail[:, FeatureTail.MISSING]
        tail[:, FeatureTail.NUMBERS] = present
        tail[:, FeatureTail.OUT_OF_RANGE] = chance.binomial(present, self.out_of_range)
        tail[:, FeatureTail.NUMBERS] = present
        return np.concatenate([self._bins(chance, present, common), tail], axis=1)

    def _bins(self, chance: Chance, cases: Int, common: Float) -> Int:
        if not self.binned or not len(self.probs):
            return np.zeros((len(cases), len(self.probs)), np.int64)
        moved = self.shift + self.wander * common
        if not np.any(moved):
            return chance.multinomial(cases, self.probs)
        return chance.multinomial(cases, self.probs_moved(moved))

    def probs_moved(self, by: Float) -> Float:
        """Shares (W, B) of the same bins when the value's mean moves by so many standard deviations: exponential tilting."""
        place = np.arange(len(self.probs), dtype=np.float64)
        place -= (place * self.probs).sum()
        spread = math.sqrt((place**2 * self.probs).sum()) or 1.0
        weights = self.probs * np.exp(np.outer(by, place / spread))
        tilted: Float = weights / weights.sum(axis=1, keepdims=True)
        return tilted


def quiet_bins(manifest: Manifest, field: FieldAssumptions, series: Series, scope: Scope) -> QuietBins:
    """The quiet world of a series on the bins of a feature, of the score or of the output class."""
    family, _, subject = series.statistic.partition(":")
    if family == statistics.MIX:
        return QuietBins(family, reference_shares(mix_reference(manifest, subject), mix_distribution(manifest, subject), scope))
    name = {statistics.SCORE: "score", statistics.OUTPUT: "output_class"}.get(family, subject)
    reference = manifest.baselines.reference(name)
    shares = reference_shares(reference, feature_distribution(manifest, name), scope)
    world = QuietBins(family, shares, binned=not isinstance(series.monitor.metric, FeatureShare | Saturation))
    if isinstance(reference, FeatureBaseline):
        level = own_level(scope)
        own = (reference.of(*level) if level is not None else None) or reference
        return replace(
            world,
            missing=_stated(own.missing, reference.missing),
            absent=_stated(own.absent, reference.absent),
            out_of_range=_stated(own.out_of_range, reference.out_of_range),
            wander=_wander(reference, field),
        )
    if isinstance(reference, ScoreBaseline):
        known = reference.saturation_share
        return replace(world, low=known.low or 0.0, high=known.high or 0.0)
    return world


def _stated(*shares: float | None) -> float:
    return next((share for share in shares if share is not None), 0.0)


def _wander(reference: FeatureBaseline, field: FieldAssumptions) -> float:
    """Standard deviation, in those of single cases, by which the field's mean of a day moves beyond what chance does to it."""
    dispersion = reference.dispersion or 1.0
    return math.sqrt(max(dispersion**2 - 1.0, 0.0) / max(field.per_day, 1.0))


def reference_shares(reference: Reference | None, counted: Distribution | None, scope: Scope) -> Float:
    """Shares over the counted bins: the scope's own where the manifest has them."""
    probs = np.zeros(bin_count(counted))
    if reference is None or counted is None:
        return probs
    level = own_level(scope)
    chosen = (reference.distribution_of(*level) if level is not None else None) or counted
    if chosen.levels is None or counted.levels is None:
        probs[: len(chosen.probs)] = chosen.probs
    else:
        position = {name: at for at, name in enumerate(counted.levels)}
        for name, share in zip(chosen.levels, chosen.probs, strict=True):
            probs[position.get(name, position.get("other", len(probs) - 1))] += share
    return probs / (probs.sum() or 1.0)
