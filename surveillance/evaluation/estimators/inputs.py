"""Drift of features, scores and output classes, and shares of their values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.estimate import Estimate, Insufficient, Reason
from detectors.proportion import proportion
from detectors.psi import psi
from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.request import Estimator, Request, own_level
from surveillance.evaluation.evidence import Scope
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


def _psi(request: Request) -> list[Finding]:
    bins = _bins(request)
    if not bins:
        return [Finding(Insufficient(Reason.UNKNOWN_REFERENCE, int(row.sum()))) for row in request.counts]
    references = [_reference(request, scope, bins) for scope in request.scopes]
    found = psi(
        request.counts[:, :bins],
        np.array([probs for probs, _ in references]),
        np.array([m for _, m in references]),
        level=request.level,
    )
    return [Finding(outcome, p=outcome.p if isinstance(outcome, Estimate) else None) for outcome in found]


def _reference(request: Request, scope: Scope, bins: int) -> tuple[Float, int]:
    """Reference shares over the counted bins and their m, 0 where the manifest does not say."""
    reference = request.manifest.baselines.reference(_subject(request))
    counted = feature_distribution(request.manifest, _subject(request))
    assert reference is not None
    assert counted is not None
    level = own_level(scope)
    own = reference.distribution_of(*level) if level is not None else None
    chosen = own or counted
    probs = np.zeros(bins)
    if chosen.levels is None or counted.levels is None:
        probs[: len(chosen.probs)] = chosen.probs
    else:
        position = {name: at for at, name in enumerate(counted.levels)}
        for name, share in zip(chosen.levels, chosen.probs, strict=True):
            probs[position.get(name, position.get("other", bins - 1))] += share
    return probs / probs.sum(), chosen.n or request.manifest.baseline_n or 0


_FEATURE_COLUMN = {
    "missing_rate": (FeatureTail.MISSING, FeatureTail.SENT),
    "out_of_range_rate": (FeatureTail.OUT_OF_RANGE, FeatureTail.SENT),
    "absent_rate": (FeatureTail.ABSENT, FeatureTail.SENT),
}
_FEATURE_BASELINE = {"missing_rate": "missing", "out_of_range_rate": "out_of_range", "absent_rate": "absent"}


def _feature_share(request: Request) -> list[Finding]:
    kind, bins = request.series.monitor.metric.type, _bins(request)
    part, whole = _FEATURE_COLUMN[kind]
    k, n = request.counts[:, bins + part], request.counts[:, bins + whole]
    baseline = request.manifest.baselines.feature(_subject(request))
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
    return request.counts[:, _bins(request) + FeatureTail.SENT]


def _score_sizes(request: Request) -> Int:
    return request.counts[:, _bins(request) + ScoreTail.SCORES]


ESTIMATORS: Mapping[str, Estimator] = {
    "psi": Estimator(_psi, _drift_sizes),
    "missing_rate": Estimator(_feature_share, _feature_sizes),
    "saturation_share": Estimator(_saturation, _score_sizes),
}
