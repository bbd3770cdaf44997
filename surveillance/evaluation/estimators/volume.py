"""Volume of use against what the manifest expects of the hours of the week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import fsum

import numpy as np

from detectors.estimate import Insufficient, Reason
from detectors.negative_binomial import count_ratio
from surveillance.arrays import Int
from surveillance.evaluation.estimators.request import Estimator, Request
from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.verdict import Finding
from surveillance.manifest.metrics_operation import Volume
from surveillance.manifest.model_operational import ExpectedVolume
from surveillance.manifest.season import month_of
from surveillance.panes.plan import axis_source
from surveillance.panes.statistics import Use
from surveillance.times import DAY_MS, HOUR_MS

_WEEK_H = 168
_FIRST_MONDAY_H = 4 * DAY_MS // HOUR_MS
"""1970-01-05, in hours since the epoch."""


def _volumes(request: Request) -> list[Finding]:
    metric, volume = request.series.monitor.metric, request.manifest.baselines.operational.expected_volume
    assert isinstance(metric, Volume)
    hours = [_hours(request, volume, scope) for scope in request.scopes]
    factors = volume.month_factor if volume is not None else None
    expected = [np.nan if one is None else expected_volume(one, factors, request.start_ms, request.end_ms) for one in hours]
    spread = metric.dispersion or (volume.dispersion if volume is not None else None) or 1.0
    found = count_ratio(_inferences(request), expected, dispersion=spread, tail=metric.tail, level=request.level)
    return [
        Finding(Insufficient(Reason.UNKNOWN_REFERENCE, int(n)) if one is None else outcome, p=getattr(outcome, "p", None))
        for one, outcome, n in zip(hours, found, _inferences(request), strict=True)
    ]


def _hours(request: Request, volume: ExpectedVolume | None, scope: Scope) -> tuple[float, ...] | None:
    """The 168 hours that are known of the scope itself: those of the whole, or of a site; nothing is shared out."""
    if volume is None:
        return None
    if not scope:
        return volume.hours()
    (axis, level), *more = scope
    return volume.hours(level) if not more and axis_source(request.manifest, axis) == "site_id" else None


@lru_cache(maxsize=256)
def expected_volume(hours: tuple[float, ...], month_factor: Sequence[float] | None, start_ms: int, end_ms: int) -> float:
    """Inferences expected in [start, end): hours of the week, Monday 00:00 UTC first, times the factor of their month.

    >>> monday_ms = 4 * DAY_MS
    >>> expected_volume(tuple(float(hour) for hour in range(168)), None, monday_ms + HOUR_MS // 2, monday_ms + 2 * HOUR_MS)
    1.0
    """
    parts = []
    for hour in range(start_ms // HOUR_MS, -(-end_ms // HOUR_MS)):
        begin_ms, stop_ms = hour * HOUR_MS, (hour + 1) * HOUR_MS
        inside = (min(end_ms, stop_ms) - max(start_ms, begin_ms)) / HOUR_MS
        factor = 1.0 if month_factor is None else month_factor[month_of(stop_ms)]
        parts.append(hours[(hour - _FIRST_MONDAY_H) % _WEEK_H] * factor * inside)
    return fsum(parts)


def _inferences(request: Request) -> Int:
    return request.counts[:, Use.INFERENCES]


ESTIMATORS: Mapping[str, Estimator] = {"volume_vs_expected": Estimator(_volumes, _inferences)}
