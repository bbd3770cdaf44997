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
from surveillance.evaluation.estimators.labels import by_class, label_counts, score_sums, unless_biased
from surveillance.evaluation.estimators.request import Estimator, Request
from surveillance.evaluation.estimators.validated import validated_metric
from surveillance.evaluation.verdict import Finding
from surveillance.panes import statistics


def _auroc(request: Request) -> list[Finding]:
    validated = validated_metric(request, "auroc")
    level, known = request.level, {"reference": validated.value, "reference_se": validated.se}
    if request.weighted:
        neg, pos, inferences = _by_flag(request.counts)
        return _told(request, weighted_auroc.auroc(neg, pos, inferences, level=level, **known))
    return _told(request, auroc(ScoreBins.of(*by_class(request.counts)), level=level, **known))


def _slope(request: Request) -> list[Finding]:
    neg, pos, logit = _with_logit(request.counts)
    if request.weighted:
        neg, pos, inferences = _by_flag(request.counts)
        return _told(request, weighted_calibration.calibration_slope(neg, pos, logit, inferences, level=request.level))
    return _told(request, calibration_slope(ScoreBins.of(neg, pos), logit, level=request.level))


def _intercept(request: Request) -> list[Finding]:
    neg, pos, logit = _with_logit(request.counts)
    if request.weighted:
        neg, pos, inferences = _by_flag(request.counts)
        return _told(request, weighted_calibration.calibration_in_the_large(neg, pos, logit, inferences, level=request.level))
    return _told(request, calibration_in_the_large(ScoreBins.of(neg, pos), logit, level=request.level))


def _error(request: Request) -> list[Finding]:
    (neg, pos), sums = by_class(request.counts), score_sums(request.counts)
    against = calibration_eprocess(neg, pos, sums)
    if request.weighted:
        neg, pos, inferences = _by_flag(request.counts)
        found = weighted_calibration_error.calibration_error(neg, pos, sums, inferences, level=request.level)
    else:
        found = calibration_error(neg, pos, sums, level=request.level)
    return _told(request, [_with_e(one, other) for one, other in zip(found, against, strict=True)])


def _with_e(error: Outcome, against: Outcome) -> Outcome:
    """The error with the e-value of calibration by betting on the very counts.

    It needs no weights: whether a case is labelled depends on its score alone, so the labelled ones are calibrated like all.
    """
    return error._replace(e=against.e) if isinstance(error, Estimate) and isinstance(against, Estimate) else error


def _with_logit(counts: Int) -> tuple[Int, Int, Float]:
    """Negatives, positives and the logit of the mean score by sketch bin, each (groups, SKETCH_BINS)."""
    neg, pos = by_class(counts)
    return neg, pos, bin_mean_logit(neg + pos, score_sums(counts))


def _by_flag(counts: Int) -> tuple[Int, Int, Int]:
    """Negatives and positives by flag and sketch bin, (groups, 2, SKETCH_BINS), and the inferences of each flag, (groups, 2)."""
    cells = counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].reshape(len(counts), 2, 2, SKETCH_BINS)
    return cells[:, :, 0], cells[:, :, 1], label_counts(counts).by_flag(statistics.Label.INFERENCES)


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
