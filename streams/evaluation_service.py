"""Evaluation as a service: reads what workers wrote, judges, records, and hands on what was decided.

    idle ──progress moved──▶ judged ──evidence, incidents, triggers, status stored──▶ idle, lines handed on
                               │ ▲
                               └─┘ StoreUnavailable: the same judgement is stored first, nothing else is judged meanwhile

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
from surveillance.evaluation.global_clock import LogShape, moment_of
from surveillance.evaluation.status import LINE, SUMMARY
from surveillance.incidents.evaluator import Decision, Evaluator, Judged
from surveillance.incidents.judged_state import judged_row, read_judged
from surveillance.incidents.lines import Line, line_text, summary_line
from surveillance.incidents.record import record_decision, record_evidence, repair_triggers, stored_incidents
from surveillance.incidents.system import SystemIncidents, conditions_of
from surveillance.ingest.ledger import Ledger
from surveillance.panes.statistics import LEDGER
from surveillance.registry import Registry
from surveillance.store.protocol import Progress, StatusRow, Store

logger = get_logger(__name__)
Owned = Callable[[], Collection[str] | None]
"""Digests of the manifests that this process judges; None = all."""


class EvaluationService:
    """Judges one log for as long as the process lives. `step` is always called from one thread."""

    def __init__(self, store: Store, registry: Registry, log_id: str, log: LogShape, owned: Owned = lambda: None) -> None:
        self._store, self._registry, self._log_id, self._log, self._owned = store, registry, log_id, log, owned
        self._tenure: _Tenure | None = None

    def step(self) -> list[Line]:
        """Judge what is new. Returns the incident and trigger lines that were decided, once they are stored.

        Raises StoreUnavailable: it may be called again, nothing is lost.
        """
        owned = self._owned()
        digests = None if owned is None else frozenset(owned)
        if self._tenure is None or self._tenure.digests != digests:
            # What others judged meanwhile is in the store; memory of it is built anew.
            self._tenure = _Tenure(self._store, self._registry, self._log_id, self._log, digests)
        return self._tenure.step()


@dataclass(slots=True)
class _Judgement:
    """What one moment brought, as far as it is not stored yet."""

    evidence: Sequence[Evidence]
    decisions: list[Decision]
    rows: Sequence[StatusRow]


class _Tenure:
    """Judging the same set of manifests without interruption."""

    def __init__(self, store: Store, registry: Registry, log_id: str, log: LogShape, digests: frozenset[str] | None) -> None:
        self._store, self._registry, self._log_id, self._log, self.digests = store, registry, log_id, log, digests
        judged = read_judged(store, log_id)
        repair_triggers(store, log_id)
        incidents = stored_incidents(store, log_id)
        self._evaluator = Evaluator(registry, [one for one in incidents if one.manifest_digest], judged=judged)
        self._system = SystemIncidents([one for one in incidents if not one.manifest_digest])
        self._reached_ms = max((one.watermark_ms for one in judged.values()), default=NOT_SENT_MS)
        self._progress: Mapping[int, Progress] = {}
        self._registered = 0
        self._waiting: _Judgement | None = None
        self._decided: list[Line] = []
        self._status: dict[str, str] = {}

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
        if moment is None:
            return
        self._reached_ms = moment.watermark_ms
        found = self._evaluator.judge(moment, self.digests)
        system = self._system.step(conditions_of(progress, self._log), moment.partition_ms)
        rows = self._rows(moment.watermark_ms, moment.partition_ms)
        self._waiting = _Judgement(found.evidence, [*found.decisions, *system], rows)

    def _rows(self, watermark_ms: int, partition_ms: int) -> list[StatusRow]:
        """Status lines that changed, the summary, and how far each manifest is judged now."""
        revision = sum(one.offset + 1 for one in self._progress.values())
        lines = [(LINE + key, line) for key, line in self._evaluator.take_changed_status()]
        if self.digests is None or self.digests or not len(self._registry):
            # One that owns nothing must not tell how far judging has come.
            ledger = Ledger.of_totals(self._evaluator.mirror.totals(LEDGER))
            lines.append((SUMMARY, summary_line(ledger, len(self._evaluator.mirror), watermark_ms)))
        rows = [StatusRow(key, revision, line_text(line)) for key, line in lines]
        changed = [row for row in rows if self._status.get(row.key) != row.body]
        self._status |= {row.key: row.body for row in changed}
        judged = Judged(watermark_ms, partition_ms, {one.partition: one.offset for one in self._progress.values()})
        mine = [one.digest for one in self._registry.all() if self.digests is None or one.digest in self.digests]
        return [*changed, *(judged_row(digest, judged, revision) for digest in mine)]

    # storing ------------------------------------------------------------------------------------------------
    def _record(self) -> None:
        """Store what waits, in this order: evidence, incidents with their triggers, status."""
        waiting = self._waiting
        if waiting is None:
            return
        self._record_evidence(waiting.evidence)
        waiting.evidence = ()
        while waiting.decisions:
            decision = waiting.decisions[0]
            if record_decision(self._store, self._log_id, decision):
                self._decided += [decision.line, *decision.triggers]
            else:
                self._adopt(decision)
            waiting.decisions.pop(0)
        self._store.write_status(self._log_id, waiting.rows)
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

    def _adopt(self, decision: Decision) -> None:
        """Another evaluator wrote this line first: its incident is ours, too."""
        logger.info("incident %s was written by another evaluator first", decision.incident.incident_id)
        for incident in stored_incidents(self._store, self._log_id, decision.incident.incident_id):
            if incident.manifest_digest:
                self._evaluator.adopt(incident)
            else:
                self._system.adopt(incident)
