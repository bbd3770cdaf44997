"""Labelled inferences of a quiet field: who is positive, who was flagged, who got a label, and what the scores add up to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from detectors.score_sketch import SKETCH_BINS
from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.request import own_level
from surveillance.evaluation.evidence import Scope
from surveillance.foresight.assumptions import FieldAssumptions
from surveillance.foresight.calibrated_scores import CalibratedScores, calibrated_scores
from surveillance.foresight.chance import Chance
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_performance import Prevalence, ProportionVsFloor, SiteOutlier, SubgroupGap
from surveillance.panes import statistics
from surveillance.panes.lengths import length_of
from surveillance.panes.plan import Series
from surveillance.panes.statistics import Label, LabelScoreHead

_MICRO = 1e6
_SUMS = (
    Label.SCORE_MICRO,
    Label.SQUARE_MICRO,
    Label.QUARTIC_MICRO,
    Label.SPIEGELHALTER_MICRO,
    Label.SPIEGELHALTER_VARIANCE_MICRO,
)


@dataclass(frozen=True)
class QuietLabels:
    """`length` of the statistic drawn: `LABELS`, or with `by_score` `LABEL_SCORES`. Coverage by flag: unflagged, flagged.

    Without `summed` nobody reads what the scores add up to, and it stays 0.
    """

    length: int
    by_score: bool
    scores: CalibratedScores
    sensitivity: float
    specificity: float
    coverage: tuple[float, float]
    summed: bool = True

    def draw(self, chance: Chance, cases: Int, common: Float) -> Int:
        """Counts (W, length) of windows of `cases` inferences (W,)."""
        counts = np.zeros((len(cases), self.length), np.int64)
        positives = chance.binomial(cases, min(self.scores.prevalence, 1.0))
        flagged = (
            chance.binomial(cases - positives, 1.0 - self.specificity),
            chance.binomial(positives, self.sensitivity),
        )
        whole = (cases - positives, positives)
        for flag in (0, 1):
            groups = [flagged[label] if flag else whole[label] - flagged[label] for label in (0, 1)]
            labelled = [chance.binomial(group, self.coverage[flag]) for group in groups]
            (self._put_scores if self.by_score else self._put_sums)(chance, counts, flag, groups, labelled)
        return counts

    def _put_sums(self, chance: Chance, counts: Int, flag: int, groups: list[Int], labelled: list[Int]) -> None:
        at = flag * (self.length // 2)
        counts[:, at + Label.INFERENCES] = groups[0] + groups[1]
        counts[:, at + Label.NEGATIVES], counts[:, at + Label.POSITIVES] = labelled
        counts[:, at + Label.VERIFIED] = labelled[0] + labelled[1]
        if not self.summed:
            return
        sums = np.zeros((len(counts), len(_SUMS)))
        for label in (0, 1):
            mean, root = self._moments[label]
            noise = chance.standard_normal((len(counts), len(_SUMS))) @ root.T
            sums += labelled[label][:, None] * mean + np.sqrt(labelled[label])[:, None] * noise
        for column, total in zip(_SUMS, sums.T, strict=True):
            counts[:, at + column] = np.round(total * _MICRO)

    @cached_property
    def _moments(self) -> tuple[tuple[Float, Float], ...]:
        """Mean and root of the covariance of what a case of each label adds to the sums."""
        score = self.scores.score
        found = []
        for label in (0, 1):
            error, slack = score - label, 1 - 2 * score
            terms = np.stack([score, error**2, error**4, -error * slack, slack**2 * score * (1 - score)])
            weight = self.scores.density(label)
            mean = terms @ weight
            values, vectors = np.linalg.eigh((terms * weight) @ terms.T - np.outer(mean, mean))
            found.append((mean, vectors * np.sqrt(np.maximum(values, 0.0))))
        return tuple(found)

    def _put_scores(self, chance: Chance, counts: Int, flag: int, groups: list[Int], labelled: list[Int]) -> None:
        head = LabelScoreHead.INFERENCES_FLAGGED if flag else LabelScoreHead.INFERENCES_UNFLAGGED
        counts[:, head] = groups[0] + groups[1]
        if not flag:
            counts[:, LabelScoreHead.VERIFIED_UNFLAGGED] = labelled[0] + labelled[1]
        for label in (0, 1):
            at = statistics.LABEL_COUNT_AT + (2 * flag + label) * SKETCH_BINS
            drawn = chance.multinomial(labelled[label], self.scores.sketch(label))
            counts[:, at : at + SKETCH_BINS] = drawn
            sums = np.round(drawn * self.scores.sketch_means_micro()).astype(np.int64)
            counts[:, statistics.LABEL_SUM_AT : statistics.LABEL_SUM_AT + SKETCH_BINS] += sums

    def with_ppv(self, ppv: float) -> QuietLabels:
        """The specificity that gives this positive predictive value."""
        prevalence = self.scores.prevalence
        false_alerts = prevalence * self.sensitivity * (1 - ppv) / max(ppv, 1e-9)
        return replace(self, specificity=float(np.clip(1 - false_alerts / max(1 - prevalence, 1e-9), 0.0, 1.0)))

    def with_npv(self, npv: float) -> QuietLabels:
        """The sensitivity that gives this negative predictive value."""
        prevalence = self.scores.prevalence
        misses = (1 - prevalence) * self.specificity * (1 - npv) / max(npv, 1e-9)
        return replace(self, sensitivity=float(np.clip(1 - misses / max(prevalence, 1e-9), 0.0, 1.0)))

    @property
    def predictive_values(self) -> dict[str, float]:
        """PPV and NPV."""
        prevalence = self.scores.prevalence
        true_alerts, false_alerts = prevalence * self.sensitivity, (1 - prevalence) * (1 - self.specificity)
        misses, cleared = prevalence * (1 - self.sensitivity), (1 - prevalence) * self.specificity
        return {
            "ppv": true_alerts / max(true_alerts + false_alerts, 1e-12),
            "npv": cleared / max(cleared + misses, 1e-12),
        }


def quiet_labels(manifest: Manifest, field: FieldAssumptions, series: Series, scope: Scope) -> QuietLabels:
    """The quiet world of a series on labels: calibrated at the prevalence, with the validated sensitivity and specificity."""
    return QuietLabels(
        length=length_of(manifest, series.statistic),
        by_score=series.statistic.partition(":")[0] == statistics.LABEL_SCORES,
        scores=calibrated_scores(manifest.baselines.score, field.prevalence),
        sensitivity=_validated(manifest, "sensitivity", scope, field.sensitivity),
        specificity=_validated(manifest, "specificity", scope, field.specificity),
        coverage=(field.coverage_unflagged, field.coverage_flagged),
        summed=not isinstance(series.monitor.metric, ProportionVsFloor | Prevalence | SubgroupGap | SiteOutlier),
    )


def _validated(manifest: Manifest, metric_id: str, scope: Scope, overall: float) -> float:
    """What was validated for the scope itself, else the overall number."""
    level, metric = own_level(scope), manifest.baselines.metric(metric_id)
    own = metric.of(*level) if metric is not None and level is not None else None
    return own.value if own is not None else overall
