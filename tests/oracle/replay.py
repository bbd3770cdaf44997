"""The end of a replay: the ledger and the last state of each monitor and scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import heartbeats, lowest
from .judge import Judge, Judgement, ends
from .ledger import Ledger
from .policy import Document, Policy, Registry, Scope
from .times import format_time, parse_time
from .whole_series import WHOLE_SERIES

StatusKey = tuple[str, str, Scope]


@dataclass(frozen=True)
class OracleResult:
    """`summary` and `status` as `pms replay --json` would print them; `digests` in the order the manifests were given."""

    summary: dict[str, Any]
    status: dict[StatusKey, dict[str, Any]]
    digests: list[str]


def replay(manifests: list[Document], lines: Iterable[bytes | str], until: str | None = None) -> OracleResult:
    """Folds all lines as one partition and judges once, at the end of the input."""
    registry = Registry(manifests)
    ledger = Ledger(registry, None if until is None else parse_time(until))
    for line in lines:
        ledger.feed(line)
    ledger.finish()
    judge, status = Judge(ledger), {}
    for policy in registry.policies:
        for monitor in policy.monitors:
            for scope, history in final_judgements(judge, policy, monitor).items():
                status[(policy.digest, monitor["id"], scope)] = status_line(history)
    return OracleResult(summary(ledger), status, [policy.digest for policy in registry.policies])


def summary(ledger: Ledger) -> dict[str, Any]:
    """The ledger's counts; quarantined by reason."""
    return {
        "events": ledger.summary["events"],
        "counted": ledger.summary["counted"],
        "duplicates": ledger.summary["duplicates"],
        "quarantined": dict(sorted(ledger.quarantined.items())),
        "late": ledger.summary["late"],
        "watermark": None if ledger.watermark_ms is None else format_time(ledger.watermark_ms),
    }


def final_judgements(judge: Judge, policy: Policy, monitor: Document) -> dict[Scope, list[Judgement]]:
    """For each scope its newest judgement, preceded by its last conclusive one where that is another."""
    ledger, kind = judge.ledger, monitor["metric"]["type"]
    if kind == "heartbeat_gap":
        return _final_heartbeats(ledger, policy, monitor)
    if kind == "min_value":
        return _final_lowest(ledger, policy, monitor)
    if kind == "bernoulli_cusum":
        return {scope: found[-1:] for scope, found in WHOLE_SERIES[kind](ledger, policy, monitor).items()}
    if kind in WHOLE_SERIES:
        return {scope: _with_conclusive(found) for scope, found in WHOLE_SERIES[kind](ledger, policy, monitor).items()}
    closed = ends(ledger, policy, monitor)
    if not closed:
        return {}
    final = {scope: [one] for scope, one in judge.at(policy, monitor, closed[-1]).items()}
    waiting = {scope for scope, (one,) in final.items() if not one.conclusive}
    for end_ms in reversed(closed[:-1]):
        if not waiting:
            break
        for scope, one in judge.at(policy, monitor, end_ms).items():
            if scope in waiting and one.conclusive:
                final[scope].insert(0, one)
                waiting.discard(scope)
    return final


def _with_conclusive(found: list[Judgement]) -> list[Judgement]:
    conclusive = [one for one in found[:-1] if one.conclusive]
    return [*conclusive[-1:], found[-1]]


def _final_lowest(ledger: Ledger, policy: Policy, monitor: Document) -> dict[Scope, list[Judgement]]:
    """A series that ended keeps the line of its last pane."""
    last, width = lowest.judged_until(ledger, policy, monitor), policy.base_pane_ms
    beats = [e.broker_ms for e in ledger.events if e.policy is policy and e.kind == "pms.heartbeat" and e.standing == "counted"]
    final: dict[Scope, list[Judgement]] = {}
    if last is None or not beats:
        return final
    for at_ms in range(last, min(beats) - 1, -width):
        for scope, one in lowest.judge_lowest(ledger, policy, monitor, at_ms).items():
            final.setdefault(scope, [one])
    return final


def _final_heartbeats(ledger: Ledger, policy: Policy, monitor: Document) -> dict[Scope, list[Judgement]]:
    """A series that ended (its device went to another manifest) keeps the line of its last multiple."""
    last, interval = heartbeats.judged_until(ledger, policy, monitor), policy.telemetry_ms("heartbeat_interval_s")
    beats = [e.broker_ms for e in ledger.events if e.policy is policy and e.kind == "pms.heartbeat" and e.standing == "counted"]
    final: dict[Scope, list[Judgement]] = {}
    if last is None or not beats:
        return final
    for at_ms in range(last, min(beats) - 1, -interval):
        for scope, one in heartbeats.judge_heartbeats(ledger, policy, monitor, at_ms).items():
            final.setdefault(scope, [one])
    return final


def status_line(history: list[Judgement]) -> dict[str, Any]:
    """The line of the newest judgement; `last_conclusive` stands beside it when it is inconclusive and one exists."""
    newest = history[-1]
    line = {
        "verdict": newest.verdict,
        "levels": newest.levels,
        "reason": newest.measure.reason,
        "needed": newest.measure.needed,
        "window": window_of(newest),
        "estimate": estimate_of(newest),
        "p": newest.measure.p,
        "e": newest.measure.e,
        "adjusted_p": newest.measure.adjusted_p,
        "pooled_to": None if newest.pooled_to is None else dict(newest.pooled_to),
        "last_conclusive": None,
    }
    if not newest.conclusive and len(history) > 1:
        earlier = history[0]
        line["last_conclusive"] = {
            "window": window_of(earlier), "verdict": earlier.verdict, "estimate": estimate_of(earlier)
        }  # fmt: skip
    return line


def window_of(judgement: Judgement) -> dict[str, str]:
    return {"start": format_time(judgement.start_ms), "end": format_time(judgement.end_ms)}


def estimate_of(judgement: Judgement) -> dict[str, Any]:
    """value, lower, upper, n, method; what cannot be said is None."""
    number = judgement.measure
    return {"value": number.value, "lower": number.lower, "upper": number.upper, "n": number.n, "method": number.method or None}
