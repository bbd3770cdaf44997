"""The Bernoulli CUSUM of labels, refolded from the first label at every look."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from .judge import Judgement, first_event_ms, rows_of, series
from .ledger import Event, Ledger
from .limits import Facts, level_verdicts, overall
from .policy import Document, Policy, Scope
from .question import Measure
from .times import DAY_MS

NEVER = 2**62


@dataclass(frozen=True)
class _Case:
    """A labelled inference that the chart folds, with the base pane (index) in which it does."""

    pane: int
    event: bool


def judge_chart(ledger: Ledger, policy: Policy, monitor: Document) -> dict[Scope, list[Judgement]]:
    """Every pane that folded labels, in order; a scope that folded none has one inconclusive judgement."""
    rows = rows_of(ledger, policy, monitor)
    last_ms = min(ledger.watermark_ms or 0, ledger.registry.last_end_ms(policy, monitor))
    closed = int(last_ms) // policy.base_pane_ms
    matured = _matured(policy, rows)
    judged: dict[Scope, list[Judgement]] = {}
    for one in series(policy, monitor):
        scopes = {one.scope(policy, row) for row in rows} if one.by else {one.named(frozenset())}
        for scope in sorted(scopes, key=sorted):
            own = [row for row in rows if one.scope(policy, row) == scope]
            judged[scope] = _fold(ledger, policy, monitor, scope, own, matured, closed)
    return {scope: found for scope, found in judged.items() if found}


def _matured(policy: Policy, rows: list[Event]) -> dict[int, int]:
    """First base pane (index) in which each UTC day of inferences is mature."""
    days: dict[int, list[Event]] = defaultdict(list)
    for row in rows:
        days[row.event_ms // DAY_MS].append(row)
    return {day: _day_matured(policy, day, inside) for day, inside in days.items()}


def _day_matured(policy: Policy, day: int, rows: list[Event]) -> int:
    width, day_end_ms = policy.base_pane_ms, (day + 1) * DAY_MS
    arrived = [row.broker_ms // width for row in rows]
    labelled = [row.label_arrival_ms // width for row in rows if row.label_arrival_ms is not None]
    by_age = NEVER if policy.or_age_ms is None else (day_end_ms + policy.or_age_ms) // width
    for pane in sorted({day_end_ms // width, *arrived, *labelled}):
        if (pane + 1) * width <= day_end_ms:
            continue
        seen = sum(one <= pane for one in arrived)
        if seen and sum(one <= pane for one in labelled) / seen >= policy.coverage_min:
            return min(pane, by_age)
    return by_age


def _pane(policy: Policy, monitor: Document, row: Event, matured: dict[int, int]) -> int:
    assert row.label_arrival_ms is not None
    arrival = row.label_arrival_ms // policy.base_pane_ms
    if not monitor["metric"].get("require_mature"):
        return arrival
    return max(arrival, matured[row.event_ms // DAY_MS])


def _case(event: str, row: Event, pane: int) -> _Case | None:
    assert row.label is not None
    if event == "miss":
        return _Case(pane, not row.alert) if row.label.value == 1 else None
    return _Case(pane, row.alert) if row.label.value == 0 else None


def _coverage(policy: Policy, rows: list[Event], matured: dict[int, int], pane: int, flagged: bool) -> float:
    """Mature coverage of flagged or unflagged inferences as known at a pane's end; the manifest's where there is none."""
    width = policy.base_pane_ms
    mature = [
        row for row in rows if row.alert is flagged and matured[row.event_ms // DAY_MS] <= pane and row.broker_ms // width <= pane
    ]
    labelled = sum(row.label_arrival_ms is not None and row.label_arrival_ms // width <= pane for row in mature)
    if labelled:
        return labelled / len(mature)
    return float(policy.latency.get("verification", {}).get("flagged" if flagged else "unflagged", 1.0))


def _corrected(p: float, v_event: float, v_other: float) -> float:
    return p * v_event / (p * v_event + (1 - p) * v_other)


def _fold(
    ledger: Ledger, policy: Policy, monitor: Document, scope: Scope, rows: list[Event], matured: dict[int, int], closed: int
) -> list[Judgement]:
    metric, width = monitor["metric"], policy.base_pane_ms
    first = first_event_ms(ledger, policy)
    if first is None:
        return []
    start_ms = first // width * width
    labelled = [row for row in rows if row.label is not None]
    cases = [_case(metric["event"], row, _pane(policy, monitor, row, matured)) for row in labelled]
    panes: dict[int, list[bool]] = defaultdict(list)
    for case in cases:
        if case is not None and case.pane < closed:
            panes[case.pane].append(case.event)
    if not panes:
        reason = "immature_labels" if any(case is not None for case in cases) else "no_exposure"
        return [_judgement(monitor, scope, start_ms, closed * width, Measure(0, reason=reason))]
    total, folded, judged = 0.0, 0, []
    for pane in sorted(panes):
        p0, p1 = metric["p0"], metric["p1"]
        if metric.get("verification_correction") == "begg_greenes":
            flagged_event = metric["event"] == "false_alert"
            v_event, v_other = (_coverage(policy, rows, matured, pane, flag) for flag in (flagged_event, not flagged_event))
            p0, p1 = _corrected(p0, v_event, v_other), _corrected(p1, v_event, v_other)
        weights = (math.log(p1 / p0) if event else math.log((1 - p1) / (1 - p0)) for event in panes[pane])
        total, folded = max(0.0, total + math.fsum(weights)), folded + len(panes[pane])
        number = Measure(folded, total, None, None, "bernoulli_cusum")
        if metric["event"] == "miss" and _sees_no_miss(policy, monitor, rows, matured, pane):
            number = Measure(folded, reason="verification_bias")
        judged.append(_judgement(monitor, scope, start_ms, (pane + 1) * width, number))
    return judged


def _sees_no_miss(policy: Policy, monitor: Document, rows: list[Event], matured: dict[int, int], pane: int) -> bool:
    """Whether unflagged cases have come by a pane, of mature days where those are asked, and no label of any."""
    unflagged = [row for row in rows if not row.alert]
    used = [max(row.broker_ms // policy.base_pane_ms, _earliest(monitor, row, matured)) <= pane for row in unflagged]
    labels = [_pane(policy, monitor, row, matured) <= pane for row in unflagged if row.label is not None]
    return any(used) and not any(labels)


def _earliest(monitor: Document, row: Event, matured: dict[int, int]) -> int:
    return matured[row.event_ms // DAY_MS] if monitor["metric"].get("require_mature") else 0


def _judgement(monitor: Document, scope: Scope, start_ms: int, end_ms: int, number: Measure) -> Judgement:
    levels = level_verdicts(monitor["limits"], number, Facts())
    return Judgement(scope, start_ms, end_ms, overall(levels), levels, number)
