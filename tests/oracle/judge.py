"""Judges windows: one evaluation of one monitor at one window end, over all of its scopes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from . import measures, of_inputs, of_safety
from .intervals import benjamini_hochberg, count_p, latency_share
from .ledger import Event, Ledger
from .limits import Facts, level_verdicts, overall
from .policy import Document, Policy, Scope, Window
from .question import Measure, Question
from .times import DAY_MS

LONGEST_EXTENSION_MS = 28 * DAY_MS
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Judgement:
    """The verdict of one scope at one window end; `start_ms` lies earlier than the window's own start where it was extended."""

    scope: Scope
    start_ms: int
    end_ms: int
    verdict: str
    levels: dict[str, str]
    measure: Measure
    extended: bool = False
    pooled_to: Scope | None = None

    @property
    def conclusive(self) -> bool:
        return self.verdict != "inconclusive"


@dataclass(frozen=True)
class Series:
    """`by` entry and feature of a scope: what its parent is made of."""

    by: str
    feature: str | None

    def scope(self, policy: Policy, event: Event) -> Scope:
        return self.named(policy.scope(event.document, self.by))

    def named(self, scope: Scope) -> Scope:
        return scope | {("feature", self.feature)} if self.feature else scope

    def parents(self) -> list[Series]:
        axes = self.by.split("*") if self.by else []
        return [Series("*".join(axes[:count]), self.feature) for count in range(len(axes) - 1, -1, -1)]


def series(policy: Policy, monitor: Document) -> list[Series]:
    """Every (by entry, feature) of the monitor; `feature: "*"` is one for each baseline feature."""
    features: list[str | None] = [None]
    if monitor["metric"].get("feature") == "*":
        features = [entry["name"] for entry in policy.baselines.get("features", [])]
    return [Series(by, feature) for by in monitor.get("by") or [""] for feature in features]


def rows_of(ledger: Ledger, policy: Policy, monitor: Document) -> list[Event]:
    """Field-use inferences of the policy.

    For duplicate_rate every field-use event that was not quarantined; for clocks what every event said of its clock, at broker
    time; for adverse events those that match, with the inferences where they are judged per use.
    """
    metric = monitor["metric"]
    heard = ledger.clocks if metric["type"] == "clock_offset_s" else ledger.events
    own = [event for event in heard if event.policy is policy and event.field_use]
    if metric["type"] in ("duplicate_rate", "clock_offset_s"):
        return own
    counted = [event for event in own if event.standing == "counted"]
    if metric["type"] == "event_count":
        return [event for event in counted if of_safety.matches(event, metric)]
    if metric["type"] in ("maxsprt_poisson", "trend_test") or (metric["type"] == "run_rule" and "of" not in metric):
        return [event for event in counted if event.kind == "pms.inference" or of_safety.matches(event, metric)]
    inferences = [event for event in counted if event.kind == "pms.inference"]
    if metric["type"] == "quantile":
        waits = metric["field"] == "ack_latency_s"
        return [one for one in inferences if (one.alert if waits else one.document.get("latency_ms") is not None)]
    return inferences


def first_event_ms(ledger: Ledger, policy: Policy) -> int | None:
    """Smallest event_time among the policy's counted events."""
    return min((e.event_ms for e in ledger.events if e.policy is policy and e.standing == "counted"), default=None)


