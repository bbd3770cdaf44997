"""The evaluator: pane rows in, evidence, incident lines and triggers out. The same code in every mode.

`take` brings rows up to date, `judge` runs at a moment of the watermark clock. No wall clock, no store, no broker here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from surveillance.evaluation.evidence import Evidence, Scope
from surveillance.evaluation.judging import Moment, Subject
from surveillance.evaluation.mirror import PaneMirror
from surveillance.evaluation.monitors import MonitorJudge, judge_of
from surveillance.incidents.history import History
from surveillance.incidents.incident import Incident
from surveillance.incidents.lines import Line, incident_line, scope_key, status_line, trigger_line
from surveillance.incidents.step import step
from surveillance.panes.rows import PaneRow
from surveillance.registry import Registration, Registry

CaseKey = tuple[str, str, str, Scope]
"""Tenant, manifest digest, monitor, scope."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An incident's new state with its line, and the triggers it asks for."""

    incident: Incident
    line: Line
    triggers: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one moment brought: everything that was judged, and what was decided on it, in order."""

    evidence: tuple[Evidence, ...]
    decisions: tuple[Decision, ...]


class Evaluator:
    """State of evaluation over every registered manifest; rebuilt from rows and stored incidents after a restart."""

    def __init__(
        self, registry: Registry, incidents: Iterable[Incident] = (), *, judged_to: dict[tuple[str, str], int] | None = None
    ) -> None:
        self.registry, self.mirror = registry, PaneMirror()
        self._judges: dict[tuple[str, str], list[MonitorJudge]] = {}
        self._history: dict[CaseKey, History] = {}
        self._incidents: dict[CaseKey, Incident] = {}
        self._decided_to = judged_to if judged_to is not None else {}
        for incident in incidents:
            self._incidents[incident.tenant, incident.manifest_digest, incident.monitor_id, incident.scope] = incident

    def take(self, rows: Sequence[PaneRow]) -> None:
        """Bring pane rows up to date."""
        self.mirror.apply(rows)

    def judge(self, moment: Moment) -> Judgement:
        """Judge every monitor that is due at this moment."""
        evidence: list[Evidence] = []
        decisions: list[Decision] = []
        for registration in self.registry.all():
            for tenant in self.mirror.tenants(registration.digest):
                for judge in self._judges_of(tenant, registration):
                    for one in judge.judge(moment):
                        evidence.append(one)
                        decided = self._decide(one, registration, judge, moment)
                        decisions += [decided] if decided is not None else []
        return Judgement(tuple(evidence), tuple(decisions))

    def _judges_of(self, tenant: str, registration: Registration) -> list[MonitorJudge]:
        key = (tenant, registration.digest)
        if key not in self._judges:
            subject = Subject(tenant, registration, self.registry, self.mirror)
            self._judges[key] = [judge_of(subject, monitor) for monitor in registration.plan.manifest.surveillance.monitors]
        return self._judges[key]

    def _decide(self, evidence: Evidence, registration: Registration, judge: MonitorJudge, moment: Moment) -> Decision | None:
        key = (evidence.tenant, evidence.manifest_digest, evidence.monitor_id, evidence.scope)
        history = self._history.setdefault(key, History())
        history.put(evidence)
        if evidence.end_ms <= self._decided_to.get((evidence.manifest_digest, evidence.monitor_id), evidence.end_ms - 1):
            return None  # decided before a restart: only the memory is rebuilt
        manifest = registration.plan.manifest
        # Heartbeats run on partition time, everything else on the watermark.
        now_ms = evidence.end_ms if judge.monitor.metric.type == "heartbeat_gap" else moment.watermark_ms
        change = step(self._incidents.get(key), history, evidence, manifest, judge.monitor, now_ms)
        if change is None:
            return None
        self._incidents[key] = change.incident
        line = incident_line(change.incident, evidence, manifest, judge.monitor)
        triggers = tuple(trigger_line(change.incident, level, action, manifest) for level, action in change.actions)
        return Decision(change.incident, line, triggers)

    def incidents(self) -> list[Incident]:
        """Newest incident of each monitor and scope, by when it opened."""
        return sorted(self._incidents.values(), key=lambda one: (one.opened_at_ms, one.incident_id))

    def status(self) -> list[Line]:
        """The last state of each manifest, monitor and scope, in order of manifest, monitor and scope."""
        order = {
            (registration.digest, monitor.id): (number, at)
            for number, registration in enumerate(self.registry.all())
            for at, monitor in enumerate(registration.plan.manifest.surveillance.monitors)
        }
        found = []
        for (tenant, digest, monitor_id, scope), history in self._history.items():
            if history.newest is not None:
                line = status_line(history.newest, history.last_conclusive)
                found.append(((*order[digest, monitor_id], tenant, scope_key(scope)), line))
        return [line for _, line in sorted(found, key=lambda pair: pair[0])]
