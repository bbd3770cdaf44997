"""Ticks go to partitions that are silent, and only while the worker itself is not what is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from prometheus_client import CollectorRegistry

from streams.metrics import Metrics
from streams.producer import BrokerProducer, Message, NotAcknowledged
from streams.ticks import INGEST_TIME_HEADER, TICK_VALUE, silent_partitions, tick, tick_service
from streams.worker_status import WorkerStatus


def status(waiting_for: str = "", **last: float) -> WorkerStatus:
    heard = {int(name[1:]): at for name, at in last.items()}
    return WorkerStatus(waiting_for=waiting_for, moving=frozenset(heard), last_record_s=heard)


def test_a_partition_is_silent_from_ten_seconds_after_its_last_record_on() -> None:
    heard = status(p0=100.0, p1=100.1, p2=90.0)
    assert silent_partitions(heard, 110.0) == [0, 2]
    assert silent_partitions(heard, 109.9) == [2]


def test_a_worker_that_waits_for_something_calls_no_partition_silent() -> None:
    assert list(silent_partitions(status("store", p0=0.0), 1000.0)) == []


def test_a_partition_that_does_not_move_gets_no_tick() -> None:
    stopped = status(p0=0.0, p1=0.0)
    stopped.moving = frozenset({1})
    assert silent_partitions(stopped, 1000.0) == [1]


def test_a_tick_is_for_one_partition_and_carries_a_time_only_where_the_header_is_the_time() -> None:
    assert tick("t", 3) == Message("t", None, TICK_VALUE, 3)
    assert tick("t", 3, "2026-05-06T00:00:00Z").headers == ((INGEST_TIME_HEADER, b"2026-05-06T00:00:00Z"),)


class MockProducer:
    """Keeps what is sent; the first `failures` calls are not acknowledged."""

    def __init__(self, stop: asyncio.Event, failures: int = 0) -> None:
        self.sent: list[int | None] = []
        self.calls = 0
        self.stopped = False
        self._stop, self._failures = stop, failures

    async def send_all(self, messages: Sequence[Message]) -> None:
        self.calls += 1
        if self.calls <= self._failures:
            raise NotAcknowledged("no broker")
        self.sent += [message.partition for message in messages]
        if self.calls > self._failures + 2:
            self._stop.set()

    async def stop(self) -> None:
        self.stopped = True


def run_service(heard: WorkerStatus, failures: int = 0) -> tuple[MockProducer, Metrics]:
    """Until the third round that is acknowledged."""

    async def run() -> tuple[MockProducer, Metrics]:
        stop, metrics = asyncio.Event(), Metrics(CollectorRegistry())
        producer = MockProducer(stop, failures)
        service = tick_service(cast(BrokerProducer, producer), "t", heard, metrics, silence_s=0.02)
        await asyncio.wait_for(service(stop), 10.0)
        return producer, metrics

    return asyncio.run(run())


def test_the_service_sends_ticks_again_and_again_while_nothing_comes_and_counts_them() -> None:
    producer, metrics = run_service(status(p0=0.0, p7=0.0))
    assert producer.sent[:2] == [0, 7]
    assert metrics.registry.get_sample_value("pms_ticks_sent_total") == len(producer.sent)
    assert producer.stopped


def test_a_tick_that_was_not_acknowledged_is_sent_in_the_next_round() -> None:
    producer, metrics = run_service(status(p0=0.0), failures=1)
    assert producer.sent[0] == 0
    assert metrics.registry.get_sample_value("pms_ticks_sent_total") == len(producer.sent)
