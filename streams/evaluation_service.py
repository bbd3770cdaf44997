"""Evaluation as a service: reads what workers wrote, judges, records, and hands on what was decided.

    idle ──progress moved──▶ judged ──evidence, decisions as a whole, incidents, triggers, status stored──▶ idle, lines handed on
                               │ ▲
                               └─┘ StoreUnavailable: the same judgement is stored first, nothing else is judged meanwhile

From the moment at which the decisions are stored as a whole they stand: whoever judges next writes out what a crash left of
them. Before it none of them was made.

The progress of all partitions is read first and the panes after it, so every row up to that progress is seen whole; rows
beyond it may be seen early, and are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from mode import get_logger

from surveillance.arrays import NOT_SENT_MS
from surveillance.errors import EvidenceConflict
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.global_clock import LogShape, largest_ms, moment_of
from surveillance.evaluation.judging import Moment
from surveillance.evaluation.status import LINE, SUMMARY
from surveillance.incidents.evaluator import Decision, Evaluator, Judged
from surveillance.incidents.incident import Incident
from surveillance.incidents.judged_state import judged_row, read_decided, read_judged
from surveillance.incidents.lines import Line, line_text, summary_line
from surveillance.incidents.record import newest_decisions, record_decision, record_evidence, repair_triggers
from surveillance.incidents.system import SystemIncidents, conditions_of
from surveillance.ingest.ledger import Ledger
from surveillance.panes.statistics import LEDGER
from surveillance.registry import Registry
from surveillance.store.protocol import Progress, StatusRow, Store

logger = get_logger(__name__)
Owned = Callable[[], Collection[str] | None]
"""Digests of the manifests that this process judges; None = all."""


class EvaluationService:
    """Judges one log for as long as the process lives. `step` is always called from one thread.

    `undelivered` is called when lines may be stored that whoever stored them did not deliver.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        log_id: str,
        log: LogShape,
        owned: Owned = lambda: None,
        *,
        undelivered: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._registry, self._log_id, self._log, self._owned = store, registry, log_id, log, owned
        self._undelivered = undelivered
        self._tenure: _Tenure | None = None

    def step(self) -> list[Line]:
        """Judge what is new. Returns the incident and trigger lines that were decided, once they are stored.

        Raises StoreUnavailable: it may be called again, nothing is lost.
        """
        owned = self._owned()
        digests = None if owned is None else frozenset(owned)
        if self._tenure is None or self._tenure.digests != digests:
            # What others judged meanwhile is in the store; memory of it is built anew.
            self._tenure = _Tenure(self._store, self._registry, self._log_id, self._log, digests, self._undelivered)
            self._undelivered()
        return self._tenure.step()


@dataclass(slots=True)
class _Judgement:
    """What one moment brought, as far as it is not stored yet. `judged` = the rows that keep all its decisions."""

    evidence: Sequence[Evidence]
    judged: Sequence[StatusRow]
    decisions: list[Decision]
    status: Sequence[StatusRow]


