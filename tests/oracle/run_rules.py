"""Run rules (Nelson 1984) on a series with one point per period, read again from the first period at every look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from .judge import Judgement, first_event_ms, rows_of, scopes_seen, series
from .ledger import Event, Ledger
from .limits import Facts, level_verdicts, overall
from .normal_charts import observed, standard_of
from .of_safety import matches
from .periods import counts_as, month_of, zone_of
from .policy import Document, Policy, Scope
from .question import COUNTED_WORDS, Measure, Question
from .times import parse_duration

Points = list[float | None]
Period = tuple[int, int]
COMPARE_POINTS = (3, 4)
"""Rules that ask whether points rise or fall, and not where they lie."""


def judge_run_rule(ledger: Ledger, policy: Policy, monitor: Document) -> dict[Scope, list[Judgement]]:
    """One judgement at the end of every period, of the points up to it."""
    rows, judged = rows_of(ledger, policy, monitor), dict[Scope, list[Judgement]]()
    ended = _ended(ledger, policy, monitor)
    for one in series(policy, monitor):
        for scope in scopes_seen(ledger, policy, one, rows, ended[-1][1]) if ended else []:
            own = [row for row in rows if one.scope(policy, row) == scope]
            judged[scope] = _along(policy, monitor, scope, own, ended, by_scope=bool(one.by))
    return judged


def _ended(ledger: Ledger, policy: Policy, monitor: Document) -> list[Period]:
    first_ms = first_event_ms(ledger, policy)
    if first_ms is None or ledger.watermark_ms is None:
        return []
    last_ms = min(ledger.watermark_ms, ledger.registry.last_end_ms(policy, monitor))
    found = [_holding(policy, monitor, first_ms)]
    while found[-1][1] <= last_ms:
        found.append(_holding(policy, monitor, found[-1][1]))
    return found[:-1]


def _holding(policy: Policy, monitor: Document, ms: int) -> Period:
    length = monitor["metric"].get("period", "month")
    if length == "month":
        month = month_of(ms, zone_of(policy))
        return month.start_ms, month.end_ms
    width = parse_duration(length)
    return ms // width * width, ms // width * width + width


def _along(
    policy: Policy, monitor: Document, scope: Scope, rows: list[Event], ended: list[Period], by_scope: bool
) -> list[Judgement]:
    metric, points, judged = monitor["metric"], list[float | None](), []
    for start_ms, end_ms in ended:
        inside = [row for row in rows if start_ms <= row.event_ms < end_ms]
        asked = Question(policy, monitor, scope, policy.window(monitor), end_ms, end_ms, inside, start_ms)
        point, n = _point(asked)
        z = None if point is None or metric.get("rule", 3) in COMPARE_POINTS else _z(asked, point, n)
        unknown = point is not None and z is None and metric.get("rule", 3) not in COMPARE_POINTS
        points.append(point if metric.get("rule", 3) in COMPARE_POINTS else z)
        if by_scope and min(row.event_ms for row in rows) >= end_ms:
            continue
        rule = metric.get("rule", 3)
        basis = tuple(points[-PATTERNS[rule][0] :])
        number = Measure(n, point, point, point, "run_rule", hit=holds(rule, points), basis=basis)
        if point is None or unknown:
            reason = "no_exposure" if point is None else "unknown_reference"
            number = replace(number, value=None, lower=None, upper=None, reason=reason, hit=None)
        levels = level_verdicts(monitor["limits"], number, Facts())
        judged.append(Judgement(scope, start_ms, end_ms, overall(levels), levels, number))
    return judged


def _point(asked: Question) -> tuple[float | None, int]:
    """(mean, share or events per use of a period, what it is of)."""
    if "of" in asked.metric:
        total, n = observed(asked)
        return (total / n if n else None), n
    inferences = [row for row in asked.rows if row.kind == "pms.inference"]
    uses = sum(COUNTED_WORDS[asked.metric.get("uses", "inferences")](row) for row in inferences)
    events = [row for row in asked.rows if row.kind != "pms.inference" and matches(row, asked.metric)]
    counted = sum(counts_as(row, asked.metric.get("counts", "all")) for row in events)
    return (counted / uses if uses else None), uses


def _z(asked: Question, point: float, n: int) -> float | None:
    """Standard deviations from the mean: those given, else those of the normal chart of the series."""
    metric = asked.metric
    if "of" in metric:
        standard = standard_of(asked)
        return None if standard is None else standard.z(point, n)
    if "mean" not in metric or "sd" not in metric:
        return None
    return float((point - metric["mean"]) / metric["sd"])


def holds(rule: int, points: Points) -> bool:
    """Whether the pattern of a rule ends with the newest point; a period without any breaks it."""
    length, pattern = PATTERNS[rule]
    last = [point for point in points[-length:] if point is not None]
    return len(last) == length and pattern(last)


def _of_one_side(last: list[float], beyond: float, wanted: int) -> bool:
    """So many beyond on one side, the newest point, which the pattern ends with, among them."""
    side = last if last[-1] > 0 else [-z for z in last]
    return side[-1] > beyond and sum(z > beyond for z in side) >= wanted


def _rises(last: list[float]) -> list[float]:
    return [after - before for before, after in pairwise(last)]


PATTERNS: dict[int, tuple[int, Callable[[list[float]], bool]]] = {
    1: (1, lambda last: abs(last[0]) > 3),
    2: (9, lambda last: _of_one_side(last, 0, 9)),
    3: (6, lambda last: all(step > 0 for step in _rises(last))),
    4: (14, lambda last: all(one * other < 0 for one, other in pairwise(_rises(last)))),
    5: (3, lambda last: _of_one_side(last, 2, 2)),
    6: (5, lambda last: _of_one_side(last, 1, 4)),
    7: (15, lambda last: all(abs(z) < 1 for z in last)),
    8: (8, lambda last: all(abs(z) > 1 for z in last) and min(last) < 0 < max(last)),
}
"""Rule -> (points of its pattern, whether they make it)."""
