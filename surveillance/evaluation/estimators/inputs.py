"""Drift of features, scores and output classes, and shares of their values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.estimate import Insufficient, Reason
from detectors.proportion import proportion
from surveillance.arrays import Int
from surveillance.evaluation.estimators.distances import DISTANCES, compared
from surveillance.evaluation.estimators.request import Estimator, Request, own_level
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_inputs import Drift, FeatureShare, Saturation
from surveillance.panes.binning import bin_count, feature_distribution
from surveillance.panes.statistics import FeatureTail, ScoreTail


def _subject(request: Request) -> str:
    metric = request.series.monitor.metric
    if isinstance(metric, Saturation):
        return "score"
    if isinstance(metric, Drift | FeatureShare):
        return request.series.feature or metric.feature
    return "score"


def _bins(request: Request) -> int:
    return bin_count(feature_distribution(request.manifest, _subject(request)))


def _drift(request: Request) -> list[Finding]:
    metric, subject = request.series.monitor.metric, _subject(request)
    assert isinstance(metric, Drift)
    reference, counted = request.manifest.baselines.reference(subject), feature_distribution(request.manifest, subject)
    if reference is None or counted is None:
        return [Finding(Insufficient(Reason.UNKNOWN_REFERENCE, int(row.sum()))) for row in request.counts]
    return compared(request, DISTANCES[metric.type], reference, counted, concentration=metric.concentration)


_FEATURE_PART = {
    "missing_rate": FeatureTail.MISSING,
    "out_of_range_rate": FeatureTail.OUT_OF_RANGE,
    "absent_rate": FeatureTail.ABSENT,
}
_FEATURE_WHOLE = {
    "missing_rate": (FeatureTail.SENT,),
    "out_of_range_rate": (FeatureTail.NUMBERS,),
    "absent_rate": (FeatureTail.SENT, FeatureTail.ABSENT),
}
_FEATURE_BASELINE = {"missing_rate": "missing", "out_of_range_rate": "out_of_range", "absent_rate": "absent"}


def _feature_share(request: Request) -> list[Finding]:
    kind, bins = request.series.monitor.metric.type, _bins(request)
    k, n = request.counts[:, bins + _FEATURE_PART[kind]], _feature_sizes(request)
    baseline = request.manifest.baselines.feature(_subject(request))
    if kind != "missing_rate" and (baseline is None or (kind == "out_of_range_rate" and baseline.range is None)):
        return [Finding(Insufficient(Reason.UNKNOWN_REFERENCE, int(size))) for size in n]
    found = proportion(k, n, method=request.method, level=request.level)
    shares = []
    for scope in request.scopes:
        level = own_level(scope)
        own = baseline.of(*level) if baseline is not None and level is not None else None
        share = getattr(own, _FEATURE_BASELINE[kind], None)
        shares.append(share if share is not None else getattr(baseline, _FEATURE_BASELINE[kind], None))
    return [Finding(outcome, baseline=share) for outcome, share in zip(found, shares, strict=True)]


def _saturation(request: Request) -> list[Finding]:
    metric, bins = request.series.monitor.metric, _bins(request)
    assert isinstance(metric, Saturation)
    low, high = request.counts[:, bins + ScoreTail.LOW], request.counts[:, bins + ScoreTail.HIGH]
    k = {"low": low, "high": high, "both": low + high}[metric.side]
    n = request.counts[:, bins + ScoreTail.SCORES]
    score = request.manifest.baselines.score
    known = {} if score is None else {"low": score.saturation_share.low, "high": score.saturation_share.high}
    sides = ("low", "high") if metric.side == "both" else (metric.side,)
    shares = [known.get(side) for side in sides]
    baseline = None if any(share is None for share in shares) else sum(share for share in shares if share is not None)
    return [Finding(outcome, baseline=baseline) for outcome in proportion(k, n, method=request.method, level=request.level)]


def _drift_sizes(request: Request) -> Int:
    return np.asarray(request.counts[:, : _bins(request)].sum(axis=1), np.int64)


def _feature_sizes(request: Request) -> Int:
    bins, columns = _bins(request), _FEATURE_WHOLE[request.series.monitor.metric.type]
    return np.asarray(sum(request.counts[:, bins + column] for column in columns), np.int64)


def _score_sizes(request: Request) -> Int:
    return request.counts[:, _bins(request) + ScoreTail.SCORES]


ESTIMATORS: Mapping[str, Estimator] = {
    **{name: Estimator(_drift, _drift_sizes) for name in DISTANCES},
    **{name: Estimator(_feature_share, _feature_sizes) for name in _FEATURE_PART},
    "saturation_share": Estimator(_saturation, _score_sizes),
}
