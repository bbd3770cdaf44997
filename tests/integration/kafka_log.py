"""A topic as a test sees it: what stands in it, what is sent to it, what an administrator does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import ConsumerRecord, TopicPartition


def read_all(bootstrap: str, topic: str, partitions: int) -> list[ConsumerRecord]:
    """Every committed record, by partition and offset."""

    async def run() -> list[ConsumerRecord]:
        tps = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, isolation_level="read_committed"
        )
        await consumer.start()
        try:
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            found: list[ConsumerRecord] = []
            while [tp for tp in tps if await consumer.position(tp) < ends[tp]]:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
            return sorted(found, key=lambda record: (record.partition, record.offset))
        finally:
            await consumer.stop()

    return asyncio.run(run())


def send(bootstrap: str, topic: str, values: Mapping[int, Sequence[bytes]], *, keys: Sequence[bytes] = ()) -> None:
    """Values by partition, in order, acknowledged."""

    async def run() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=8_000_000) as producer:
            sent = [
                await producer.send(topic, value, partition=partition, key=keys[number % len(keys)] if keys else None)
                for partition, several in values.items()
                for number, value in enumerate(several)
            ]
            await asyncio.gather(*sent)

    asyncio.run(run())


def send_in_transaction(bootstrap: str, topic: str, values: Sequence[bytes], *, commit: bool) -> None:
    """To partition 0, in one transaction that is committed or aborted."""

    async def run() -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{topic}-{commit}") as producer:
            await producer.begin_transaction()
            for value in values:
                await producer.send_and_wait(topic, value, partition=0)
            await (producer.commit_transaction() if commit else producer.abort_transaction())

    asyncio.run(run())


def delete_before(bootstrap: str, topic: str, partition: int, offset: int) -> None:
    """What retention does: the log begins at this offset."""

    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)})
        finally:
            await admin.close()

    asyncio.run(run())


async def shown(admin: AIOKafkaAdminClient, partitions: Mapping[str, int]) -> None:
    """Returns when the broker shows each topic with so many partitions (0: not at all): it answers before it has done so."""
    async with asyncio.timeout(20.0):
        while True:
            there = set(partitions) & set(await admin.list_topics())
            found = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics(sorted(there))} if there else {}
            if all(found.get(topic, 0) == count for topic, count in partitions.items()):
                return
            await asyncio.sleep(0.05)


def delete_topic(bootstrap: str, topic: str) -> None:
    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([topic])
            await shown(admin, {topic: 0})
        finally:
            await admin.close()

    asyncio.run(run())


def committed(bootstrap: str, group: str) -> dict[tuple[str, int], int]:
    """Offsets of a group, by topic and partition."""

    async def run() -> dict[tuple[str, int], int]:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(group)
            return {(tp.topic, tp.partition): found.offset for tp, found in offsets.items()}
        finally:
            await admin.close()

    return asyncio.run(run())
