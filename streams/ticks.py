"""Tick records: what moves the time of a partition that is silent. Time is data, so it goes through the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from time import monotonic

from streams.metrics import Metrics
from streams.producer import BrokerProducer, Message, NotAcknowledged
from streams.worker_status import WorkerStatus

TICK_VALUE = b'{"schema":"pms.tick"}'
INGEST_TIME_HEADER = "pms-ingest-time"
SILENCE_S = 10.0


def tick(topic: str, partition: int, ingest_time: str | None = None) -> Message:
    """A control record, outside the ledger; `ingest_time` (RFC 3339) is its time where the header is the time source."""
    headers = ((INGEST_TIME_HEADER, ingest_time.encode()),) if ingest_time else ()
    return Message(topic, None, TICK_VALUE, partition, headers)


def silent_partitions(status: WorkerStatus, now_s: float, silence_s: float = SILENCE_S) -> Collection[int]:
    """Partitions we fold, whose last record is older than the silence. None while the worker itself is what is slow."""
    if not status.ready:
        return ()
    return [p for p in sorted(status.moving) if now_s - status.last_record_s.get(p, now_s) >= silence_s]


def tick_service(
    bootstrap_producer: BrokerProducer, topic: str, status: WorkerStatus, metrics: Metrics, *, silence_s: float = SILENCE_S
) -> Callable[[asyncio.Event], Awaitable[None]]:
    """A service for `run_worker(beside=...)`; not to be run where ticks come from the publisher alone (header time)."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            silent = silent_partitions(status, monotonic(), silence_s)
            try:
                await bootstrap_producer.send_all([tick(topic, partition) for partition in silent])
            except NotAcknowledged:
                silent = ()
            now = monotonic()
            for partition in silent:
                status.last_record_s[partition] = now  # until it comes back through the log
            metrics.ticks.inc(len(silent))
            try:
                await asyncio.wait_for(stop.wait(), min(1.0, silence_s / 4))
            except TimeoutError:
                continue
        await bootstrap_producer.stop()

    return run
