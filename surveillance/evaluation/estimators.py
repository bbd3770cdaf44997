"""From window sums to findings: which columns of a statistic a metric type reads, and which detector it asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from detectors.auroc import auroc
from detectors.brier import brier
from detectors.calibration import calibration_slope
from detectors.estimate import Estimate, Insufficient, Outcome, Reason
from detectors.observed_expected import observed_expected
from detectors.proportion import Method, proportion
from detectors.psi import psi
from detectors.score_sketch import SKETCH_BINS, bin_mean_logit
from surveillance.arrays import Float, Int
from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.labelled import LabelCounts, proportion_of_labels, verification_bias
from surveillance.evaluation.use_rates import counted, rate_findings, rate_ratio_findings
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import Drift, FeatureShare, Saturation
from surveillance.manifest.metrics_operation import RateOf, RateRatio
from surveillance.manifest.metrics_performance import ProportionVsFloor
from surveillance.panes import statistics
from surveillance.panes.plan import Series, bin_count, feature_distribution
from surveillance.panes.statistics import Events, FeatureTail, Identity, LabelScoreHead, ScoreTail


class Request(NamedTuple):
    """What is to be estimated: one series over the groups of one window; `counts` has shape (groups, length)."""

    manifest: Manifest
    series: Series
    scopes: Sequence[Scope]
    counts: Int

    @property
    def method(self) -> Method:
        """Interval of a proportion; types without one never ask."""
        chosen = self.manifest.interval_of(self.series.monitor).method
        return chosen if chosen in ("clopper_pearson", "confidence_sequence") else "wilson"

    @property
    def level(self) -> float:
        return self.series.monitor.interval.level


def findings(request: Request) -> list[Finding]:
    """One finding per scope, before minimum sample and maturity are looked at."""
    return _ESTIMATORS[request.series.monitor.metric.type](request)


def sample_sizes(request: Request) -> Int:
    """The n of contract/semantics.md ("Which n") per scope."""
    counts, metric = request.counts, request.series.monitor.metric
    family = request.series.statistic.split(":", 1)[0]
    if isinstance(metric, Drift):
        return np.asarray(counts[:, : _bins(request)].sum(axis=1), np.int64)
    if isinstance(metric, FeatureShare):
        return counts[:, _bins(request) + FeatureTail.SENT]
    if family == statistics.SCORE:
        return counts[:, _bins(request) + ScoreTail.SCORES]
    if isinstance(metric, ProportionVsFloor):
        return LabelCounts(counts).denominator(metric.event)
    if family == statistics.LABELS:
        return LabelCounts(counts).labelled
    if family == statistics.LABEL_SCORES:
        return np.asarray(_by_stratum(counts).sum(axis=(1, 2)), np.int64)
    if isinstance(metric, RateRatio | RateOf):
        return counted(counts, metric.exposure if isinstance(metric, RateRatio) else metric.denominator)
    if family == statistics.EVENTS:
        return counts[:, Events.ARRIVED]
    return counts[:, Identity.CHECKED]


def _subject(request: Request) -> str:
    metric = request.series.monitor.metric
    if isinstance(metric, Saturation):
        return "score"
    if isinstance(metric, Drift | FeatureShare):
        return request.series.feature or metric.feature
    return "score"


def _bins(request: Request) -> int:
    return bin_count(feature_distribution(request.manifest, _subject(request)))


def own_level(scope: Scope) -> tuple[str, str] | None:
    """The axis and level whose own reference may serve: scopes of exactly one axis have one."""
    levels = [pair for pair in scope if pair[0] != "feature"]
    return levels[0] if len(levels) == 1 else None


# drift and shares of features and scores -------------------------------------------------------------------
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


# counts --------------------------------------------------------------------------------------------------
def _mismatches(request: Request) -> list[Finding]:
    checked, mismatched = request.counts[:, Identity.CHECKED], request.counts[:, Identity.MISMATCHED]
    return [Finding(_count(int(k), int(n))) for k, n in zip(mismatched, checked, strict=True)]


def _count(k: int, n: int) -> Outcome:
    # No event at all is silence, not a count of zero mismatches.
    return Estimate(float(k), float(k), float(k), n, "count") if n else Insufficient(Reason.NO_EXPOSURE)


def _duplicates(request: Request) -> list[Finding]:
    k, n = request.counts[:, Events.DUPLICATES], request.counts[:, Events.ARRIVED]
    return [Finding(outcome) for outcome in proportion(k, n, method="wilson", level=request.level)]


# labels --------------------------------------------------------------------------------------------------
def _floor(request: Request) -> list[Finding]:
    metric = request.series.monitor.metric
    assert isinstance(metric, ProportionVsFloor)
    corrected = metric.verification_correction == "begg_greenes"
    found = proportion_of_labels(
        LabelCounts(request.counts), metric.event, method=request.method, level=request.level, corrected=corrected
    )
    if metric.event == "ppv":
        return [Finding(outcome) for outcome in found]
    return _unless_biased(request, LabelCounts(request.counts), found)


def _brier(request: Request) -> list[Finding]:
    labels = LabelCounts(request.counts)
    found = brier(
        labels.labelled,
        labels.column(statistics.Label.SQUARE_MICRO),
        labels.column(statistics.Label.QUARTIC_MICRO),
        level=request.level,
    )
    return _unless_biased(request, labels, found)


def _observed_expected(request: Request) -> list[Finding]:
    labels = LabelCounts(request.counts)
    found = observed_expected(labels.labelled, labels.positives, labels.column(statistics.Label.SCORE_MICRO), level=request.level)
    return _unless_biased(request, labels, found)


def _auroc(request: Request) -> list[Finding]:
    strata = _by_stratum(request.counts)
    return _unless_biased(request, _label_counts(request.counts), auroc(strata[:, 0], strata[:, 1], level=request.level))


def _slope(request: Request) -> list[Finding]:
    strata = _by_stratum(request.counts)
    sums = request.counts[:, statistics.LABEL_SUM_AT : statistics.LABEL_SUM_AT + SKETCH_BINS]
    logit = bin_mean_logit(strata.sum(axis=1), sums)
    return _unless_biased(
        request, _label_counts(request.counts), calibration_slope(strata[:, 0], strata[:, 1], logit, level=request.level)
    )


def _by_stratum(counts: Int) -> Int:
    """Counts by label and sketch bin over both flags, shape (groups, 2, SKETCH_BINS)."""
    by_flag = counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].reshape(len(counts), 2, 2, SKETCH_BINS)
    total: Int = by_flag.sum(axis=1)
    return total


def _label_counts(counts: Int) -> LabelCounts:
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


def _unless_biased(request: Request, labels: LabelCounts, found: Sequence[Outcome]) -> list[Finding]:
    biased = verification_bias(labels, request.manifest.baselines.label_latency)
    refused = [Insufficient(Reason.VERIFICATION_BIAS, int(n)) for n in sample_sizes(request)]
    return [Finding(refused[at] if biased[at] else outcome) for at, outcome in enumerate(found)]


def _rates(request: Request) -> list[Finding]:
    metric = request.series.monitor.metric
    assert isinstance(metric, RateOf)
    return rate_findings(metric, request.counts, method=request.method, level=request.level)


def _rate_ratios(request: Request) -> list[Finding]:
    metric = request.series.monitor.metric
    assert isinstance(metric, RateRatio)
    owns = [own_level(scope) for scope in request.scopes]
    known = request.manifest.interval_of(request.series.monitor).method == "exact_poisson"
    return rate_ratio_findings(metric, request.counts, owns, request.manifest, level=request.level, known=known)


_ESTIMATORS: dict[str, Callable[[Request], list[Finding]]] = {
    "psi": _psi,
    "missing_rate": _feature_share,
    "saturation_share": _saturation,
    "identity_mismatch": _mismatches,
    "mismatch_count": _mismatches,
    "proportion_vs_floor": _floor,
    "auroc": _auroc,
    "brier": _brier,
    "observed_expected": _observed_expected,
    "calibration_slope": _slope,
    "poisson_rate_ratio": _rate_ratios,
    "rate": _rates,
    "duplicate_rate": _duplicates,
}
WINDOWED_TYPES = frozenset(_ESTIMATORS)
"""Types that need nothing but the sums of their own window."""
