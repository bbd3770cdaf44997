"""What else inputs and scores look like: their variance, the mix of an axis, out-of-distribution scores, input quality."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.binomial_test import binomial_p
from detectors.bounded_mean import bounded_mean
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.proportion import proportion
from detectors.variance_ratio import PowerSums, variance_ratio
from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.distances import DISTANCES, compared
from surveillance.evaluation.estimators.request import Estimator, Request, own_level
from surveillance.evaluation.references import moments_of
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_inputs import ContextMix, VarianceRatio
from surveillance.manifest.mix_reference import mix_distribution, mix_reference
from surveillance.panes.binning import bin_count, feature_distribution
from surveillance.panes.standard_scale import standard_scale
from surveillance.panes.statistics import Mix, Ood, Quality, Shape

_SQUARE_RESOLUTION = 1e-9


def _judged(outcomes: list[Outcome]) -> list[Finding]:
    return [Finding(outcome, p=outcome.p if isinstance(outcome, Estimate) else None) for outcome in outcomes]


# variance -------------------------------------------------------------------------------------------------
def _variance(request: Request) -> list[Finding]:
    metric = request.series.monitor.metric
    assert isinstance(metric, VarianceRatio)
    reference = request.manifest.baselines.reference(metric.feature)
    unit = standard_scale(request.manifest, metric.feature).sd
    known = [moments_of(request.manifest, reference, scope) for scope in request.scopes]
    variances = np.array([np.nan if one.sd is None else (one.sd / unit) ** 2 for one in known])
    tail = _shape_tail(request)
    sums = PowerSums(
        tail[:, Shape.NUMBERS],
        tail[:, Shape.FIRST_NANO] * 1e-9,
        tail[:, Shape.SQUARE_NANO] * 1e-9,
        tail[:, Shape.CUBE] * 1e-8,
        tail[:, Shape.FOURTH] * 1e-8,
        resolution=_SQUARE_RESOLUTION,
    )
    found = variance_ratio(sums, variances, [one.n for one in known], tail=metric.tail, level=request.level)
    return _judged(found)


def _shape_tail(request: Request) -> Int:
    metric = request.series.monitor.metric
    assert isinstance(metric, VarianceRatio)
    return request.counts[:, bin_count(feature_distribution(request.manifest, metric.feature)) :]


def _variance_sizes(request: Request) -> Int:
    return _shape_tail(request)[:, Shape.NUMBERS]


# mix ------------------------------------------------------------------------------------------------------
def _mix(request: Request) -> list[Finding]:
    axis = _axis(request)
    reference, counted = mix_reference(request.manifest, axis), mix_distribution(request.manifest, axis)
    metric = request.series.monitor.metric
    assert isinstance(metric, ContextMix)
    if reference is None or counted is None:
        return [Finding(Insufficient(Reason.UNKNOWN_REFERENCE, int(n))) for n in _mix_sizes(request)]
    return compared(request, DISTANCES["tv"], reference, counted, concentration=metric.concentration)


def _axis(request: Request) -> str:
    metric = request.series.monitor.metric
    assert isinstance(metric, ContextMix)
    return metric.axis or ""


def _mix_sizes(request: Request) -> Int:
    return request.counts[:, bin_count(mix_distribution(request.manifest, _axis(request))) + Mix.KNOWN]


# out of distribution, quality -----------------------------------------------------------------------------
def _ood(request: Request) -> list[Finding]:
    above, sent = request.counts[:, Ood.ABOVE], request.counts[:, Ood.SENT]
    if not request.series.statistic.partition(":")[2]:
        return [Finding(Insufficient(Reason.UNKNOWN_REFERENCE, int(n))) for n in sent]
    found = proportion(above, sent, method=request.method, level=request.level)
    p_values = binomial_p(above, sent, _expected(request, "ood_share"))
    return _judged([_with_p(outcome, p) for outcome, p in zip(found, p_values.tolist(), strict=True)])


def _with_p(outcome: Outcome, p: float) -> Outcome:
    return outcome._replace(p=p) if isinstance(outcome, Estimate) and not np.isnan(p) else outcome


def _ood_sizes(request: Request) -> Int:
    return request.counts[:, Ood.SENT]


def _quality(request: Request) -> list[Finding]:
    sent, total, squares = (request.counts[:, column] for column in (Quality.SENT, Quality.SUM_MICRO, Quality.SQUARE_MICRO))
    expected = _expected(request, "input_quality_mean")
    return _judged(bounded_mean(sent, total, squares, reference=expected, level=request.level))


def _quality_sizes(request: Request) -> Int:
    return request.counts[:, Quality.SENT]


def _expected(request: Request, key: str) -> Float:
    """`baselines.operational.{key}` of each scope, its own where it has one; NaN where there is none."""
    operational = request.manifest.baselines.operational
    values = []
    for scope in request.scopes:
        figure = operational.nearest(key, own_level(scope))
        values.append(np.nan if figure is None or figure.value is None else figure.value)
    return np.array(values, np.float64)


ESTIMATORS: Mapping[str, Estimator] = {
    "variance_ratio": Estimator(_variance, _variance_sizes),
    "mix_shift": Estimator(_mix, _mix_sizes),
    "ood_share": Estimator(_ood, _ood_sizes),
    "quality_mean": Estimator(_quality, _quality_sizes),
}
