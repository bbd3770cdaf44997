"""The lowest newest value of a heartbeat field at the end of a base pane of partition time."""

from __future__ import annotations

from .heartbeats import newest_of_devices
from .judge import Judgement, first_event_ms
from .ledger import Event, Ledger
from .limits import Facts, level_verdicts, overall
from .policy import Document, Policy, Scope
from .question import Measure
from .times import DAY_MS, parse_time


def judged_until(ledger: Ledger, policy: Policy, monitor: Document) -> int | None:
    """The greatest base-pane end that partition time (or the next revision) lets us judge."""
    if ledger.partition_ms is None:
        return None
    return (
        int(min(ledger.partition_ms, ledger.registry.last_end_ms(policy, monitor))) // policy.base_pane_ms * policy.base_pane_ms
    )


def judge_lowest(ledger: Ledger, policy: Policy, monitor: Document, at_ms: int) -> dict[Scope, Judgement]:
    """Devices, gateways or the whole fleet: the lowest of what their devices said last before `at_ms`."""
    field, first = monitor["metric"]["field"], first_event_ms(ledger, policy)
    newest = newest_of_devices(ledger, policy, at_ms - 1, lambda beat: _value(beat, field, at_ms) is not None)
    if not newest or first is None:
        return {}
    lowest: dict[Scope, list[float]] = {}
    for (_, device), beat in newest.items():
        value = _value(beat, field, at_ms)
        assert value is not None
        for by in monitor.get("by") or [""]:
            level = {"device": device, "gateway": beat.document.get("gateway_id", "unknown")}.get(by)
            scope: Scope = frozenset() if level is None else frozenset({(by, level)})
            lowest.setdefault(scope, []).append(value)
    start_ms, judged = first // policy.base_pane_ms * policy.base_pane_ms, {}
    for scope, values in lowest.items():
        number = Measure(len(values), min(values), None, None, "minimum")
        levels = level_verdicts(monitor["limits"], number, Facts())
        judged[scope] = Judgement(scope, start_ms, at_ms, overall(levels), levels, number)
    return judged


def _value(beat: Event, field: str, at_ms: int) -> float | None:
    if field == "cert_days_left":
        until = beat.document.get("cert_not_after")
        return None if until is None else (parse_time(until) - at_ms) / DAY_MS
    found = beat.document.get(field)
    return None if isinstance(found, bool) or not isinstance(found, int | float) else float(found)
