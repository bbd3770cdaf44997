"""What stands beside a number on labels for people to read, and moves no verdict.

`bounds`: the smallest and largest share that the missing labels leave possible. `without_treated`: the same number without the
cases that were treated before their label was found. `label_free`: what the scores alone promise, an estimate, and void while
the labels of the window, or the newest of the scope, reject that the scores are calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from detectors import cbpe, manski
from detectors.calibration_eprocess import calibration_eprocess
from detectors.estimate import Estimate, Outcome
from detectors.score_sketch import SKETCH_BINS
from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.labels import by_class, label_counts, score_sums
from surveillance.evaluation.estimators.request import Estimator, Request
from surveillance.evaluation.evidence import estimate_body, reason_of
from surveillance.evaluation.labelled import FLAGGED, UNFLAGGED, LabelCounts
from surveillance.evaluation.newest_labels import NewestLabels
from surveillance.manifest.metrics_performance import Prevalence, ProportionVsFloor
from surveillance.panes import statistics
from surveillance.panes.readings import TREATED
from surveillance.panes.statistics import Label

VOID = "calibration_rejected"
"""Why a label-free estimate is not given."""

_BOUNDS: Mapping[str, Callable[..., list[Outcome]]] = {
    "sensitivity": manski.sensitivity,
    "specificity": manski.specificity,
    "ppv": manski.ppv,
    "npv": manski.npv,
    "prevalence": manski.prevalence,
}


BesideCounts = Mapping[str, Int]
"""Counts over the windows of the scopes, in their order, by the statistic that is read beside; one without rows is absent."""


def beside(
    request: Request, estimator: Estimator, counts: BesideCounts, newest: NewestLabels | None = None
) -> list[Mapping[str, Any] | None]:
    """What stands beside the number of each scope, by its public name; None where nothing does.

    `newest` = labels that may reject the scores besides those of the windows.
    """
    found: list[dict[str, Any]] = [{} for _ in request.scopes]
    for name, bodies in (
        ("bounds", _bounds(request)),
        ("without_treated", _without_treated(request, estimator, counts)),
        ("label_free", _label_free(request, counts, newest)),
    ):
        for at, body in enumerate(bodies):
            if body is not None:
                found[at][name] = body
    return [one or None for one in found]


def _bounds(request: Request) -> list[dict[str, Any] | None]:
    metric = request.series.monitor.metric
    if not isinstance(metric, ProportionVsFloor | Prevalence):
        return []
    labels = LabelCounts(request.counts)
    bounds = _BOUNDS[metric.event if isinstance(metric, ProportionVsFloor) else "prevalence"](
        labels.at(FLAGGED, Label.POSITIVES),
        labels.at(FLAGGED, Label.NEGATIVES),
        labels.at(UNFLAGGED, Label.POSITIVES),
        labels.at(UNFLAGGED, Label.NEGATIVES),
        flagged=labels.at(FLAGGED, Label.INFERENCES),
        unflagged=labels.at(UNFLAGGED, Label.INFERENCES),
    )
    pending = (labels.inferences - labels.labelled).tolist()
    return [
        estimate_body(outcome) | {"pending": waits} if waits > 0 and isinstance(outcome, Estimate) else None
        for outcome, waits in zip(bounds, pending, strict=True)
    ]


def _without_treated(request: Request, estimator: Estimator, counts: BesideCounts) -> list[dict[str, Any] | None]:
    treated = counts.get(TREATED[request.series.statistic])
    if treated is None or not treated.any():
        return []
    of_others = request._replace(counts=request.counts - treated)
    cases = _labels_of(request, treated).labelled.tolist()
    return [
        _with_reason(finding.outcome) | {"treated": treated_cases} if treated_cases > 0 else None
        for finding, treated_cases in zip(estimator.findings(of_others), cases, strict=True)
    ]


def _label_free(request: Request, counts_of: BesideCounts, newest: NewestLabels | None) -> list[dict[str, Any] | None]:
    counts = counts_of.get(statistics.LABEL_FREE)
    if counts is None or not counts.any():
        return []
    own = request.counts if request.series.statistic == statistics.LABEL_SCORES else counts_of.get(statistics.LABEL_SCORES)
    cells = counts.reshape(len(counts), 2, 2, SKETCH_BINS)
    found = _promised(request, cells[:, 0], cells[:, 1])
    rejects_at = 1.0 / (1.0 - request.level)
    against = _against_calibration([own, None if newest is None else newest.counts], len(found))
    return [
        {"void": VOID, "e": e} if e >= rejects_at else _as_estimate(outcome)
        for outcome, e in zip(found, against.tolist(), strict=True)
    ]


def _as_estimate(outcome: Outcome) -> dict[str, Any] | None:
    return {"estimate": True} | estimate_body(outcome) if isinstance(outcome, Estimate) else None


def _promised(request: Request, count: Int, sum_micro: Int) -> list[Outcome]:
    metric = request.series.monitor.metric
    if isinstance(metric, ProportionVsFloor):
        return cbpe.share(metric.event, count, sum_micro, level=request.level)
    measure = cbpe.auroc if metric.type == "auroc" else cbpe.brier
    return measure(count, sum_micro, level=request.level)


def _against_calibration(labels: Sequence[Int | None], scopes: int) -> Float:
    """The larger e-value of calibration of each scope, (scopes,), of several counts of its labels; 0 where none tells."""
    found = np.zeros(scopes)
    for counts in labels:
        if counts is not None:
            outcomes = calibration_eprocess(*by_class(counts), score_sums(counts))
            np.maximum(found, [one.e or 0.0 if isinstance(one, Estimate) else 0.0 for one in outcomes], out=found)
    return found


def _labels_of(request: Request, counts: Int) -> LabelCounts:
    return label_counts(counts) if request.series.statistic == statistics.LABEL_SCORES else LabelCounts(counts)


def _with_reason(outcome: Outcome) -> dict[str, Any]:
    reason = reason_of(outcome)
    return estimate_body(outcome) | ({} if reason is None else {"reason": reason})
