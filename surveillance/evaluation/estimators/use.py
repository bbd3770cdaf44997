"""Rates of use: shares and rates of the counting words, and rate ratios against the manifest's operational figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.estimate import Insufficient, Reason
from detectors.poisson_rate_ratio import rate_ratio
from detectors.proportion import proportion
from surveillance.arrays import Int
from surveillance.evaluation.estimators.request import Estimator, Request, own_level
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_operation import RateOf, RateRatio
from surveillance.manifest.reference_rate import reference_rate
from surveillance.panes.statistics import Use

_WORDS = {
    "inferences": Use.INFERENCES,
    "encounters": Use.ENCOUNTERS,
    "alerts": Use.ALERTS,
    "alert_onsets": Use.ALERT_ONSETS,
    "actioned_alerts": Use.ACTIONED_ALERTS,
    "overrides": Use.OVERRIDES,
    "dismissals": Use.DISMISSALS,
    "acks": Use.ACKS,
    "abstained": Use.ABSTAINED,
    "ineligible": Use.INELIGIBLE,
    "labelled": Use.LABELLED,
}
_OF_ALERTS = frozenset({"alert_onsets", "actioned_alerts", "overrides", "dismissals", "acks", "undelivered"})
_OF_ACTIONED = frozenset({"overrides", "dismissals", "acks"})


def counted(counts: Int, word: str) -> Int:
    """A counting word over the groups; retransmissions are counted by `duplicate_rate`, not here."""
    if word == "undelivered":
        return counts[:, Use.ALERTS] - counts[:, Use.DELIVERED]
    if word not in _WORDS:
        return np.zeros(len(counts), np.int64)
    return counts[:, _WORDS[word]]


def is_share(numerator: str, denominator: str) -> bool:
    """Whether every numerator case is a denominator case, so that the rate is a share."""
    if denominator == "inferences":
        return True
    return (denominator == "alerts" and numerator in _OF_ALERTS) or (
        denominator == "actioned_alerts" and numerator in _OF_ACTIONED
    )


def _rates(request: Request) -> list[Finding]:
    """Numerator over denominator: a proportion where it is a share, else a Poisson rate."""
    metric = request.series.monitor.metric
    assert isinstance(metric, RateOf)
    k, n = counted(request.counts, metric.numerator), counted(request.counts, metric.denominator)
    if is_share(metric.numerator, metric.denominator):
        return [Finding(outcome) for outcome in proportion(k, n, method=request.method, level=request.level)]
    return [Finding(outcome) for outcome in rate_ratio(k, n, reference_rate=1.0, level=request.level)]


def _rate_ratios(request: Request) -> list[Finding]:
    """Field rate over the reference rate of each scope: its own where the manifest has one, else the overall one."""
    metric = request.series.monitor.metric
    assert isinstance(metric, RateRatio)
    stated = [reference_rate(request.manifest, metric, own_level(scope), request.end_ms) for scope in request.scopes]
    k, n = counted(request.counts, metric.numerator), counted(request.counts, metric.exposure)
    rates = np.array([np.nan if one is None else one.value for one in stated])
    exposures = np.array([np.nan if one is None or not one.exposure else one.exposure for one in stated])
    if request.manifest.interval_of(request.series.monitor).method == "exact_poisson":
        exposures = np.full(len(stated), np.nan)  # the reference rate is taken as known
    found = rate_ratio(
        k, n, reference_rate=rates, reference_events=rates * exposures, reference_exposure=exposures, level=request.level
    )
    unknown = Finding(Insufficient(Reason.UNKNOWN_REFERENCE))
    return [unknown if np.isnan(rates[at]) else Finding(outcome) for at, outcome in enumerate(found)]


def _rate_sizes(request: Request) -> Int:
    metric = request.series.monitor.metric
    assert isinstance(metric, RateRatio | RateOf)
    return counted(request.counts, metric.exposure if isinstance(metric, RateRatio) else metric.denominator)


ESTIMATORS: Mapping[str, Estimator] = {
    "poisson_rate_ratio": Estimator(_rate_ratios, _rate_sizes),
    "rate": Estimator(_rates, _rate_sizes),
}
