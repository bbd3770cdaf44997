"""CUSUM and EWMA of a per-window mean or share, refolded from the first window at every look."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from . import of_inputs
from .judge import Judgement, ends, rows_of, scopes_seen, series
from .ledger import Event, Ledger
from .limits import Facts, level_verdicts, overall
from .policy import Document, Policy, Scope
from .question import Measure, Question, count


@dataclass(frozen=True)
class Standard:
    """z = (window mean - mean) / (sd / sqrt(n)); a `given` sd is that of the window means themselves."""

    mean: float
    sd: float
    given: bool

    def z(self, mean: float, n: int) -> float:
        return (mean - self.mean) / (self.sd if self.given else self.sd / math.sqrt(n))


class _Chart:
    """Both sides of one series; `value` is the larger of those that `tail` looks at."""

    def __init__(self, metric: Document) -> None:
        self.metric = metric
        self.high = self.low = self.smooth = 0.0

    def fold(self, z: float) -> None:
        k, weight = self.metric.get("k", 0.5), self.metric.get("lambda", 0.2)
        self.high, self.low = max(0.0, self.high + z - k), max(0.0, self.low - z - k)
        self.smooth = (1 - weight) * self.smooth + weight * z

    @property
    def value(self) -> float:
        sides = (self.high, self.low) if self.metric["type"] == "cusum" else (self.smooth, -self.smooth)
        return {"upper": sides[0], "lower": sides[1], "both": max(sides)}[self.metric.get("tail", "both")]


def judge_normal_chart(ledger: Ledger, policy: Policy, monitor: Document) -> dict[Scope, list[Judgement]]:
    """Every window end of every scope, in order; windows without values fold nothing and are inconclusive."""
    rows, closed = rows_of(ledger, policy, monitor), ends(ledger, policy, monitor)
    judged: dict[Scope, list[Judgement]] = {}
    if not closed:
        return judged
    for one in series(policy, monitor):
        for scope in scopes_seen(ledger, policy, one, rows, closed[-1]):
            own = [row for row in rows if one.scope(policy, row) == scope]
            judged[scope] = _fold(policy, monitor, scope, own, closed, by_scope=bool(one.by))
    return judged


def _fold(policy: Policy, monitor: Document, scope: Scope, rows: list[Event], closed: range, by_scope: bool) -> list[Judgement]:
    window, chart, judged = policy.window(monitor), _Chart(monitor["metric"]), []
    for end_ms in closed:
        if by_scope and min(row.event_ms for row in rows) >= end_ms:
            continue
        inside = [row for row in rows if end_ms - window.size <= row.event_ms < end_ms]
        asked = Question(policy, monitor, scope, window, end_ms, end_ms, inside, end_ms - window.size)
        number = _measured(asked, chart)
        levels = level_verdicts(monitor["limits"], number, Facts())
        judged.append(Judgement(scope, end_ms - window.size, end_ms, overall(levels), levels, number))
    return judged


def _measured(asked: Question, chart: _Chart) -> Measure:
    total, n = observed(asked)
    standard = standard_of(asked)
    needed = asked.policy.needed(asked.monitor, "inferences")
    if standard is None:
        return Measure(n, reason="unknown_reference")
    if n < needed:
        return Measure(n, reason="below_minimum_n", needed=needed)
    if n == 0:
        return Measure(0, reason="no_exposure")
    chart.fold(standard.z(total / n, n))
    return Measure(n, chart.value, None, None, asked.type)


def observed(asked: Question) -> tuple[float, int]:
    """(sum, n) of the window's values."""
    metric = asked.metric
    if metric["of"] == "rate":
        return count(asked.rows, metric["numerator"]), count(asked.rows, metric["denominator"])
    values = [row.score for row in asked.rows] if metric["of"] == "score_mean" else _numbers(asked)
    return float(np.sum(values)), len(values)


def _numbers(asked: Question) -> list[float]:
    return of_inputs.numbers(asked)


def standard_of(asked: Question) -> Standard | None:
    metric, policy = asked.metric, asked.policy
    if metric["of"] == "rate":
        mean, sd = _rate_baseline(asked), None
        if mean is not None:
            sd = math.sqrt(mean * (1 - mean)) * metric.get("dispersion", 1.0)
    else:
        entry = policy.baselines.get("score") if metric["of"] == "score_mean" else policy.feature(metric["feature"])
        reference = policy.reference(entry, asked.scope) or {}
        mean, sd = metric.get("mean", reference.get("mean")), reference.get("sd")
        if sd is not None:
            sd *= metric.get("dispersion", reference.get("dispersion", 1.0))
    given = "sd" in metric
    sd = metric.get("sd", sd)
    return None if mean is None or not sd else Standard(mean, sd, given)


def _rate_baseline(asked: Question) -> float | None:
    """Share that the manifest expects, in the season of the month of the window's last instant."""
    metric = asked.metric
    if "mean" in metric:
        return float(metric["mean"])
    stated = asked.stated_rate(metric["numerator"], metric["denominator"])
    return None if stated is None else stated[0]
