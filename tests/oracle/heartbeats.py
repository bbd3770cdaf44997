"""Missed heartbeats of devices and gateways at a multiple of the interval of partition time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from .judge import Judgement, first_event_ms
from .ledger import Event, Ledger
from .limits import Facts, level_verdicts, overall
from .policy import Document, Policy, Scope
from .question import Measure


def judged_until(ledger: Ledger, policy: Policy, monitor: Document) -> int | None:
    """The greatest multiple of the interval that partition time (or the next revision) lets us judge."""
    if ledger.partition_ms is None:
        return None
    interval = policy.telemetry_ms("heartbeat_interval_s")
    return int(min(ledger.partition_ms, ledger.registry.last_end_ms(policy, monitor))) // interval * interval


def newest_of_devices(
    ledger: Ledger, policy: Policy, at_ms: int, tells: Callable[[Event], bool] = lambda beat: True
) -> dict[tuple[str, str], Event]:
    """The newest heartbeat (of those that tell) of every device whose newest event counts under the policy."""
    newest: dict[tuple[str, str], Event] = {}
    beats: dict[tuple[str, str], Event] = {}
    for event in ledger.events:
        if event.standing != "counted" or event.broker_ms > at_ms:
            continue
        newest[event.device] = _newer(newest.get(event.device), event)
        if event.kind == "pms.heartbeat" and event.field_use and event.policy is policy and tells(event):
            beats[event.device] = _newer(beats.get(event.device), event)
    return {device: beat for device, beat in beats.items() if newest[device].policy is policy}


def gaps(ledger: Ledger, policy: Policy, at_ms: int) -> dict[tuple[str, str], tuple[str, int]]:
    """(gateway, missed beats) of every device whose newest event counts under the policy."""
    interval = policy.telemetry_ms("heartbeat_interval_s")
    return {
        device: (beat.document.get("gateway_id", "unknown"), (at_ms - beat.broker_ms) // interval)
        for device, beat in newest_of_devices(ledger, policy, at_ms).items()
    }


def _newer(known: Event | None, event: Event) -> Event:
    return event if known is None or (event.broker_ms, event.position) >= (known.broker_ms, known.position) else known


def judge_heartbeats(ledger: Ledger, policy: Policy, monitor: Document, at_ms: int) -> dict[Scope, Judgement]:
    """Devices and gateways (or the whole fleet) at one multiple of the interval."""
    found, first = gaps(ledger, policy, at_ms), first_event_ms(ledger, policy)
    if not found or first is None:
        return {}
    missed: dict[Scope, int] = {}
    gateways: dict[str, int] = defaultdict(lambda: 2**62)
    for gateway, gap in found.values():
        gateways[gateway] = min(gateways[gateway], gap)
    for by in monitor.get("by") or [""]:
        if by == "device":
            missed |= {frozenset({("device", device[1])}): gap for device, (_, gap) in found.items()}
        elif by == "gateway":
            missed |= {frozenset({("gateway", gateway)}): gap for gateway, gap in gateways.items()}
        else:
            missed[frozenset()] = max(gap for _, gap in found.values())
    facts = Facts(gateway_gaps=tuple(gateways.values()))
    start_ms = first // policy.base_pane_ms * policy.base_pane_ms
    judged = {}
    for scope, gap in missed.items():
        number = Measure(1, float(gap), None, None, "count")
        levels = level_verdicts(monitor["limits"], number, facts)
        judged[scope] = Judgement(scope, start_ms, at_ms, overall(levels), levels, number)
    return judged
