"""Discrimination and calibration from the sketch of labelled scores."""

from __future__ import annotations

from collections.abc import Mapping

from detectors import weighted_auroc, weighted_calibration, weighted_calibration_error
from detectors.auroc import auroc
from detectors.calibration import calibration_in_the_large, calibration_slope
from detectors.calibration_eprocess import calibration_eprocess
from detectors.calibration_error import calibration_error
from detectors.estimate import Estimate, Outcome
from detectors.score_bins import ScoreBins
from detectors.score_sketch import SKETCH_BINS, bin_mean_logit
from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.labels import by_label, label_counts, score_sums, unless_biased
from surveillance.evaluation.estimators.request import Estimator, Request
from surveillance.evaluation.estimators.validated import validated_metric
from surveillance.evaluation.verdict import Finding
from surveillance.panes import statistics


def _auroc(request: Request) -> list[Finding]:
    validated = validated_metric(request, "auroc")
    if request.weighted:
        strata = _by_flag(request.counts)
        inferences = label_counts(request.counts).by_flag(statistics.Label.INFERENCES)
        return _told(
            request,
            weighted_auroc.auroc(
                strata[:, :, 0],
                strata[:, :, 1],
                inferences,
                level=request.level,
                reference=validated.value,
                reference_se=validated.se,
            ),
        )
    found = auroc(_bins(request), level=request.level, reference=validated.value, reference_se=validated.se)
    return _told(request, found)


def _slope(request: Request) -> list[Finding]:
    if request.weighted:
        return _told(request, weighted_calibration.calibration_slope(*_weighted(request), level=request.level))
    return _told(request, calibration_slope(_bins(request), _logit(request), level=request.level))


def _intercept(request: Request) -> list[Finding]:
    if request.weighted:
        return _told(request, weighted_calibration.calibration_in_the_large(*_weighted(request), level=request.level))
    return _told(request, calibration_in_the_large(_bins(request), _logit(request), level=request.level))


def _error(request: Request) -> list[Finding]:
    by_class, sums = by_label(request.counts), score_sums(request.counts)
    if request.weighted:
        strata = _by_flag(request.counts)
        inferences = label_counts(request.counts).by_flag(statistics.Label.INFERENCES)
        found = weighted_calibration_error.calibration_error(
            strata[:, :, 0], strata[:, :, 1], sums, inferences, level=request.level
        )
    else:
        found = calibration_error(by_class[:, 0], by_class[:, 1], sums, level=request.level)
    against = calibration_eprocess(by_class[:, 0], by_class[:, 1], sums)
    return _told(request, [_with_e(one, other) for one, other in zip(found, against, strict=True)])


def _with_e(error: Outcome, against: Outcome) -> Outcome:
    """The error with the e-value of calibration by betting on the very counts.

    It needs no weights: whether a case is labelled depends on its score alone, so the labelled ones are calibrated like all.
    """
    return error._replace(e=against.e) if isinstance(error, Estimate) and isinstance(against, Estimate) else error


def _bins(request: Request) -> ScoreBins:
    by_class = by_label(request.counts)
    return ScoreBins.of(by_class[:, 0], by_class[:, 1])


def _weighted(request: Request) -> tuple[Int, Int, Float, Int]:
    strata = _by_flag(request.counts)
    inferences = label_counts(request.counts).by_flag(statistics.Label.INFERENCES)
    return strata[:, :, 0], strata[:, :, 1], _logit(request), inferences


def _logit(request: Request) -> Float:
    return bin_mean_logit(by_label(request.counts).sum(axis=1), score_sums(request.counts))


def _by_flag(counts: Int) -> Int:
    """Counts by flag, label and sketch bin, shape (groups, 2, 2, SKETCH_BINS)."""
    return counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].reshape(len(counts), 2, 2, SKETCH_BINS)


def _told(request: Request, found: list[Outcome]) -> list[Finding]:
    labels = label_counts(request.counts)
    return unless_biased(request, labels, found, labels.labelled)


def _labelled(request: Request) -> Int:
    return label_counts(request.counts).labelled


ESTIMATORS: Mapping[str, Estimator] = {
    "auroc": Estimator(_auroc, _labelled),
    "calibration_slope": Estimator(_slope, _labelled),
    "calibration_intercept": Estimator(_intercept, _labelled),
    "calibration_error": Estimator(_error, _labelled),
}
