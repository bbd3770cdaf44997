"""How a snapshot's cases came about and what people did: volume by hour of the week, alerts, overrides, delays, label latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.estimate import Estimate
from detectors.proportion import proportion
from surveillance.arrays import Int
from surveillance.snapshot.cases import Case
from surveillance.times import DAY_MS, HOUR_MS

_HOURS = 168
_WEEK_MS = _HOURS * HOUR_MS
_MONDAY_MS = 4 * DAY_MS
"""The first Monday after the epoch."""
_FEWEST_WEEKS_FOR_DISPERSION = 2
_FEWEST_LABELS = 100
Part = dict[str, Any]


def operational_of(cases: Sequence[Case], *, has_actions: bool) -> Part:
    """`baselines.operational`: what the snapshot can tell of it."""
    times = np.array(sorted(case.time_ms for case in cases if case.time_ms is not None), np.int64)
    found: Part = {}
    volume = expected_volume(times)
    found |= {"expected_volume": volume} if volume is not None else {}
    encounters = _encounters(cases)
    alerts = sum(case.flagged for case in cases)
    found["alerts_per_100_encounters"] = _rate(alerts, encounters, 100)
    actioned = [case for case in cases if case.actioned and case.flagged]
    if actioned:
        found["override_rate"] = _rate(sum(case.overridden for case in actioned), len(actioned), 1)
    waits = _quantiles([case.ack_s for case in cases if case.flagged]) if has_actions else {}
    found |= {"ack_latency_s": waits} if waits else {}
    quality = [value for case in cases if isinstance(value := case.row.get("input_quality"), int | float) and 0 <= value <= 1]
    found |= {"input_quality_mean": round(float(np.mean(quality)), 4)} if quality else {}
    return found


def expected_volume(times_ms: Int) -> Part | None:
    """Mean inferences in each hour of the week over a snapshot of a week or more, and their variance / mean; None for less."""
    if not len(times_ms):
        return None
    first = -(-(int(times_ms[0])) // HOUR_MS) * HOUR_MS if times_ms[0] % HOUR_MS else int(times_ms[0])
    end = int(times_ms[-1]) // HOUR_MS * HOUR_MS
    hours = (end - first) // HOUR_MS
    if hours < _HOURS:
        return None
    inside = times_ms[(times_ms >= first) & (times_ms < end)]
    counts = np.bincount((inside - first) // HOUR_MS, minlength=hours)
    of_week = ((first - _MONDAY_MS) // HOUR_MS + np.arange(hours)) % _HOURS
    seen = np.bincount(of_week, minlength=_HOURS)
    mean = np.bincount(of_week, counts, _HOURS) / seen
    body: Part = {"per": "overall", "hour_of_week": {"all": [round(one, 3) for one in mean.tolist()]}}
    if hours >= _FEWEST_WEEKS_FOR_DISPERSION * _HOURS:
        expected = mean[of_week]
        usable = expected > 0
        freedom = hours - _HOURS
        spread = float((np.square(counts - expected)[usable] / expected[usable]).sum() / max(freedom, 1))
        body["dispersion"] = round(max(1.0, spread), 3)
    return body


def label_latency_of(cases: Sequence[Case]) -> Part | None:
    """Hours until labels came and the share that ever did; None where too few came at a known time."""
    delays = [case.delay_h for case in cases if case.delay_h is not None and case.delay_h > 0]
    if len(delays) < _FEWEST_LABELS:
        return None
    p50, p95, p99 = (float(one) for one in np.quantile(delays, [0.5, 0.95, 0.99]))
    body: Part = {"p50_h": round(p50, 3), "p95_h": round(max(p95, p50 + 0.001), 3)}
    body["p99_h"] = round(max(p99, body["p95_h"] + 0.001), 3)
    coverage = {
        name: [case.label is not None for case in cases if case.flagged is flag]
        for name, flag in (("flagged", True), ("unflagged", False))
    }
    body["expected_coverage"] = round(sum(case.label is not None for case in cases) / len(cases), 4)
    return body | {"verification": {name: round(sum(seen) / len(seen), 4) for name, seen in coverage.items() if seen}}


def _encounters(cases: Sequence[Case]) -> int:
    """An inference without a token, or whose token had none on that device in the 24 h before."""
    last: dict[tuple[str, str], int] = {}
    count = 0
    for case in sorted(cases, key=lambda one: one.time_ms or 0):
        token = case.row.get("encounter_token")
        if not isinstance(token, str) or case.time_ms is None:
            count += 1
            continue
        key = (str(case.row.get("device_id")), token)
        count += key not in last or case.time_ms - last[key] > DAY_MS
        last[key] = case.time_ms
    return count


def _rate(part: int, whole: int, per: int) -> Part:
    outcome = proportion([min(part, whole)], [whole], method="wilson")[0]
    body: Part = {"value": round(per * part / max(whole, 1), 4), "n": whole}
    if isinstance(outcome, Estimate):
        body["ci95"] = [round(per * outcome.lower, 4), round(per * outcome.upper, 4)]
    return body


def _quantiles(waits: Sequence[float | None]) -> Part:
    """p50 and p95 of waits that are longer than any other where nobody came; those that were not reached are left out."""
    ordered = np.sort([np.inf if wait is None else wait for wait in waits])
    found: Part = {}
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        value = ordered[min(int(np.ceil(share * len(ordered))) - 1, len(ordered) - 1)] if len(ordered) else np.inf
        found |= {name: round(float(value), 1)} if np.isfinite(value) else {}
    return found
