"""Performance on labelled inferences: proportions, discrimination, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detectors.auroc import auroc
from detectors.brier import brier
from detectors.calibration import calibration_slope
from detectors.estimate import Insufficient, Outcome, Reason
from detectors.observed_expected import observed_expected
from detectors.score_sketch import SKETCH_BINS, bin_mean_logit
from surveillance.arrays import Int
from surveillance.evaluation.estimators.request import Estimator, Request
from surveillance.evaluation.labelled import LabelCounts, proportion_of_labels, verification_bias
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_performance import ProportionVsFloor
from surveillance.panes import statistics
from surveillance.panes.statistics import LabelScoreHead


def _floor(request: Request) -> list[Finding]:
    metric = request.series.monitor.metric
    assert isinstance(metric, ProportionVsFloor)
    corrected = metric.verification_correction == "begg_greenes"
    found = proportion_of_labels(
        LabelCounts(request.counts), metric.event, method=request.method, level=request.level, corrected=corrected
    )
    if metric.event == "ppv":
        return [Finding(outcome) for outcome in found]
    return unless_biased(request, LabelCounts(request.counts), found, _proportion_sizes(request))


def _brier(request: Request) -> list[Finding]:
    labels = LabelCounts(request.counts)
    found = brier(
        labels.labelled,
        labels.column(statistics.Label.SQUARE_MICRO),
        labels.column(statistics.Label.QUARTIC_MICRO),
        level=request.level,
    )
    return unless_biased(request, labels, found, labels.labelled)


def _observed_expected(request: Request) -> list[Finding]:
    labels = LabelCounts(request.counts)
    found = observed_expected(labels.labelled, labels.positives, labels.column(statistics.Label.SCORE_MICRO), level=request.level)
    return unless_biased(request, labels, found, labels.labelled)


def _auroc(request: Request) -> list[Finding]:
    strata = by_label(request.counts)
    labels = label_counts(request.counts)
    return unless_biased(request, labels, auroc(strata[:, 0], strata[:, 1], level=request.level), labels.labelled)


def _slope(request: Request) -> list[Finding]:
    strata = by_label(request.counts)
    logit = bin_mean_logit(strata.sum(axis=1), score_sums(request.counts))
    labels = label_counts(request.counts)
    found = calibration_slope(strata[:, 0], strata[:, 1], logit, level=request.level)
    return unless_biased(request, labels, found, labels.labelled)


def by_label(counts: Int) -> Int:
    """Counts by label and sketch bin over both flags, shape (groups, 2, SKETCH_BINS)."""
    by_flag = counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].reshape(len(counts), 2, 2, SKETCH_BINS)
    total: Int = by_flag.sum(axis=1)
    return total


def score_sums(counts: Int) -> Int:
    """Sums of score in micro-units by sketch bin, shape (groups, SKETCH_BINS)."""
    return counts[:, statistics.LABEL_SUM_AT : statistics.LABEL_SUM_AT + SKETCH_BINS]


def label_counts(counts: Int) -> LabelCounts:
    """The verification counts of `LABEL_SCORES` in the layout of `LABELS`, so that one rule judges both."""
    stride = len(statistics.Label)
    found = np.zeros((len(counts), 2 * stride), np.int64)
    labelled = counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].reshape(len(counts), 2, 2, SKETCH_BINS).sum(axis=3)
    for flag, inferences in enumerate((LabelScoreHead.INFERENCES_UNFLAGGED, LabelScoreHead.INFERENCES_FLAGGED)):
        found[:, flag * stride + statistics.Label.INFERENCES] = counts[:, inferences]
        found[:, flag * stride + statistics.Label.NEGATIVES] = labelled[:, flag, 0]
        found[:, flag * stride + statistics.Label.POSITIVES] = labelled[:, flag, 1]
    found[:, statistics.Label.VERIFIED] = counts[:, LabelScoreHead.VERIFIED_UNFLAGGED]
    return LabelCounts(found)


def unless_biased(request: Request, labels: LabelCounts, found: Sequence[Outcome], sizes: Int) -> list[Finding]:
    """What was found, but where flagged and unflagged cases may not be mixed."""
    biased = verification_bias(labels, request.manifest.baselines.label_latency)
    refused = [Insufficient(Reason.VERIFICATION_BIAS, int(n)) for n in sizes]
    return [Finding(refused[at] if biased[at] else outcome) for at, outcome in enumerate(found)]


def _proportion_sizes(request: Request) -> Int:
    metric = request.series.monitor.metric
    assert isinstance(metric, ProportionVsFloor)
    return LabelCounts(request.counts).denominator(metric.event)


def _labelled(request: Request) -> Int:
    return LabelCounts(request.counts).labelled


def _labelled_scores(request: Request) -> Int:
    return label_counts(request.counts).labelled


ESTIMATORS: Mapping[str, Estimator] = {
    "proportion_vs_floor": Estimator(_floor, _proportion_sizes),
    "brier": Estimator(_brier, _labelled),
    "observed_expected": Estimator(_observed_expected, _labelled),
    "auroc": Estimator(_auroc, _labelled_scores),
    "calibration_slope": Estimator(_slope, _labelled_scores),
}
