"""`pms replay`: files through the very ingest, evaluation and incident code of the service, one partition, one process.

Judges after each record that passes a judging moment, whatever batches the lines are read in. Same input, same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from streams.event_files import read_event_lines
from streams.file_lines import check_readable
from streams.left_out import LeftOut
from surveillance.arrays import Int
from surveillance.evaluation.judging import Moment
from surveillance.events.arrival import arrival_ms
from surveillance.events.decode import decode
from surveillance.events.limits import DecodeLimits
from surveillance.incidents.evaluator import Evaluator, Judgement
from surveillance.incidents.lines import Line, summary_line
from surveillance.incidents.record import record_decision, record_evidence
from surveillance.ingest.ledger import Ledger
from surveillance.ingest.owned import LogPartition, OwnedPartition
from surveillance.log_identity import known_logs, record_log, replay_log_id
from surveillance.manifest.parse import read_document
from surveillance.panes.statistics import LEDGER, LOWEST
from surveillance.registering import registration_of
from surveillance.registry import EVER_MS, Registration, Registry
from surveillance.store.opening import open_store
from surveillance.store.protocol import Store

CHUNK_LINES = 5_000
TOPIC = "replay"


@dataclass(frozen=True, slots=True)
class ReplayRecord:
    """An event or a line of events as a record of the in-process log; `timestamp` is its arrival."""

    offset: int
    timestamp: int
    value: bytes
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def run_replay(
    files: Sequence[str],
    manifests: Sequence[Path],
    *,
    store: str = "memory",
    until_ms: int | None = None,
    left_out: LeftOut | None = None,
) -> Iterator[Line]:
    """Incident and trigger lines as they come, then the last status of every monitor and scope, then the summary.

    `left_out` is told what is not counted, as it is read.

    Raises InvalidManifest, InvalidInput or StoreError.
    """
    registry = Registry(load_registration(path) for path in manifests)
    for path in files:
        check_readable(path)
    opened = open_store(store)
    try:
        lines = (line for path in files for line in read_event_lines(path))
        replay = Replay(registry, opened, _new_log(opened), is_kept=store != "memory", left_out=left_out)
        yield from replay.run(lines, until_ms)
    finally:
        opened.close()


def _new_log(store: Store) -> str:
    """A log of its own for each replay: in a store that holds another one, its records are no repetitions of that one's."""
    number = len(known_logs(store)) + 1
    log_id = replay_log_id(number)
    record_log(store, log_id, TOPIC, 1, now_ms=number)  # no clock: a later replay is a later log
    return log_id


def load_registration(path: Path) -> Registration:
    """A manifest from a file, in force from `effective_from`, else from the start.

    Raises:
        InvalidInput: the file cannot be read.
        InvalidManifest: it has problems.
    """
    return registration_of(read_document(path), str(path))


