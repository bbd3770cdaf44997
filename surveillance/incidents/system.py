"""Incidents of the service itself: a partition that stopped, lost records or fell behind. Monitor ids begin with `system.`.

They follow from the progress of the partitions alone, belong to no manifest, and ask for no action on a device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.global_clock import LogShape, left_out
from surveillance.incidents.evaluator import Decision
from surveillance.incidents.incident import Incident
from surveillance.incidents.lines import Line
from surveillance.store.protocol import Progress
from surveillance.times import HOUR_MS, MINUTE_MS, to_text

LEDGER_GAP, QUARANTINE_LIMIT, PARTITION_STALLED = "system.ledger_gap", "system.quarantine_limit", "system.partition_stalled"
STOP_REASONS: Mapping[str, str] = {"ledger_gap": LEDGER_GAP, "quarantine_limit": QUARANTINE_LIMIT}
"""First word of `Progress.stopped`, and the monitor it opens beside the stalled partition."""

_OWNER = "engineering_oncall"
_LEVEL = "investigate"
_ACK_WITHIN_MS, _DECIDE_WITHIN_MS = 30 * MINUTE_MS, 4 * HOUR_MS
_CASE = ("", "")
"""Tenant and manifest digest of what belongs to neither."""

Conditions = Mapping[tuple[str, Scope], str]
"""(monitor id, scope) -> what is the matter."""


def conditions_of(progress: Mapping[int, Progress], log: LogShape) -> Conditions:
    """What is the matter with the partitions now: one that is stopped is reported in header time, too."""
    found: dict[tuple[str, Scope], str] = {}
    stopped_ones = {partition: one.stopped for partition, one in progress.items() if one.stopped}
    for partition, why in (stopped_ones | left_out(progress, log)).items():
        scope: Scope = (("partition", str(partition)),)
        found[PARTITION_STALLED, scope] = why
        stopped = progress[partition].stopped if partition in progress else ""
        reason = STOP_REASONS.get(stopped.partition(":")[0])
        if reason is not None:
            found[reason, scope] = stopped
    return found


class SystemIncidents:
    """The newest system incident of each monitor and partition."""

    def __init__(self, incidents: Iterable[Incident]) -> None:
        self._newest: dict[tuple[str, Scope], Incident] = {}
        for incident in sorted(incidents, key=lambda one: one.ordinal):
            self.adopt(incident)

    def adopt(self, incident: Incident) -> None:
        """Take an incident as it is stored."""
        self._newest[incident.monitor_id, incident.scope] = incident

    def step(self, conditions: Conditions, now_ms: int) -> list[Decision]:
        """Open what is the matter and not open, resolve what is open and over. `now_ms` = largest partition time."""
        opened = [self._opened(case, why, now_ms) for case, why in sorted(conditions.items()) if not self._is_open(case)]
        over = [case for case in sorted(self._newest) if self._is_open(case) and case not in conditions]
        return opened + [self._resolved(case, now_ms) for case in over]

    def _is_open(self, case: tuple[str, Scope]) -> bool:
        return case in self._newest and self._newest[case].resolved_at_ms is None

    def _opened(self, case: tuple[str, Scope], why: str, now_ms: int) -> Decision:
        earlier = self._newest.get(case)
        incident = Incident(
            *_CASE,
            monitor_id=case[0],
            scope=case[1],
            ordinal=0 if earlier is None else earlier.ordinal + 1,
            level=_LEVEL,
            opened_at_ms=now_ms,
            breached_since_ms=now_ms,
            changed_at_ms=now_ms,
            ack_by_ms=now_ms + _ACK_WITHIN_MS,
            decide_by_ms=now_ms + _DECIDE_WITHIN_MS,
        )
        return self._decided(incident, why)

    def _resolved(self, case: tuple[str, Scope], now_ms: int) -> Decision:
        known = self._newest[case]
        incident = replace(known, resolved_at_ms=now_ms, changed_at_ms=now_ms, lines=known.lines + 1)
        return self._decided(incident, "the partition moves again")

    def _decided(self, incident: Incident, why: str) -> Decision:
        self._newest[incident.monitor_id, incident.scope] = incident
        return Decision(incident, _line(incident, why), ())


def _line(incident: Incident, why: str) -> Line:
    window = {"start": to_text(incident.breached_since_ms), "end": to_text(incident.changed_at_ms)}
    where = ", ".join(f"{axis} {value}" for axis, value in incident.scope)
    return {
        "kind": "incident",
        "incident_id": incident.incident_id,
        "monitor_id": incident.monitor_id,
        "level": incident.level,
        "state": incident.state,
        "scope": dict(incident.scope),
        "opened_at": to_text(incident.opened_at_ms),
        "changed_at": to_text(incident.changed_at_ms),
        "resolved_at": None if incident.resolved_at_ms is None else to_text(incident.resolved_at_ms),
        "breached_since": to_text(incident.breached_since_ms),
        "window": window,
        "estimate": {},
        "limit": {},
        "owner": _OWNER,
        "ack_by": to_text(incident.ack_by_ms),
        "decide_by": to_text(incident.decide_by_ms),
        "summary": f"{incident.monitor_id}, {where}: {why}.",
    }
