"""A group against the others or against its baseline: prevalence, the gap of a subgroup, sites in a funnel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors import weighted_gap, weighted_prevalence, weighted_site_outlier
from detectors.estimate import Outcome
from detectors.prevalence import n_of_interval, prevalence
from detectors.site_outlier import Kind, site_outlier
from detectors.subgroup_gap import gap_to_baseline, gap_to_overall
from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.labels import unless_biased
from surveillance.evaluation.estimators.request import Estimator, Request, own_level
from surveillance.evaluation.estimators.use import counted, is_share
from surveillance.evaluation.labelled import LabelCounts
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_performance import SiteOutlier, SubgroupGap
from surveillance.manifest.model_baselines import Measured, MetricBaseline
from surveillance.manifest.season import seasonal_metric

_KNOWN_N = {"sensitivity": "n_pos", "specificity": "n_neg"}


def _prevalence(request: Request) -> list[Finding]:
    labels, (shares, rows) = LabelCounts(request.counts), _baselines(request, "prevalence")
    if request.weighted:
        found = weighted_prevalence.prevalence(
            labels.verified, reference=shares, reference_n=rows, method=request.method, level=request.level
        )
    else:
        found = prevalence(
            labels.positives, labels.labelled, reference=shares, reference_n=rows, method=request.method, level=request.level
        )
    return unless_biased(request, labels, found, labels.labelled)


def _gap(request: Request) -> list[Finding]:
    metric, labels = request.series.monitor.metric, LabelCounts(request.counts)
    assert isinstance(metric, SubgroupGap)
    event, method, level = metric.event, request.method, request.level
    k, n = labels.numerator(event), labels.denominator(event)
    if metric.to == "baseline":
        shares, rows = _baselines(request, event)
        if request.weighted and event != "ppv":
            found = weighted_gap.gap_to_baseline(
                labels.verified, event=event, share=shares, share_n=rows, method=method, level=level
            )
        else:
            found = gap_to_baseline(k, n, shares, rows, method=method, level=level)
    elif request.weighted and event != "ppv":
        found = weighted_gap.gap_to_overall(labels.verified, event=event, method=method, level=level)
    else:
        everyone = (np.full(len(n), counted_cases.sum()) for counted_cases in (k, n))
        found = gap_to_overall(k, n, *everyone, method=method, level=level)
    return _findings(request, labels, event, found, n)


def _sites(request: Request) -> list[Finding]:
    metric = request.series.monitor.metric
    assert isinstance(metric, SiteOutlier)
    event = metric.proportion
    if event is None:
        k, n = (counted(request.counts, str(word)) for word in (metric.numerator, metric.denominator))
        kind: Kind = "share" if is_share(str(metric.numerator), str(metric.denominator)) else "rate"
        return [Finding(outcome) for outcome in site_outlier(k, n, kind=kind, level=request.level)]
    labels = LabelCounts(request.counts)
    n = labels.denominator(event)
    if request.weighted and event != "ppv":
        found = weighted_site_outlier.site_outlier(labels.verified, event=event, level=request.level)
    else:
        found = site_outlier(labels.numerator(event), n, level=request.level)
    return _findings(request, labels, event, found, n)


def _findings(request: Request, labels: LabelCounts, event: str, found: list[Outcome], sizes: Int) -> list[Finding]:
    """PPV mixes no flagged and unflagged cases, so that it cannot be biased by which of them were verified."""
    return [Finding(outcome) for outcome in found] if event == "ppv" else unless_biased(request, labels, found, sizes)


def _baselines(request: Request, event: str) -> tuple[Float, Float]:
    """The validated share of each scope in the season of the window, and the cases behind it; NaN where there is none."""
    baselines = request.manifest.baselines
    baseline = baselines.metric(event)
    if baseline is None and event == "prevalence":
        baseline = MetricBaseline(id=event, overall=baselines.prevalence)
    shares, rows = np.full((2, len(request.scopes)), np.nan)
    for at, scope in enumerate(request.scopes):
        own = own_level(scope)
        share = None if baseline is None else seasonal_metric(baseline, own, request.end_ms)
        if baseline is None or share is None:
            continue
        measured = (baseline.of(*own) if own is not None else None) or baseline.overall
        shares[at] = min(share, 1.0)
        rows[at] = np.nan if measured is None else _rows_of(measured, getattr(measured, _KNOWN_N.get(event, "n")))
    return shares, rows


def _rows_of(measured: Measured, stated: int | None) -> float:
    """Cases behind a validated share: as the manifest says, else as its interval shows; NaN = taken as exact."""
    if stated:
        return float(stated)
    return float(n_of_interval(measured.value, *measured.ci95)) if measured.ci95 is not None else np.nan


def _labelled(request: Request) -> Int:
    return LabelCounts(request.counts).labelled


def _gap_sizes(request: Request) -> Int:
    metric = request.series.monitor.metric
    assert isinstance(metric, SubgroupGap)
    return LabelCounts(request.counts).denominator(metric.event)


def _site_sizes(request: Request) -> Int:
    metric = request.series.monitor.metric
    assert isinstance(metric, SiteOutlier)
    if metric.proportion is None:
        return counted(request.counts, str(metric.denominator))
    return LabelCounts(request.counts).denominator(metric.proportion)


ESTIMATORS: Mapping[str, Estimator] = {
    "prevalence": Estimator(_prevalence, _labelled),
    "subgroup_gap": Estimator(_gap, _gap_sizes, compares=True),
    "site_outlier": Estimator(_sites, _site_sizes, compares=True),
}
