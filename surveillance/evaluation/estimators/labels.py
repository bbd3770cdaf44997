"""Performance on labelled inferences from sums over them: proportions, Brier score, calibration in the large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detectors import inverse_coverage
from detectors.brier import brier
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.observed_expected import observed_expected
from detectors.score_sketch import SKETCH_BINS
from detectors.spiegelhalter import spiegelhalter
from surveillance.arrays import Int
from surveillance.evaluation.estimators.request import Estimator, Request
from surveillance.evaluation.estimators.validated import validated_metric
from surveillance.evaluation.labelled import LabelCounts, proportion_of_labels, verification_bias
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_performance import ProportionVsFloor
from surveillance.panes import statistics
from surveillance.panes.statistics import Label, LabelScoreHead


def _floor(request: Request) -> list[Finding]:
    metric = request.series.monitor.metric
    assert isinstance(metric, ProportionVsFloor)
    found = proportion_of_labels(
        LabelCounts(request.counts), metric.event, method=request.method, level=request.level, corrected=request.weighted
    )
    if metric.event == "ppv":
        return [Finding(outcome) for outcome in found]
    return unless_biased(request, LabelCounts(request.counts), found, _proportion_sizes(request))


def _brier(request: Request) -> list[Finding]:
    labels = LabelCounts(request.counts)
    validated = validated_metric(request, "brier")
    if request.weighted:
        squares, quartics = labels.by_flag(Label.SQUARE_MICRO), labels.by_flag(Label.QUARTIC_MICRO)
        found = inverse_coverage.brier(
            labels.coverage, squares, quartics, level=request.level, reference=validated.value, reference_se=validated.se
        )
    else:
        squares, quartics = labels.column(Label.SQUARE_MICRO), labels.column(Label.QUARTIC_MICRO)
        found = brier(
            labels.labelled, squares, quartics, level=request.level, reference=validated.value, reference_se=validated.se
        )
    return unless_biased(request, labels, found, labels.labelled)


def _observed_expected(request: Request) -> list[Finding]:
    labels = LabelCounts(request.counts)
    if request.weighted:
        events, scores = labels.by_flag(Label.POSITIVES), labels.by_flag(Label.SCORE_MICRO)
        found = inverse_coverage.observed_expected(labels.coverage, events, scores, level=request.level)
    else:
        found = observed_expected(labels.labelled, labels.positives, labels.column(Label.SCORE_MICRO), level=request.level)
    return unless_biased(request, labels, found, labels.labelled)


def _spiegelhalter(request: Request) -> list[Finding]:
    labels = LabelCounts(request.counts)
    if request.weighted:
        sums = labels.by_flag(Label.SPIEGELHALTER_MICRO), labels.by_flag(Label.SPIEGELHALTER_VARIANCE_MICRO)
        found = inverse_coverage.spiegelhalter(labels.coverage, *sums, level=request.level)
    else:
        of_all = labels.column(Label.SPIEGELHALTER_MICRO), labels.column(Label.SPIEGELHALTER_VARIANCE_MICRO)
        found = spiegelhalter(labels.labelled, *of_all, level=request.level)
    return unless_biased(request, labels, found, labels.labelled)


def by_class(counts: Int) -> tuple[Int, Int]:
    """Negatives and positives by sketch bin over both flags, each (groups, SKETCH_BINS)."""
    cells = counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].reshape(len(counts), 2, 2, SKETCH_BINS)
    return cells[:, 0, 0] + cells[:, 1, 0], cells[:, 0, 1] + cells[:, 1, 1]


def score_sums(counts: Int) -> Int:
    """Sums of score in micro-units by sketch bin, shape (groups, SKETCH_BINS)."""
    return counts[:, statistics.LABEL_SUM_AT : statistics.LABEL_SUM_AT + SKETCH_BINS]


def label_counts(counts: Int) -> LabelCounts:
    """The verification counts of `LABEL_SCORES` in the layout of `LABELS`, so that one rule judges both."""
    stride = len(Label)
    found = np.zeros((len(counts), 2 * stride), np.int64)
    labelled = counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].reshape(len(counts), 2, 2, SKETCH_BINS).sum(axis=3)
    for flag, inferences in enumerate((LabelScoreHead.INFERENCES_UNFLAGGED, LabelScoreHead.INFERENCES_FLAGGED)):
        found[:, flag * stride + Label.INFERENCES] = counts[:, inferences]
        found[:, flag * stride + Label.NEGATIVES] = labelled[:, flag, 0]
        found[:, flag * stride + Label.POSITIVES] = labelled[:, flag, 1]
    found[:, Label.VERIFIED] = counts[:, LabelScoreHead.VERIFIED_UNFLAGGED]
    return LabelCounts(found)


def unless_biased(request: Request, labels: LabelCounts, found: Sequence[Outcome], sizes: Int) -> list[Finding]:
    """What was found, but where flagged and unflagged cases may not be mixed."""
    told = list(found)
    for at in np.flatnonzero(verification_bias(labels, request.manifest.baselines.label_latency)).tolist():
        told[at] = Insufficient(Reason.VERIFICATION_BIAS, int(sizes[at]))
    return [Finding(outcome, p=outcome.p if isinstance(outcome, Estimate) else None) for outcome in told]


def _proportion_sizes(request: Request) -> Int:
    metric = request.series.monitor.metric
    assert isinstance(metric, ProportionVsFloor)
    return LabelCounts(request.counts).denominator(metric.event)


def _labelled(request: Request) -> Int:
    return LabelCounts(request.counts).labelled


ESTIMATORS: Mapping[str, Estimator] = {
    "proportion_vs_floor": Estimator(_floor, _proportion_sizes),
    "brier": Estimator(_brier, _labelled),
    "observed_expected": Estimator(_observed_expected, _labelled),
    "spiegelhalter": Estimator(_spiegelhalter, _labelled),
}
