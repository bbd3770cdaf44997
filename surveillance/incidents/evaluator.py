"""The evaluator: pane rows in, evidence, incident lines and triggers out. The same code in every mode.

`take` brings rows up to date, `judge` runs at a moment of the watermark clock. No wall clock, no store, no broker here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

from surveillance.evaluation.earlier_looks import EarlierLooks
from surveillance.evaluation.evidence import CaseKey, Evidence, Scope
from surveillance.evaluation.judging import Moment, Subject
from surveillance.evaluation.mirror import PaneMirror, is_within
from surveillance.evaluation.monitors import MonitorJudge, Standing, TakesLooks, judge_of
from surveillance.evaluation.verdict import Verdict
from surveillance.incidents.cause import attribution_body
from surveillance.incidents.history import History
from surveillance.incidents.incident import Incident
from surveillance.incidents.lines import Line, incident_line, scope_key, status_line, trigger_line
from surveillance.incidents.step import step
from surveillance.manifest.metric_kind import Labelled
from surveillance.panes.rows import PaneRow
from surveillance.registry import Registration, Registry
from surveillance.times import from_text


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


@dataclass(frozen=True, slots=True)
class Judged:
    """How far a manifest was judged and decided: the clocks of that moment, and for each partition the offset up to which
    every row had been read."""

    watermark_ms: int
    partition_ms: int
    complete_ms: int
    offsets: Mapping[int, int] = field(default_factory=dict)

    def clock_ms(self, on_partition_time: bool) -> int:
        """The clock that closes a monitor's windows."""
        return self.partition_ms if on_partition_time else self.watermark_ms

    @property
    def moment(self) -> Moment:
        """When it was judged."""
        return Moment(self.watermark_ms, self.partition_ms, self.complete_ms)

    def covers(self, evidence: Evidence, judge: MonitorJudge) -> bool:
        """Whether this very evaluation was decided then: its window had closed, as complete and as mature as it is now, and no
        row of it is newer, or it is a look that is not taken again."""
        on_partition_time = judge.monitor.metric.runs_on_partition_time
        if evidence.end_ms > self.clock_ms(on_partition_time):
            return False
        if not on_partition_time and self._was_less(evidence):
            return False
        if isinstance(judge, TakesLooks) and judge.stands(evidence.end_ms, self.moment, self.offsets):
            return True
        return is_within(evidence.revision, self.offsets)

    def _was_less(self, evidence: Evidence) -> bool:
        """Whether a partition was still missing then, or labels were too young, without which the same rows say more now."""
        was_partial = self.complete_ms < evidence.end_ms and not evidence.partial
        was_immature = evidence.mature_from_ms is not None and self.watermark_ms < evidence.mature_from_ms
        return was_partial or was_immature


