"""The product: Faust's bulk consumer, decoding, folding, chDB, in one process; until every record's progress is stored."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Collection, Mapping, Sequence
from secrets import token_hex
from time import perf_counter, process_time
from typing import Any

from benchmarks.filled_topic import now_ms
from benchmarks.fleet import PARTITIONS, fleet_plan
from streams.faust_app import WorkerSettings
from streams.header_key import header_key
from streams.outlet import Outlet
from streams.producer import BlockingProducer
from streams.sink import PartitionSink, Record
from streams.telemetry_sink import TelemetrySink
from streams.topics import TopicNames, check_log
from streams.worker import serve_worker
from surveillance.cli.main import collect_rarely
from surveillance.ingest.ledger import Ledger
from surveillance.ingest.owned import LogPartition
from surveillance.panes.statistics import LEDGER
from surveillance.registry import ALWAYS_MS, Registration, Registry
from surveillance.store.opening import open_store
from surveillance.store.protocol import Store


def contend(bootstrap: str, prefix: str, records: int) -> dict[str, Any]:
    """Seconds from the first list of records to the last stored progress, those of each stage, and the ledger."""
    collect_rarely()  # as `pms` does
    with tempfile.TemporaryDirectory(prefix="pms-benchmark-") as folder:
        store = open_store(f"chdb://{folder}")
        sender = BlockingProducer(bootstrap)
        try:
            return asyncio.run(_ingest(bootstrap, prefix, records, store, sender))
        finally:
            sender.close()
            store.close()


async def _ingest(bootstrap: str, prefix: str, records: int, store: Store, sender: BlockingProducer) -> dict[str, Any]:
    names = TopicNames.under(prefix)
    log = await asyncio.to_thread(check_log, bootstrap, names.telemetry)
    key = header_key(store, now_ms())
    sink = TelemetrySink(
        LogPartition(log.log_id, log.topic, 0, PARTITIONS),
        store,
        Registry([Registration(fleet_plan(), ALWAYS_MS)]),
        Outlet(sender, log.topic, names.quarantine, PARTITIONS, key),
        time_source="append",
        header_key=key,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    timed = TimedSink(sink, records, lambda: loop.call_soon_threadsafe(stop.set))
    settings = WorkerSettings(bootstrap, log.topic, log.log_id, group=f"benchmark-{token_hex(4)}")
    code = await serve_worker(settings, timed, stop)
    assert code == 0, "the worker crashed"
    counts = _ledger(store, log.log_id)
    return timed.figures | {"counted": counts.counted, "events": counts.events}


def _ledger(store: Store, log_id: str) -> Ledger:
    totals: dict[str, int] = {}
    for row in store.read_panes(log_id):
        if row.key.statistic.startswith(LEDGER):
            totals[row.key.group] = totals.get(row.key.group, 0) + int(row.counts.sum())
    return Ledger.of_totals(totals)


class TimedSink:
    """A `PartitionSink` that measures another, and tells when the progress of `records` records is stored."""

    def __init__(self, sink: PartitionSink, records: int, done: Any) -> None:
        self._sink, self._records, self._done = sink, records, done
        self._started_s = self._cpu_s = 0.0
        self._fold_s = self._flush_s = 0.0
        self.figures: dict[str, Any] = {}

    def assign(self, partitions: Collection[int]) -> Mapping[int, int]:
        return self._sink.assign(partitions)

    def fold(self, partition: int, records: Sequence[Record]) -> None:
        began_s = perf_counter()
        if not self._started_s:
            self._started_s, self._cpu_s = began_s, process_time()
        self._sink.fold(partition, records)
        self._fold_s += perf_counter() - began_s

    def flush_due(self) -> bool:
        return self._sink.flush_due()

    def flush(self, deadline_s: float | None) -> Mapping[int, int]:
        began_s = perf_counter()
        stored = self._sink.flush(deadline_s)
        ended_s = perf_counter()
        self._flush_s += ended_s - began_s
        if not self.figures and sum(stored.values()) >= self._records:
            self.figures = {
                "seconds": ended_s - self._started_s,
                "cpu_seconds": process_time() - self._cpu_s,
                "fold_seconds": self._fold_s,
                "flush_seconds": self._flush_s,
            }
            self._done()
        return stored

    def gap(self, partition: int, wanted: int, log_start: int, log_end: int) -> None:
        self._sink.gap(partition, wanted, log_start, log_end)

    def revoke(self, partitions: Collection[int]) -> None:
        self._sink.revoke(partitions)
