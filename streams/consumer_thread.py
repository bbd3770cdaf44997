"""The thread that speaks to the broker: its own event loop, so heartbeats go on while the sink works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, cast

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Transport, server_list

from streams.bulk_plan import BulkPlan
from streams.topic_ids import describe_topics
from surveillance.errors import LogMismatch


class BulkConsumerThread(AIOKafkaConsumerThread):
    """Every method is called from the event loop of the app and does its work on the thread. They raise KafkaError."""

    @property
    def plan(self) -> BulkPlan:
        """That of the consumer."""
        return cast(BulkPlan, cast(Any, self.consumer).plan)

    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        conf, plan = self.app.conf, self.plan
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id or None,
            bootstrap_servers=server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            # Progress in the store decides where a partition begins; an offset the log does not have must be an error.
            auto_offset_reset="none",
            # A record of an aborted transaction must never be counted.
            isolation_level="read_committed",
            max_poll_records=None,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 300) * 1000),
            max_partition_fetch_bytes=plan.pace.fetch_partition_bytes,
            fetch_max_bytes=plan.pace.fetch_bytes,
            fetch_max_wait_ms=plan.pace.fetch_wait_ms,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            check_crcs=conf.broker_check_crcs,
            **plan.security.aiokafka(),
        )

    def close_unused(self) -> None:
        """Closes the event loop of a thread that was never started: one that ran closes its own."""
        if not self._started.is_set():
            self.thread_loop.close()

    async def on_thread_stop(self) -> None:
        """A broker that is gone must not keep us: aiokafka may then end its stop with the cancellation of a task of its own."""
        try:
            await asyncio.wait_for(super().on_thread_stop(), self.plan.pace.thread_stop_s)
        except (asyncio.CancelledError, TimeoutError, KafkaError) as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self.log.warning("left the group without a word: %r", error)

    async def bounds(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """First offset of each partition and the one after its last committed record."""
        wanted = cast(Any, list(tps))
        starts, ends = await self.earliest_offsets(*wanted), await self.highwaters(*wanted)
        return {tp: (starts[tp], ends[tp]) for tp in wanted}

    async def committed(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Offsets of the group, of those partitions that have one."""
        consumer = self._ensure_consumer()
        found = {tp: await self.call_thread(consumer.committed, tp) for tp in tps}
        return {tp: offset for tp, offset in found.items() if offset is not None}

    async def commit_for_watchers(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Unlike Faust's commit, a failure is the caller's to judge and crashes nothing."""
        marks = {tp: OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        await self.call_thread(self._ensure_consumer().commit, marks)

    async def check_log(self, topic: str, log_id: str) -> None:
        """Raises LogMismatch where the topic is no longer the log of this id: offsets would mean other records."""
        found = (await self.call_thread(describe_topics, self._ensure_consumer()._client, [topic])).get(topic)
        if found is None:
            raise LogMismatch(topic, ["it was deleted while we read it; to mend: pms topics create, then restart"])
        if found.log_id != log_id:
            raise LogMismatch(topic, [f"it was made anew while we read it ({log_id} became {found.log_id}); to mend: restart"])
