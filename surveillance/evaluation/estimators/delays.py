"""Delays and clock offsets from log bins: censored quantiles of waits, and how far device clocks stand from broker time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.binned_quantile import binned_quantile
from detectors.estimate import Estimate, Outcome
from detectors.kaplan_meier import UNREACHED, delay_quantile
from surveillance.arrays import Int
from surveillance.evaluation.estimators.request import Estimator, Request
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_operation import Quantile
from surveillance.panes.log_bins import LONGEST_DELAY_MS, LONGEST_OFFSET_MS, log_edges
from surveillance.times import SECOND_MS

OFFSET_SHARE = 0.95
OFFSET_METHOD = "p95_abs"


def _waits(request: Request) -> tuple[Int, Int, Int, Int]:
    """Counts and sums in milliseconds of ended and of censored waits, each (groups, bins).

    Latencies of inferences have all ended; acknowledgements come as `CensoredSums` gives them.
    """
    metric = request.series.monitor.metric
    assert isinstance(metric, Quantile)
    if metric.field == "latency_ms":
        ended, ended_ms = np.split(request.counts, 2, axis=1)
        return ended, ended_ms, np.zeros_like(ended), np.zeros_like(ended)
    ended, ended_ms, censored, censored_ms = np.split(request.counts, 4, axis=1)
    kept = int(metric.censored)
    return ended, ended_ms, censored * kept, censored_ms * kept


def _quantiles(request: Request) -> list[Finding]:
    metric = request.series.monitor.metric
    assert isinstance(metric, Quantile)
    unit_ms = SECOND_MS if metric.field == "ack_latency_s" else 1
    ended, ended_ms, censored, censored_ms = _waits(request)
    edges = _edges_ms(request, LONGEST_DELAY_MS) / unit_ms
    sums = ended_ms / unit_ms, censored_ms / unit_ms
    found = delay_quantile(ended, sums[0], censored, sums[1], edges, q=metric.q, level=request.level)
    return [Finding(outcome, above_by=_known_bounds(outcome)) for outcome in found]


def _edges_ms(request: Request, longest_ms: int) -> Int:
    """Upper edges of the bins, (bins,): of those that the statistic's id names."""
    _, _, limits = request.series.statistic.partition(":")
    return log_edges(limits, longest_ms)


def _known_bounds(outcome: Outcome) -> tuple[float, float | None] | None:
    """Lower and upper bound, which is not known while so many wait that the quantile itself is not reached."""
    if not isinstance(outcome, Estimate):
        return None
    return outcome.lower, None if outcome.method == UNREACHED else outcome.upper


def _waiting(request: Request) -> Int:
    ended, _, censored, _ = _waits(request)
    n: Int = (ended + censored).sum(axis=1)
    return n


def _offsets(request: Request) -> list[Finding]:
    count, total_ms = np.split(request.counts, 2, axis=1)
    edges = _edges_ms(request, LONGEST_OFFSET_MS) / SECOND_MS
    found = binned_quantile(count, total_ms / SECOND_MS, edges, q=OFFSET_SHARE, method=OFFSET_METHOD)
    return [Finding(outcome) for outcome in found]


def _heard(request: Request) -> Int:
    n: Int = np.split(request.counts, 2, axis=1)[0].sum(axis=1)
    return n


ESTIMATORS: Mapping[str, Estimator] = {
    "quantile": Estimator(_quantiles, _waiting),
    "clock_offset_s": Estimator(_offsets, _heard),
}
