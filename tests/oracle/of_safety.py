"""Adverse events under their own envelope: how many match, against how many are expected for the uses."""

from __future__ import annotations

import math

from .ledger import Event
from .policy import Document
from .question import Measure, Question

NONSERIOUS = ("none", "near_miss")


def matches(event: Event, metric: Document) -> bool:
    """Whether an event is counted by `filter`; MaxSPRT alone has a default, every role but `none`."""
    wanted = metric.get("filter")
    if wanted is None:
        if metric["type"] == "maxsprt_poisson":
            return event.kind == "pms.adverse_event" and event.document.get("suspected_device_role") != "none"
        wanted = {}
    if event.kind != f"pms.{wanted.get('kind', 'adverse_event')}":
        return False
    named = {name: accepted for name, accepted in wanted.items() if name != "kind"}
    return all(event.document.get(name) in _listed(accepted) for name, accepted in named.items())


def _listed(accepted: object) -> list[object]:
    return accepted if isinstance(accepted, list) else [accepted]


def matched(question: Question) -> list[Event]:
    return [row for row in question.rows if matches(row, question.metric)]


def uses(rows: list[Event]) -> int:
    """Field-use inferences."""
    return sum(row.kind == "pms.inference" for row in rows)


def event_count(question: Question, n: int) -> Measure:
    return Measure(n, float(n), None, None, "count")


def maxsprt(question: Question, n: int) -> Measure:
    """Log likelihood ratio of the most likely excess against `rr0` (Kulldorff 2011), as it was at the pane of the last event."""
    metric, pane_ms = question.metric, question.policy.base_pane_ms
    per_use = metric.get("rr0", 1.0) * metric["expected_per_10k"] / 10_000
    if per_use * uses(question.rows) >= metric["T"]:
        return Measure(n, reason="exhausted")
    last_ms = max((row.event_ms for row in matched(question)), default=question.end_ms - 1)
    through_ms = (last_ms // pane_ms + 1) * pane_ms
    mu = per_use * uses([row for row in question.rows if row.event_ms < through_ms])
    if mu == 0:
        return Measure(n, reason="no_exposure")
    llr = 0.0 if n < metric.get("M", 1) or n <= mu else n * math.log(n / mu) - (n - mu)
    return Measure(n, llr, None, None, "maxsprt_poisson")