class _Tenure:
    """Judging the same set of manifests without interruption."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        log_id: str,
        log: LogShape,
        digests: frozenset[str] | None,
        undelivered: Callable[[], None],
    ) -> None:
        self._store, self._registry, self._log_id, self._log, self.digests = store, registry, log_id, log, digests
        self._undelivered = undelivered
        judged = read_judged(store, log_id)
        self._finish(read_decided(store, log_id))
        repair_triggers(store, log_id)
        incidents = [one.incident for one in newest_decisions(store, log_id)]
        self._evaluator = Evaluator(registry, [one for one in incidents if one.manifest_digest], judged=judged)
        self._system = SystemIncidents([one for one in incidents if not one.manifest_digest])
        self._reached_ms = max((one.watermark_ms for one in judged.values()), default=NOT_SENT_MS)
        self._progress: Mapping[int, Progress] = {}
        self._registered = 0
        self._waiting: _Judgement | None = None
        self._decided: list[Line] = []
        self._status: dict[str, str] = {}

    def _finish(self, decided: Sequence[Decision]) -> None:
        """Write out what was decided last; where another evaluator wrote a line otherwise, the incident goes on from there."""
        otherwise = set()
        for decision in decided:
            incident_id = decision.incident.incident_id
            if incident_id not in otherwise and not record_decision(self._store, self._log_id, decision):
                otherwise.add(incident_id)

    def step(self) -> list[Line]:
        self._record()
        self._judge()
        self._record()
        decided, self._decided = self._decided, []
        return decided

    def _judge(self) -> None:
        progress, registered = self._store.read_progress(self._log_id), len(self._registry)
        if progress == self._progress and registered == self._registered:
            return
        self._evaluator.take(
            self._store.read_panes(self._log_id, above={one.partition: one.offset for one in self._progress.values()})
        )
        self._progress, self._registered = progress, registered
        moment = moment_of(progress, self._log, self._reached_ms)
        waiting = _Judgement((), (), self._system.step(conditions_of(progress, self._log), largest_ms(progress)), ())
        if moment is not None:
            self._reached_ms = moment.watermark_ms
            found = self._evaluator.judge(moment, self.digests)
            waiting.evidence, waiting.decisions = found.evidence, [*found.decisions, *waiting.decisions]
            waiting.judged = self._judged_rows(moment, found.decisions)
        waiting.status = self._status_rows()
        self._waiting = waiting

    def _judged_rows(self, moment: Moment, decisions: Sequence[Decision]) -> list[StatusRow]:
        """How far each manifest is judged now, with what was decided."""
        offsets = {one.partition: one.offset for one in self._progress.values()}
        judged = Judged(moment.watermark_ms, moment.partition_ms, moment.complete_ms, offsets)
        mine = [one.digest for one in self._registry.all() if self.digests is None or one.digest in self.digests]
        return [
            judged_row(digest, judged, [one for one in decisions if one.incident.manifest_digest == digest], self._revision)
            for digest in mine
        ]

    @property
    def _revision(self) -> int:
        """Grows with what was read."""
        return sum(one.offset + 1 for one in self._progress.values())

    def _status_rows(self) -> list[StatusRow]:
        """Status lines that changed, and the summary."""
        lines = [(LINE + key, line) for key, line in self._evaluator.take_changed_status()]
        if self.digests is None or self.digests or not len(self._registry):
            # One that owns nothing must not tell how far judging has come.
            ledger = Ledger.of_totals(self._evaluator.mirror.totals(LEDGER))
            lines.append((SUMMARY, summary_line(ledger, len(self._evaluator.mirror), self._reached_ms)))
        rows = [StatusRow(key, self._revision, line_text(line)) for key, line in lines]
        changed = [row for row in rows if self._status.get(row.key) != row.body]
        self._status |= {row.key: row.body for row in changed}
        return changed

    # storing ------------------------------------------------------------------------------------------------
    def _record(self) -> None:
        """Store what waits, in this order: evidence, decisions as a whole, incidents with their triggers, status."""
        waiting = self._waiting
        if waiting is None:
            return
        self._record_evidence(waiting.evidence)
        waiting.evidence = ()
        self._store.write_status(self._log_id, waiting.judged)
        while waiting.decisions:
            decision = waiting.decisions[0]
            if record_decision(self._store, self._log_id, decision):
                self._decided += [decision.line, *decision.triggers]
                waiting.decisions.pop(0)
            else:
                waiting.decisions = self._decided_on_theirs(decision.incident, waiting.decisions)
        self._store.write_status(self._log_id, waiting.status)
        self._waiting = None

    def _record_evidence(self, evidence: Sequence[Evidence]) -> None:
        try:
            record_evidence(self._store, self._log_id, evidence)
        except EvidenceConflict:
            for one in evidence:
                try:
                    record_evidence(self._store, self._log_id, [one])
                except EvidenceConflict as conflict:
                    # Two evaluators saw the partitions in different order, or run different code: what stood first stays.
                    logger.error("%s", conflict)

    def _decided_on_theirs(self, ours: Incident, decisions: Sequence[Decision]) -> list[Decision]:
        """Another evaluator wrote this line first: its incident is ours, too. What we decided on our own of it is void."""
        logger.info("incident %s was written by another evaluator first", ours.incident_id)
        stored = [one for one in newest_decisions(self._store, self._log_id) if one.incident.case == ours.case]
        repair_triggers(self._store, self._log_id)
        self._undelivered()
        theirs = max(stored, key=lambda one: one.incident.ordinal)
        others = [one for one in decisions if one.incident.case != ours.case]
        if theirs.incident.manifest_digest:
            return [*self._evaluator.reconsider(theirs), *others]
        self._system.adopt(theirs.incident)
        return others