class Replay:
    """One replay of lines against registered manifests. Evidence is recorded where the store `is_kept` beyond the process."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        log_id: str = "replay",
        *,
        is_kept: bool = True,
        left_out: LeftOut | None = None,
    ) -> None:
        self.registry, self.store, self.log_id = registry, store, log_id
        self.owned = OwnedPartition(LogPartition(log_id, TOPIC, 0, 1), store, registry)
        self.evaluator = Evaluator(registry)
        self.evaluator.take(self.owned.fold.table.take_touched())
        self._is_kept = is_kept
        self._left_out = left_out or LeftOut()
        self._left_out.releases = sorted({one.release_id for one in registry.all()})
        self._forbidden = registry.forbidden(EVER_MS)
        self._last_ms: int | None = None

    def run(self, lines: Iterable[bytes], until_ms: int | None = None) -> Iterator[Line]:
        """Every line of the output."""
        yield from self._run(self._records(lines, until_ms), until_ms)

    def run_records(self, records: Iterable[ReplayRecord], until_ms: int | None = None) -> Iterator[Line]:
        """The same of records whose times are known."""
        yield from self._run(self._arrived(records, until_ms), until_ms)

    def _run(self, records: Iterator[ReplayRecord], until_ms: int | None) -> Iterator[Line]:
        while chunk := list(islice(records, CHUNK_LINES)):
            yield from self.fold(chunk)
        yield from self.finish(until_ms)

    def _records(self, lines: Iterable[bytes], until_ms: int | None) -> Iterator[ReplayRecord]:
        """Lines that arrived by `until_ms`; a line that says no time arrived with the one before it."""
        last_ms = 0
        for number, line in enumerate(lines):
            found = arrival_ms(line)
            last_ms = last_ms if found is None else found
            if until_ms is None or last_ms <= until_ms:
                if found is not None:
                    self._seen_until(found)
                yield ReplayRecord(number, last_ms, line)
            else:
                self._left_out.late(last_ms)

    def _arrived(self, records: Iterable[ReplayRecord], until_ms: int | None) -> Iterator[ReplayRecord]:
        for record in records:
            if until_ms is None or record.timestamp <= until_ms:
                self._seen_until(record.timestamp)
                yield record

    def _seen_until(self, arrived_ms: int) -> None:
        self._last_ms = arrived_ms if self._last_ms is None else max(self._last_ms, arrived_ms)

    def fold(self, records: Sequence[ReplayRecord]) -> Iterator[Line]:
        """Fold records, judging wherever a moment falls between them."""
        batch = decode(
            records, partition=0, limits=DecodeLimits(), forbidden=self._forbidden, time_source="append", header_key=None
        )
        before = (self.owned.fold.clock.watermark_ms, self.owned.fold.clock.partition_ms)
        prepared = self.owned.prepare(batch)
        watermark_ms, partition_ms = prepared.record_watermark_ms, prepared.record_partition_ms
        passes = self._passes(before, watermark_ms, partition_ms)
        slices = np.concatenate([[0], np.cumsum(passes)[:-1]]).astype(np.int64)
        last = np.append(np.flatnonzero(np.diff(slices)), len(slices) - 1)
        for number in self.owned.apply(prepared, slices):
            at = int(last[number])
            if passes[at]:
                yield from self._judge(Moment(int(watermark_ms[at]), int(partition_ms[at]), int(watermark_ms[at])))
        self.owned.flush(lambda refused, elsewhere: self._left_out.refused(refused))

    def _passes(self, before: tuple[int, int], watermark_ms: Int, partition_ms: Int) -> np.ndarray:
        """Which records pass a judging moment: a base pane's end on the watermark, or on partition time a heartbeat interval
        or, for lowest values, a base pane's end."""
        passes = np.zeros(len(watermark_ms), np.bool_)
        for registration in self.registry.all():
            width_ms = registration.plan.base_pane_ms
            interval_ms = registration.plan.manifest.surveillance.telemetry.heartbeat_interval_ms
            moments = [(before[0], watermark_ms, width_ms), (before[1], partition_ms, interval_ms)]
            if any(registration.plan.of_family(LOWEST)):
                moments.append((before[1], partition_ms, width_ms))
            for start, clock, step_ms in moments:
                passes |= np.diff(np.concatenate([[start], clock]) // step_ms) != 0
        return passes

    def _judge(self, moment: Moment) -> Iterator[Line]:
        self.evaluator.take(self.owned.fold.table.take_touched())
        judgement = self.evaluator.judge(moment)
        yield from self._recorded(judgement)

    def _recorded(self, judgement: Judgement) -> Iterator[Line]:
        if self._is_kept:
            record_evidence(self.store, self.log_id, judgement.evidence)
        for decision in judgement.decisions:
            record_decision(self.store, self.log_id, decision)
            yield decision.line
            yield from decision.triggers

    def finish(self, until_ms: int | None) -> Iterator[Line]:
        """The end of the input: the watermark moves to the largest arrival, or to `until_ms`, and everything is judged."""
        end_ms = until_ms if until_ms is not None else self._last_ms
        clock = self.owned.fold.clock
        if end_ms is not None:
            clock.watermark_ms = max(clock.watermark_ms, end_ms)
            clock.partition_ms = max(clock.partition_ms, end_ms)
            yield from self._judge(Moment(clock.watermark_ms, clock.partition_ms, clock.watermark_ms, final=True))
        else:
            # Lines that say no time pass no moment, and stand in the ledger all the same.
            self.evaluator.take(self.owned.fold.table.take_touched())
        yield from self.evaluator.status()
        yield self.summary()

    def summary(self) -> Line:
        """The summary line."""
        ledger = Ledger.of_totals(self.evaluator.mirror.totals(LEDGER))
        return summary_line(ledger, len(self.evaluator.mirror), self.owned.fold.clock.watermark_ms)