def ends(ledger: Ledger, policy: Policy, monitor: Document) -> range:
    """Every window end that is closed and judged under the policy, ascending."""
    first, watermark = first_event_ms(ledger, policy), ledger.watermark_ms
    if monitor["metric"]["type"] in ("duplicate_rate", "clock_offset_s"):
        first = min((row.event_ms for row in rows_of(ledger, policy, monitor)), default=first)
    if first is None or watermark is None:
        return range(0)
    slide = policy.window(monitor).slide
    last = min(watermark, ledger.registry.last_end_ms(policy, monitor))
    return range((first // slide + 1) * slide, int(last) // slide * slide + 1, slide)


def judge_end(ledger: Ledger, policy: Policy, monitor: Document, end_ms: int) -> dict[Scope, Judgement]:
    """All scopes seen before the end, judged as one family."""
    rows = rows_of(ledger, policy, monitor)
    measured: dict[Scope, tuple[Measure, Facts, int, Scope | None]] = {}
    for one in series(policy, monitor):
        for scope in scopes_seen(ledger, policy, one, rows, end_ms):
            measured[scope] = _measured(ledger, policy, monitor, one, scope, rows, end_ms)
    _adjust(policy, measured)
    window, judged = policy.window(monitor), {}
    seen = sum(number.n > 0 for number, _, _, _ in measured.values())
    for scope, (number, facts, start_ms, pooled_to) in measured.items():
        levels = level_verdicts(monitor["limits"], number, replace(facts, family=family(policy, monitor, seen)))
        extended = not window.cumulative and start_ms < end_ms - window.size
        judged[scope] = Judgement(scope, start_ms, end_ms, overall(levels), levels, number, extended, pooled_to)
    return judged


def family(policy: Policy, monitor: Document, seen: int) -> int:
    """How many scopes an e limit is multiplied by: declared values of all axes (features of `*` too), else scopes seen."""
    sizes = [math.prod(policy.declared(axis) for axis in by.split("*") if by) for by in monitor.get("by") or [""]]
    features = len(policy.baselines.get("features", [])) if monitor["metric"].get("feature") == "*" else 1
    return max(1, sum(sizes) * features if all(sizes) else seen)


def scopes_seen(ledger: Ledger, policy: Policy, one: Series, rows: list[Event], end_ms: int) -> Iterator[Scope]:
    if not one.by:
        first = min((row.event_ms for row in rows), default=math.inf)
        if min(first, first_event_ms(ledger, policy) or math.inf) < end_ms:
            yield one.named(frozenset())
        return
    yield from sorted({one.scope(policy, row) for row in rows if row.event_ms < end_ms}, key=sorted)


def _adjust(policy: Policy, measured: dict[Scope, tuple[Measure, Facts, int, Scope | None]]) -> None:
    if (policy.strata.get("multiplicity") or {}).get("method") != "benjamini_hochberg":
        return
    family = [scope for scope in measured if measured[scope][0].p is not None]
    adjusted = benjamini_hochberg([float(measured[scope][0].p or 0.0) for scope in family])
    for scope, p in zip(family, adjusted, strict=True):
        number, facts, start_ms, pooled_to = measured[scope]
        measured[scope] = (replace(number, adjusted_p=p), facts, start_ms, pooled_to)


def _measured(
    ledger: Ledger, policy: Policy, monitor: Document, one: Series, scope: Scope, rows: list[Event], end_ms: int
) -> tuple[Measure, Facts, int, Scope | None]:
    window = policy.window(monitor)
    start_ms = _start(ledger, policy, window, end_ms)
    rows = [row for row in rows if window.cumulative or row.event_ms < end_ms]
    own = [row for row in rows if one.scope(policy, row) == scope]
    if monitor["metric"]["type"] == "label_arrivals_vs_expected":
        return *_arrivals(ledger, policy, monitor, one, scope, own, start_ms, end_ms), start_ms, None
    question = _question(ledger, policy, monitor, one, scope, rows, own, start_ms, end_ms)
    needed = policy.needed(monitor, measures.governed_by(monitor["metric"]))
    facts = Facts(identical=_identical(question, own) if monitor["metric"]["type"] == "variance_ratio" else None)
    if measures.size(question) >= needed:
        return measures.measure(question), facts, start_ms, None
    if measures.compares_with_nothing(question):
        return Measure(measures.size(question), reason="unknown_reference"), Facts(), start_ms, None
    below = None if monitor["metric"]["type"] in measures.NEVER_EXTENDED else policy.strata.get("below_min")
    if below == "accumulate" and not window.cumulative:
        for earlier_ms in range(start_ms - window.size, end_ms - LONGEST_EXTENSION_MS - 1, -window.size):
            wider = _question(ledger, policy, monitor, one, scope, rows, own, earlier_ms, end_ms)
            if measures.size(wider) >= needed:
                return measures.measure(wider), facts, earlier_ms, None
    if below == "pool_to_parent":
        for parent in one.parents():
            wanted = parent.named(frozenset((axis, level) for axis, level in scope if axis in parent.by.split("*")))
            pool = [row for row in rows if parent.scope(policy, row) == wanted]
            pooled = _question(ledger, policy, monitor, parent, wanted, rows, pool, start_ms, end_ms)
            if measures.size(pooled) >= needed:
                return measures.measure(pooled), facts, start_ms, wanted
    short = Measure(measures.size(question), reason="below_minimum_n", needed=needed)
    return short, Facts(), start_ms, None


def _start(ledger: Ledger, policy: Policy, window: Window, end_ms: int) -> int:
    if not window.cumulative:
        return end_ms - window.size
    first = first_event_ms(ledger, policy)
    return (end_ms if first is None else first) // policy.base_pane_ms * policy.base_pane_ms


def _question(
    ledger: Ledger,
    policy: Policy,
    monitor: Document,
    one: Series,
    scope: Scope,
    rows: list[Event],
    own: list[Event],
    start_ms: int,
    end_ms: int,
) -> Question:
    """`own` rows are those of the scope, `rows` those of all scopes, its peers."""
    window = policy.window(monitor)

    def inside(found: list[Event]) -> list[Event]:
        return [row for row in found if (window.cumulative or start_ms <= row.event_ms) and row.event_ms < end_ms]

    compared = inside(rows) if monitor["metric"]["type"] in measures.COMPARED else []
    return Question(policy, monitor, scope, window, end_ms, ledger.watermark_ms or 0, inside(own), start_ms, one.by, compared)


def _identical(question: Question, rows: list[Event]) -> int | None:
    """Consecutive windows of the monitor up to the judged one that hold values and have its bin counts; None without bins."""
    newest = of_inputs.histogram(question, of_inputs.values(question))
    if newest is None or not newest.n:
        return None
    window, equal = question.window, 0
    for end_ms in range(question.end_ms, min((row.event_ms for row in rows), default=question.end_ms), -window.slide):
        inside = [row for row in rows if end_ms - window.size <= row.event_ms < end_ms]
        found = of_inputs.histogram(question, of_inputs.values(question, inside))
        if found is None or not found.n:
            continue
        if found.counts.tolist() != newest.counts.tolist():
            break
        equal += 1
    return equal


def _arrivals(
    ledger: Ledger, policy: Policy, monitor: Document, one: Series, scope: Scope, rows: list[Event], start_ms: int, end_ms: int
) -> tuple[Measure, Facts]:
    latency = policy.latency
    if any(key not in latency for key in ("p50_h", "p95_h", "p99_h", "expected_coverage")):
        return Measure(0, reason="unknown_reference"), Facts()
    curve = (latency["p50_h"], latency["p95_h"], latency["p99_h"])
    expected = latency["expected_coverage"] * math.fsum(
        latency_share((end_ms - row.event_ms) / HOUR_MS, *curve) - latency_share((start_ms - row.event_ms) / HOUR_MS, *curve)
        for row in rows
        if row.event_ms < end_ms
    )
    arrived = sum(row.label_arrival_ms is not None and start_ms <= row.label_arrival_ms < end_ms for row in rows)
    if expected <= 0:
        return Measure(arrived, reason="no_exposure"), Facts()
    p = count_p(arrived, expected, latency.get("dispersion", 1))
    facts = Facts(coverage_mature=_mature_coverage(ledger, policy, monitor, one, scope, rows, end_ms))
    return Measure(arrived, arrived / expected, None, None, "negative_binomial", p), facts


def _mature_coverage(
    ledger: Ledger, policy: Policy, monitor: Document, one: Series, scope: Scope, rows: list[Event], end_ms: int
) -> float | None:
    """Labelled over inferences of the newest window that has inferences and was mature at the end of the judged one."""
    window = policy.window(monitor)
    if not rows:
        return None
    first = min(row.event_ms for row in rows)
    for end in range(end_ms, first, -window.slide):
        question = _question(ledger, policy, monitor, one, scope, rows, rows, _start(ledger, policy, window, end), end)
        question = replace(question, watermark_ms=end_ms)
        if question.rows and measures.mature(question):
            return len(question.labelled) / len(question.rows)
    return None


class Judge:
    """Remembers evaluations whose data did not change since, so that judging again after each record stays affordable."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._known: dict[tuple[int, str, int], tuple[object, dict[Scope, Judgement]]] = {}
        self._timelines: dict[int, tuple[int, np.ndarray, np.ndarray]] = {}

    def at(self, policy: Policy, monitor: Document, end_ms: int) -> dict[Scope, Judgement]:
        key = (policy.index, monitor["id"], end_ms)
        state = self._state(policy, monitor, end_ms)
        if key not in self._known or self._known[key][0] != state:
            self._known[key] = (state, judge_end(self.ledger, policy, monitor, end_ms))
        return self._known[key][1]

    def _state(self, policy: Policy, monitor: Document, end_ms: int) -> object:
        """Differs whenever anything that the evaluation reads may differ."""
        kind = monitor["metric"]["type"]
        if kind in ("label_arrivals_vs_expected", "quantile"):
            return self.ledger.touches, self.ledger.watermark_ms
        if kind == "clock_offset_s":
            return sum(row.event_ms < end_ms for row in self.ledger.clocks)
        window, (times, touched) = policy.window(monitor), self._timeline(policy)
        reach = max(window.size, LONGEST_EXTENSION_MS if policy.strata.get("below_min") == "accumulate" else 0)
        if kind == "variance_ratio":  # runs of identical windows reach back as far as they are identical
            reach = end_ms
        before = int(np.searchsorted(times, end_ms))
        first = 0 if window.cumulative else int(np.searchsorted(times, end_ms - reach))
        aged = policy.or_age_ms is not None and (self.ledger.watermark_ms or 0) >= end_ms + policy.or_age_ms
        return before, int(touched[first:before].max(initial=0)), aged

    def _timeline(self, policy: Policy) -> tuple[np.ndarray, np.ndarray]:
        """Event times of the policy, sorted, and the touch number of each event."""
        if self._timelines.get(policy.index, (0,))[0] != self.ledger.touches:
            own = sorted((e.event_ms, e.touched) for e in self.ledger.events if e.policy is policy)
            times, touched = np.array(own, np.int64).reshape(-1, 2).T
            self._timelines[policy.index] = (self.ledger.touches, times, touched)
        _, times, touched = self._timelines[policy.index]
        return times, touched
