"""When the labels of a chart fold in the field as assumed: which part of a day's at once, and when the others arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.folded_run_length import Batches
from detectors.label_arrivals import latency_curve
from surveillance.arrays import Float
from surveillance.foresight.assumptions import HOURS_A_WEEK, FieldAssumptions
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_performance import BernoulliCusum
from surveillance.manifest.model_labels import LabelLatency
from surveillance.panes.plan import base_pane_ms
from surveillance.times import DAY_MS, HOUR_MS

_PARTS_A_DAY = 96
_LONGEST_H = 24 * 365.0
_BISECTIONS = 40
_STEPS_TO_DOUBLE = 8
"""Volumes apart by less than a twelfth are taken as one."""


@dataclass(frozen=True, slots=True)
class LabelFolding:
    """`at_once` = part of a day's labels that folds in the pane in which the day becomes mature, `wait_h` after its end; the
    others fold in the pane of their arrival, `panes` of which make a day.

    `days` and `pane_volumes`: volumes of days and of panes, 1 on average.
    """

    at_once: float
    wait_h: float
    panes: int
    days: Batches
    pane_volumes: Batches


def folding_of(manifest: Manifest, metric: BernoulliCusum, field: FieldAssumptions) -> LabelFolding | None:
    """How the evaluator folds the chart's labels; None where no day ever becomes mature, so that none folds."""
    latency = manifest.baselines.label_latency
    panes, hours = max(1, DAY_MS // base_pane_ms(manifest)), _shares_of_hours(field)
    days = _volumes(hours.reshape(7, 24).sum(axis=1))
    if metric.event == "override":
        return LabelFolding(0.0, 0.0, panes, days, _volumes(hours))
    if not metric.require_mature:
        return LabelFolding(0.0, field.label_delay_h, panes, days, _volumes(_arriving(hours, latency)))
    wait_h = _hours_to_maturity(hours, latency, field)
    if wait_h is None:
        return None
    at_once = _arrived(hours, latency, wait_h)
    # Late labels are spread over so many days that no hour stands out.
    return LabelFolding(at_once, wait_h, panes, days, Batches((1.0,), (1.0,)))


def _shares_of_hours(field: FieldAssumptions) -> Float:
    hours = np.array(field.hours)
    return hours / hours.sum() if hours.sum() > 0 else np.full(HOURS_A_WEEK, 1 / HOURS_A_WEEK)


def _volumes(parts: Float) -> Batches:
    """Volumes of the parts of a week, those that are about equal as one."""
    relative = parts / parts.mean()
    kind = np.round(_STEPS_TO_DOUBLE * np.log2(np.maximum(relative, 1e-6)))
    groups = [relative[kind == each] for each in np.unique(kind)]
    return Batches(tuple(float(one.mean()) for one in groups), tuple(len(one) / len(relative) for one in groups))


def _arrived_by(latency: LabelLatency | None, age_h: Float) -> Float:
    """Part of the labels that ever come which have come at each age: by the curve, else all at the median, else at once."""
    p50_h, p95_h, p99_h = (latency.p50_h, latency.p95_h, latency.p99_h) if latency is not None else (None, None, None)
    if p50_h is None:
        return np.ones_like(age_h)
    if p95_h is None or p99_h is None or not p50_h <= p95_h <= p99_h:
        return (age_h >= p50_h).astype(np.float64)
    return latency_curve(p50_h, p95_h, p99_h).cdf(age_h)


def _arriving(hours: Float, latency: LabelLatency | None) -> Float:
    """Part of the week's labels that arrive in each of its hours (168,)."""
    age_h = np.arange(_LONGEST_H)
    rise = np.diff(_arrived_by(latency, age_h + 0.5), prepend=0.0)
    of_week = np.bincount(np.arange(len(rise)) % HOURS_A_WEEK, rise, HOURS_A_WEEK)
    arriving = np.fft.irfft(np.fft.rfft(hours) * np.fft.rfft(of_week), HOURS_A_WEEK)
    return np.maximum(arriving, 0.0) + max(0.0, 1.0 - float(rise.sum())) / HOURS_A_WEEK


def _arrived(hours: Float, latency: LabelLatency | None, wait_h: float) -> float:
    """Part of the labels of an average day that have come so many hours after its end."""
    volume = hours.reshape(7, 24).sum(axis=0)
    hour = (np.arange(_PARTS_A_DAY) + 0.5) * 24 / _PARTS_A_DAY
    return float(np.average(_arrived_by(latency, wait_h + 24 - hour), weights=volume[hour.astype(np.int64)]))


def _hours_to_maturity(hours: Float, latency: LabelLatency | None, field: FieldAssumptions) -> float | None:
    """Hours from the end of a day until it is mature, by the expected coverage of all its inferences; None = never."""
    if latency is None:
        return None
    age_ms, coverage_min = latency.maturity.or_age_ms, latency.maturity.coverage_min
    age_h = None if age_ms is None else age_ms / HOUR_MS
    if coverage_min is None:
        return age_h
    flagged = field.prevalence * field.sensitivity + (1 - field.prevalence) * (1 - field.specificity)
    coverage = flagged * field.coverage_flagged + (1 - flagged) * field.coverage_unflagged

    def is_covered(wait_h: float) -> bool:
        return coverage * _arrived(hours, latency, wait_h) >= coverage_min

    latest_h = _LONGEST_H if age_h is None else age_h
    if not is_covered(latest_h):
        return age_h
    if is_covered(0.0):
        return 0.0
    low, high = 0.0, latest_h
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_covered(middle) else (middle, high)
    return high