class Evaluator:
    """State of evaluation over every registered manifest; rebuilt from rows and stored incidents after a restart.

    `judged` says by digest what was decided before the restart: that is remembered, and not decided again.
    """

    def __init__(
        self, registry: Registry, incidents: Iterable[Incident] = (), *, judged: Mapping[str, Judged] | None = None
    ) -> None:
        self.registry, self.mirror = registry, PaneMirror()
        self._judges: dict[tuple[str, str], list[MonitorJudge]] = {}
        self._history: dict[CaseKey, History] = {}
        self._incidents: dict[CaseKey, Incident] = {}
        self._judged = judged or {}
        self._changed: set[CaseKey] = set()
        self._looks: dict[tuple[str, str, int], EarlierLooks] = {}
        self._moment: Moment | None = None
        for incident in sorted(incidents, key=lambda one: one.ordinal):
            self.adopt(incident)

    def adopt(self, incident: Incident) -> None:
        """Take an incident as it is stored for the state of its monitor and scope."""
        self._incidents[incident.case] = incident

    def reconsider(self, theirs: Decision) -> list[Decision]:
        """Take an incident as another evaluator left it, and decide on it what was judged since the window it stands on.

        Each window is decided on what stood before it, as in `judge`.
        """
        incident = theirs.incident
        self.adopt(incident)
        tenant, digest, monitor_id, _ = incident.case
        registration, known = self.registry.get(digest), self._history.get(incident.case)
        if registration is None or known is None or self._moment is None:
            return []
        judge = next(one for one in self._judges[tenant, digest] if one.monitor.id == monitor_id)
        stands_on_ms, history, decided = from_text(theirs.line["window"]["end"]), History(), []
        for evidence in known.ascending():
            history.put(evidence)
            if evidence.end_ms >= stands_on_ms or evidence is known.newest:
                decided.append(self._decide(evidence, incident.case, history, registration, judge, self._moment))
        return [one for one in decided if one is not None]

    def take(self, rows: Sequence[PaneRow]) -> None:
        """Bring pane rows up to date."""
        self.mirror.apply(rows)

    def judge(self, moment: Moment, owned: Collection[str] | None = None) -> Judgement:
        """Judge every monitor that is due at this moment, of the manifests with these digests (None = all)."""
        self._moment = moment
        evidence: list[Evidence] = []
        decisions: list[Decision] = []
        for registration in self.registry.all():
            if owned is not None and registration.digest not in owned:
                continue
            for tenant in self.mirror.tenants(registration.digest):
                found, decided = self._judge_monitors(self._judges_of(tenant, registration), registration, moment)
                evidence += found
                decisions += decided
        # Heartbeats are judged at each multiple of their interval, everything else at one moment.
        decisions.sort(key=lambda one: one.incident.changed_at_ms)
        return Judgement(tuple(evidence), tuple(decisions))

    def _judge_monitors(
        self, judges: Sequence[MonitorJudge], registration: Registration, moment: Moment
    ) -> tuple[Iterator[Evidence], Iterator[Decision]]:
        """What the monitors of a manifest bring, in their order. Those on labels are judged first: drift tells what they say."""
        evidence: list[list[Evidence]] = [[] for _ in judges]
        decisions: list[list[Decision]] = [[] for _ in judges]
        for at in sorted(range(len(judges)), key=lambda at: not isinstance(judges[at].monitor.metric, Labelled)):
            for one, case, history in self._fresh(judges[at], moment):
                evidence[at].append(one)
                decided = self._decide(one, case, history, registration, judges[at], moment)
                if decided is not None:
                    decisions[at].append(decided)
        return chain.from_iterable(evidence), chain.from_iterable(decisions)

    def _judges_of(self, tenant: str, registration: Registration) -> list[MonitorJudge]:
        key = (tenant, registration.digest)
        if key not in self._judges:
            subject = Subject(tenant, registration, self.registry, self.mirror)
            self._judges[key] = [judge_of(subject, monitor) for monitor in registration.plan.manifest.surveillance.monitors]
        return self._judges[key]

    def _fresh(self, judge: MonitorJudge, moment: Moment) -> Iterator[tuple[Evidence, CaseKey, History]]:
        """Evaluations to be recorded and decided, with their case and its memory, which each is in when it comes.

        Revisions of windows that were judged before all enter the memory first, so that persistence sees each window at its
        newest revision; new windows enter one by one, in order of time. What was decided before a restart is only remembered.
        """
        found = list(judge.judge(moment))
        judged = self._judged.get(judge.subject.plan.digest)
        judged_ms = judged.clock_ms(judge.monitor.metric.runs_on_partition_time) if judged is not None else None
        placed = [(one, case := one.case, self._history_of(case)) for one in found]
        fresh = [not _judged_before(one, history, judged_ms) for one, _, history in placed]
        for (one, _, history), is_fresh in zip(placed, fresh, strict=True):
            if not is_fresh:
                history.put(one)
        for (one, case, history), is_fresh in zip(placed, fresh, strict=True):
            if is_fresh:
                history.put(one)
            if judged is None or not judged.covers(one, judge):
                yield one, case, history

    def _history_of(self, case: CaseKey) -> History:
        """The memory of a case, of which something is to be remembered."""
        self._changed.add(case)
        history = self._history.get(case)
        if history is None:
            history = self._history[case] = History()
        return history

    def _decide(
        self, evidence: Evidence, case: CaseKey, history: History, registration: Registration, judge: MonitorJudge, moment: Moment
    ) -> Decision | None:
        manifest = registration.plan.manifest
        now_ms = evidence.end_ms if judge.monitor.metric.runs_on_partition_time else moment.watermark_ms
        change = step(self._incidents.get(case), history, evidence, manifest, judge.monitor, now_ms)
        if change is None:
            return None
        self._incidents[case] = change.incident
        attribution = None if change.incident.resolved_at_ms is not None else self._attribution(change.incident, evidence, judge)
        line = incident_line(change.incident, evidence, manifest, judge.monitor, attribution)
        triggers = tuple(trigger_line(change.incident, level, action, manifest) for level, action in change.actions)
        return Decision(change.incident, line, triggers)

    def _attribution(self, incident: Incident, evidence: Evidence, judge: MonitorJudge) -> dict[str, Any] | None:
        performance = self._on_labels(*incident.case[:2])
        return attribution_body(judge.subject, judge.monitor, evidence, incident.breached_since_ms, performance)

    def _on_labels(self, tenant: str, digest: str) -> Iterator[History]:
        """What is remembered of each scope of the monitors on labels, looked up when it is asked for."""
        labelled = {one.monitor.id for one in self._judges[tenant, digest] if isinstance(one.monitor.metric, Labelled)}
        for case in sorted(case for case in self._history if case[2] in labelled and case[:2] == (tenant, digest)):
            yield self._history[case]

    def incidents(self) -> list[Incident]:
        """Newest incident of each monitor and scope, by when it opened."""
        return sorted(self._incidents.values(), key=lambda one: (one.opened_at_ms, one.incident_id))

    def status(self) -> list[Line]:
        """The last state of each manifest, monitor and scope, in order of manifest, monitor and scope."""
        self._remember_standing()
        return [line for _, line in sorted(map(self._status_of, self._history), key=itemgetter(0))]

    def take_changed_status(self) -> list[tuple[str, Line]]:
        """(key, line) of every status that may have changed since the last call; keys order the lines as `status` does."""
        self._remember_standing()
        changed, self._changed = self._changed, set()
        return [self._status_of(case) for case in sorted(changed)]

    def _remember_standing(self) -> None:
        """Bring scopes of which nothing was said lately to the newest end of their monitor. They meet what they met before."""
        for judge in chain.from_iterable(self._judges.values()):
            if isinstance(judge, Standing):
                for one in judge.standing():
                    self._history_of(one.case).put(one)

    def _status_of(self, case: CaseKey) -> tuple[str, Line]:
        tenant, digest, monitor_id, scope = case
        history, registration = self._history[case], self.registry.get(digest)
        assert history.newest is not None
        assert registration is not None
        at = [monitor.id for monitor in registration.plan.manifest.surveillance.monitors].index(monitor_id)
        last = history.last_conclusive
        if history.newest.verdict is Verdict.INCONCLUSIVE and self._judges[tenant, digest][at].is_cumulative:
            last = self._earlier_look(case, at, history.newest)
        key = (registration.manifest_id, f"{registration.revision:010d}", digest, f"{at:06d}", tenant, scope_key(scope))
        return "\n".join(key), status_line(history.newest, last)

    def _earlier_look(self, case: CaseKey, at: int, newest: Evidence) -> Evidence | None:
        """The last conclusive look at a cumulative series; one walk back serves every scope of the monitor."""
        tenant, digest, monitor_id, scope = case
        judge = self._judges[tenant, digest][at]
        looks = self._looks.get((tenant, digest, at))
        if looks is None:
            looks = self._looks[tenant, digest, at] = EarlierLooks(judge.subject, judge.monitor)

        def waiting() -> set[Scope]:
            cases = [one for one in self._history if one[:3] == (tenant, digest, monitor_id)]
            return {one[3] for one in cases if _is_inconclusive(self._history[one])}

        assert self._moment is not None
        return looks.last_conclusive(waiting, newest.end_ms, self._moment).get(scope)


def _judged_before(evidence: Evidence, history: History, judged_ms: int | None) -> bool:
    newest = history.newest
    if newest is not None and evidence.end_ms <= newest.end_ms:
        return True
    return judged_ms is not None and evidence.end_ms <= judged_ms


def _is_inconclusive(history: History) -> bool:
    return history.newest is not None and history.newest.verdict is Verdict.INCONCLUSIVE
