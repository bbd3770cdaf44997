"""What the engine takes from inside Faust, mode and aiokafka is as it was when it was built on them.

A new version that changes one of these fails here, with its name. Then: read the new source, see whether
`streams/bulk_consumer.py` and `streams/consumer_thread.py` still mean what they say, and renew the line.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnknownMemberIdError,
)
from aiokafka.structs import ConsumerRecord, TopicPartition
from faust.app.base import App
from faust.tables.recovery import Recovery
from faust.transport.base import Fetcher
from faust.transport.consumer import ThreadDelegateConsumer, ensure_TP
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, ConsumerRebalanceListener, Transport
from faust.types import TP
from mode import Service
from mode.threads import MethodQueue, QueueServiceThread, ServiceThread
from prometheus_client import CollectorRegistry

from streams.bulk_consumer import BulkConsumer
from streams.consumer_thread import BulkConsumerThread
from streams.faust_app import WorkerSettings, build_app
from streams.metrics import Metrics
from streams.sink_lane import SinkLane
from streams.worker_status import WorkerStatus
from tests.project_tree import ROOT

# Each with the SHA-256 of its source text, shortened.
SOURCES: dict[str, tuple[Callable[..., Any], str]] = {
    "Consumer._drain_messages": (Consumer._drain_messages, "44a2500309e8"),
    "Consumer._wait_next_records": (Consumer._wait_next_records, "6218e1969a63"),
    "Consumer._getmany": (Consumer._getmany, "f9d47aa9010b"),
    "Consumer.perform_seek": (Consumer.perform_seek, "0e8c130ff4b0"),
    "Consumer.on_partitions_revoked": (Consumer.on_partitions_revoked, "d04b7ae72c6f"),
    "Consumer.on_partitions_assigned": (Consumer.on_partitions_assigned, "29ce96596f05"),
    "Consumer.pause_partitions": (Consumer.pause_partitions, "27a1c94bdacd"),
    "Consumer.resume_partitions": (Consumer.resume_partitions, "afe6b7c02a41"),
    "Consumer._get_active_partitions": (Consumer._get_active_partitions, "b24897f3c7af"),
    "Consumer._to_message": (Consumer._to_message, "7c24f6511b2f"),
    "Consumer._add_gap": (Consumer._add_gap, "4df2573ded7c"),
    "Consumer._new_consumer_thread": (Consumer._new_consumer_thread, "0870ec53dea7"),
    "Consumer.on_stop": (Consumer.on_stop, "173f86b366f3"),
    "ThreadDelegateConsumer.__init__": (ThreadDelegateConsumer.__init__, "7072ae80eac1"),
    "ThreadDelegateConsumer.seek_to_committed": (ThreadDelegateConsumer.seek_to_committed, "f1d483b861b0"),
    "ThreadDelegateConsumer.assignment": (ThreadDelegateConsumer.assignment, "58f5bf9281fb"),
    "ThreadDelegateConsumer.threadsafe_partitions_revoked": (
        ThreadDelegateConsumer.threadsafe_partitions_revoked,
        "6c55d67e9eb0",
    ),
    "ThreadDelegateConsumer.threadsafe_partitions_assigned": (
        ThreadDelegateConsumer.threadsafe_partitions_assigned,
        "50fac26841ad",
    ),
    "AIOKafkaConsumerThread._create_consumer": (AIOKafkaConsumerThread._create_consumer, "a4dc6ba0681a"),
    "AIOKafkaConsumerThread._create_worker_consumer": (AIOKafkaConsumerThread._create_worker_consumer, "c2701bfc3e6f"),
    "AIOKafkaConsumerThread._ensure_consumer": (AIOKafkaConsumerThread._ensure_consumer, "ff4a4c693b7e"),
    "AIOKafkaConsumerThread._seek_wait": (AIOKafkaConsumerThread._seek_wait, "9d221e816d94"),
    "AIOKafkaConsumerThread.earliest_offsets": (AIOKafkaConsumerThread.earliest_offsets, "5d697cd76873"),
    "AIOKafkaConsumerThread._highwaters": (AIOKafkaConsumerThread._highwaters, "a7f4f97d9f32"),
    "AIOKafkaConsumerThread.getmany": (AIOKafkaConsumerThread.getmany, "26fc5fc9f3b6"),
    "AIOKafkaConsumerThread._fetch_records": (AIOKafkaConsumerThread._fetch_records, "39a2c6c79fc1"),
    "AIOKafkaConsumerThread.on_thread_stop": (AIOKafkaConsumerThread.on_thread_stop, "8dfc004e258b"),
    "ConsumerRebalanceListener.on_partitions_revoked": (ConsumerRebalanceListener.on_partitions_revoked, "348c3aec879f"),
    "ConsumerRebalanceListener.on_partitions_assigned": (ConsumerRebalanceListener.on_partitions_assigned, "1c1f8406ad36"),
    "Transport.__init__": (Transport.__init__, "a06006f6ae8e"),
    "Transport.create_consumer": (Transport.create_consumer, "46cc2bf5ab14"),
    "Fetcher._fetcher.fun": (Fetcher._fetcher.fun, "68f894f0b577"),
    "Fetcher.on_stop": (Fetcher.on_stop, "21f3bae9b455"),
    "Recovery._resume_streams": (Recovery._resume_streams, "d986a6710c1a"),
    "Recovery._wait": (Recovery._wait, "ec7429b70176"),
    "App._on_partitions_revoked": (App._on_partitions_revoked, "d5c895bbe57d"),
    "App._on_partitions_assigned": (App._on_partitions_assigned, "de932b7927db"),
    "App._stop_consumer": (App._stop_consumer, "55854a5de12c"),
    "Service.crash": (Service.crash, "14980000465d"),
    "Service.wait_first": (Service.wait_first, "feade6a31f8a"),
    "QueueServiceThread.call_thread": (QueueServiceThread.call_thread, "479edda75b54"),
    "MethodQueue._process_enqueued": (MethodQueue._process_enqueued, "d88a086d148c"),
    "ServiceThread._serve": (ServiceThread._serve, "67809eae0957"),
    "ServiceThread._shutdown_thread": (ServiceThread._shutdown_thread, "d7377862e734"),
    "ServiceThread.stop": (ServiceThread.stop, "32d026539c36"),
}


def source_digest(method: Callable[..., Any]) -> str:
    return hashlib.sha256(inspect.getsource(method).encode()).hexdigest()[:12]


@pytest.mark.parametrize("name", SOURCES)
def test_a_method_we_call_or_replace_is_as_it_was(name: str) -> None:
    method, digest = SOURCES[name]
    assert source_digest(method) == digest, f"{name} changed:\n{inspect.getsource(method)}"


def test_the_versions_are_those_the_lines_above_are_of() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("mode-streaming") == "0.7.1"
    assert version("aiokafka") == "0.14.0"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "faust-streaming==0.15.3" in project["dependencies"]


@pytest.mark.parametrize(("ours", "theirs"), [(BulkConsumer, Consumer), (BulkConsumerThread, AIOKafkaConsumerThread)])
def test_what_we_replace_takes_the_same_arguments(ours: type, theirs: type) -> None:
    replaced = {name for name in vars(ours) if callable(getattr(theirs, name, None)) and not name.startswith("__")}
    assert replaced >= ({"_drain_messages", "seek_to_committed"} if ours is BulkConsumer else {"_create_worker_consumer"})
    for name in replaced:
        assert list(inspect.signature(getattr(ours, name)).parameters) == list(
            inspect.signature(getattr(theirs, name)).parameters
        ), name


def test_every_error_that_a_lost_assignment_raises_is_a_kafka_error() -> None:
    for error in (CommitFailedError, IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError, UnknownMemberIdError):
        assert issubclass(error, KafkaError)


def test_a_record_has_what_the_sink_and_the_agents_read() -> None:
    wanted = {"topic", "partition", "offset", "timestamp", "timestamp_type", "key", "value", "checksum", "headers"}
    assert wanted <= set(inspect.signature(ConsumerRecord).parameters)


def test_the_client_takes_the_settings_that_the_promise_rests_on() -> None:
    taken = inspect.signature(AIOKafkaConsumer).parameters
    assert {"group_instance_id", "auto_offset_reset", "isolation_level", "max_partition_fetch_bytes", "fetch_max_bytes"} <= set(
        taken
    )


def test_a_partition_is_the_same_key_in_either_type() -> None:
    assert {TopicPartition("t", 1): 5}[TP("t", 1)] == 5  # type: ignore[index]
    assert isinstance(ensure_TP(TopicPartition("t", 1)), TP)


class Engine:
    """A bulk consumer with its app, not started, and no broker: what is tried here needs none."""

    def __init__(self) -> None:
        lane = SinkLane()
        settings = WorkerSettings("127.0.0.1:1", "pms.telemetry")
        self.app = build_app(settings, NoSink(), lane, Metrics(CollectorRegistry()), WorkerStatus())
        lane.close(5.0)
        consumer = self.app.consumer
        assert isinstance(consumer, BulkConsumer)
        self.consumer = consumer

    def close(self) -> None:
        """The thread never ran."""
        self.consumer._thread.close_unused()


class NoSink:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not called here")


def with_engine(attempt: Callable[[Engine], Any]) -> Any:
    async def run() -> Any:
        engine = Engine()
        try:
            return await attempt(engine)
        finally:
            engine.close()

    return asyncio.run(run())


def test_the_app_makes_our_consumer_on_our_thread() -> None:
    async def attempt(engine: Engine) -> None:
        assert isinstance(engine.consumer._thread, BulkConsumerThread)
        assert engine.consumer._thread.plan is engine.consumer.plan
        assert not engine.consumer.in_transaction

    with_engine(attempt)


def test_a_worker_leaves_no_folder_where_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def attempt(engine: Engine) -> None:
        await engine.app.on_first_start()

    monkeypatch.chdir(tmp_path)
    with_engine(attempt)
    assert list(tmp_path.iterdir()) == []


def test_the_fetcher_service_runs_our_loop() -> None:
    async def attempt(engine: Engine) -> list[Any]:
        drained: list[Any] = []

        async def drain(fetcher: Any) -> None:
            drained.append(fetcher)

        engine.consumer._drain_messages = drain  # type: ignore[method-assign]
        fetcher = Fetcher(engine.app)
        await Fetcher._fetcher.fun(fetcher)
        return [drained == [fetcher]]

    assert with_engine(attempt) == [True]


def test_seeking_after_a_rebalance_asks_our_hook_alone() -> None:
    async def attempt(engine: Engine) -> dict[Any, Any]:
        async def seek() -> dict[TP, int]:
            return {TP("agents", 0): 7}

        engine.consumer.seek_to_committed = seek  # type: ignore[method-assign]
        await engine.consumer.perform_seek()
        return dict(engine.consumer._read_offset)

    assert with_engine(attempt) == {TP("agents", 0): 7}


def test_a_paused_partition_is_not_active_until_it_is_resumed() -> None:
    async def attempt(engine: Engine) -> list[set[TP]]:
        one, two = TP("t", 0), TP("t", 1)
        consumer = engine.consumer
        seen = [set(consumer._set_active_tps({one, two}))]
        consumer.pause_partitions({TopicPartition("t", 0)})
        seen += [set(consumer._get_active_partitions()), set(consumer._paused_partitions)]
        consumer.resume_partitions({one})
        return [*seen, set(consumer._get_active_partitions()), set(consumer._paused_partitions)]

    both, first, second = {TP("t", 0), TP("t", 1)}, {TP("t", 0)}, {TP("t", 1)}
    assert with_engine(attempt) == [both, second, first, both, set()]


def test_a_flow_that_stops_ends_the_wait_for_an_agent() -> None:
    async def attempt(engine: Engine) -> bool:
        engine.consumer.stop_flow()
        waited = engine.consumer.wait_first(asyncio.Event().wait(), engine.consumer.suspend_flow.wait())
        await asyncio.wait_for(waited, 5.0)
        return engine.consumer.flow_active

    assert with_engine(attempt) is False
