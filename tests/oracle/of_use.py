"""How the device is used: rates and ratios, identities, duplicates, volume, delays, clocks."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from scipy import stats

from . import intervals
from .ledger import Event
from .question import NESTED, Measure, Question, count
from .survival import quantile_of_delays

HOUR_MS = 3_600_000
WEEK_H = 168
MONDAY_H = 4 * 24
"""1970-01-05 00:00 UTC, the first Monday after the epoch, in hours."""
IDENTITIES = {
    "model_digest": ("model", "digest"),
    "preprocessing_digest": ("preprocessing", "digest"),
    "feature_schema_digest": ("feature_schema", "digest"),
    "inference_config_digest": ("inference_config_digest",),
    "threshold_config_digest": ("threshold_config_digest",),
    "explanation_config_digest": ("explanation_config_digest",),
}


def mismatch(question: Question, n: int) -> Measure:
    fields = question.metric.get("fields") or [question.metric["field"]]
    wrong = sum(any(_differs(row, name) for name in fields) or _wrong_release(row, question.type) for row in question.rows)
    return Measure(n, float(wrong), None, None, "count")


def _differs(row: Event, name: str) -> bool:
    wanted: Any = row.policy.release.get("identities", {})
    for part in IDENTITIES[name]:
        wanted = wanted.get(part) if isinstance(wanted, dict) else None
    sent = row.document.get(name)
    return sent is not None and wanted is not None and sent != wanted


def _wrong_release(row: Event, kind: str) -> bool:
    return kind == "identity_mismatch" and row.document["release_id"] != row.policy.release["release_id"]


def rate_ratio(question: Question, n: int) -> Measure:
    numerator, exposure = question.metric["numerator"], question.metric["exposure"]
    stated = question.stated_rate(numerator, exposure)
    if stated is None:
        return Measure(n, reason="unknown_reference")
    (per_one, reference_n), k = stated, count(question.rows, numerator)
    if reference_n is None:
        lower, upper = intervals.poisson_exact(k, question.level)
        return Measure(n, k / (n * per_one), lower / (n * per_one), upper / (n * per_one), "exact_poisson")
    reference_k = reference_n * per_one
    low, high = intervals.clopper_pearson(k, k + reference_k, question.level)
    odds = [share / (1 - share) * reference_n / n if share < 1 else math.inf for share in (low, high)]
    return Measure(n, k / (n * per_one), odds[0], odds[1], "conditional_binomial")


def rate(question: Question, n: int) -> Measure:
    numerator, denominator = question.metric["numerator"], question.metric["denominator"]
    k = count(question.rows, numerator)
    if (numerator, denominator) in NESTED:
        return question.share(k, n)
    lower, upper = intervals.poisson_exact(k, question.level)
    return Measure(n, k / n, lower / n, upper / n, "exact_poisson")


def duplicates(question: Question, n: int) -> Measure:
    return Measure(n, sum(row.standing == "duplicates" for row in question.rows) / n, None, None, "share")


def volume(question: Question, n: int) -> Measure:
    """Inferences of the window against what its hours of the week and months expect, negative binomial."""
    plan = question.policy.baselines.get("operational", {}).get("expected_volume") or {}
    hours = _hours(question, plan)
    if hours is None:
        return Measure(n, reason="unknown_reference")
    expected = _expected(hours, plan.get("month_factor", [1.0] * 12), question.start_ms, question.end_ms)
    if expected <= 0:
        return Measure(n, reason="no_exposure")
    dispersion = max(1.0, question.metric.get("dispersion", plan.get("dispersion", 1.0)))
    p = intervals.count_p(n, expected, dispersion, question.metric.get("tail", "both"))
    return Measure(n, n / expected, None, None, "negative_binomial", p)


def _hours(question: Question, plan: dict[str, Any]) -> list[float] | None:
    table, per, scope = plan.get("hour_of_week", {}), plan.get("per", "overall"), dict(question.scope)
    if not scope and per == "overall":
        return next(iter(table.values()), None)
    axis = question.policy.axes.get(question.by, {})
    by_site = axis.get("source", question.by) == "site_id"
    return table.get(scope.get(question.by)) if by_site and per == "site" else None


def _expected(hours: list[float], factors: list[float], start_ms: int, end_ms: int) -> float:
    parts = []
    for hour in range(start_ms // HOUR_MS, -(-end_ms // HOUR_MS)):
        inside = min(end_ms, (hour + 1) * HOUR_MS) - max(start_ms, hour * HOUR_MS)
        month = datetime.fromtimestamp(hour * 3600, UTC).month
        parts.append(hours[(hour - MONDAY_H) % WEEK_H] * factors[month - 1] * inside / HOUR_MS)
    return math.fsum(parts)


def delays(question: Question) -> list[Event]:
    """Rows whose delay is asked for: inferences that sent a latency, or alerts (without `censored` only those acknowledged)."""
    if question.metric["field"] == "latency_ms":
        return [row for row in question.rows if row.document.get("latency_ms") is not None]
    alerts = [row for row in question.rows if row.alert]
    return alerts if question.metric.get("censored") else [row for row in alerts if row.ack_delay_ms is not None]


def quantile(question: Question, n: int) -> Measure:
    if question.metric["field"] == "latency_ms":
        known = [(float(row.document["latency_ms"]), True) for row in delays(question)]
    else:
        looked_ms = censoring_ms(question)
        known = [_as_of(row, looked_ms) for row in delays(question)]
    value, lower, upper, method = quantile_of_delays(known, question.metric["q"], question.level)
    return Measure(n, value, lower, upper, method)


def _as_of(row: Event, looked_ms: int) -> tuple[float, bool]:
    """(seconds, whether acknowledged by then)."""
    waited_ms = max(0, looked_ms - row.event_ms)
    if row.ack_delay_ms is not None and row.ack_delay_ms <= waited_ms:
        return row.ack_delay_ms / 1000, True
    return waited_ms / 1000, False


def censoring_ms(question: Question) -> int:
    """A window is looked at twice, at its end and one slide later: who still waited then is censored then."""
    second_ms = question.end_ms + question.window.slide
    return second_ms if question.watermark_ms >= second_ms else question.end_ms


def clock_offset(question: Question, n: int) -> Measure:
    """The smallest offset (seconds) that at least 95 % of the events do not exceed."""
    offsets = sorted(abs(row.offset_ms) for row in question.rows)
    value = offsets[math.ceil(0.95 * n - 1e-9) - 1] / 1000
    return Measure(n, value, None, None, "p95_abs")


def poisson_upper_p(n: int, expected: float) -> float:
    """P(N >= n) of a Poisson count."""
    return float(stats.poisson.sf(n - 1, expected))
