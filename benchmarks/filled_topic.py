"""Topics of a benchmark on a real broker, and their filling."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from time import time

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks.fleet import PARTITIONS
from streams.producer import Message, send_batches
from streams.topics import TopicNames, create_topics, planned_topics

_CHUNK = 20_000


def now_ms() -> int:
    """Wall-clock time."""
    return int(time() * 1000)


@dataclass(frozen=True, slots=True)
class FilledTopic:
    """A telemetry topic that holds `records` records, and the prefix of its names."""

    bootstrap: str
    prefix: str
    records: int

    @property
    def topic(self) -> str:
        return TopicNames.under(self.prefix).telemetry


@contextmanager
def fresh_topics(bootstrap: str) -> Iterator[str]:
    """The prefix of topics that nobody else uses; they are deleted in the end."""
    prefix = f"pms-benchmark-{token_hex(4)}."
    create_topics(bootstrap, prefix, PARTITIONS)
    try:
        yield prefix
    finally:
        asyncio.run(_delete(bootstrap, prefix))


def fill(bootstrap: str, prefix: str, messages: Iterator[Message]) -> FilledTopic:
    """Sends all messages, in order within each partition, and waits until they are acknowledged."""
    return asyncio.run(_fill(bootstrap, prefix, messages))


async def _fill(bootstrap: str, prefix: str, messages: Iterator[Message]) -> FilledTopic:
    records = 0
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_batch_size=256 * 1024, max_request_size=8 * 1024 * 1024)
    async with producer:
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            assert message.partition is not None
            by_partition.setdefault(message.partition, []).append(message)
            records += 1
            if records % _CHUNK == 0:
                await _send(producer, by_partition)
        await _send(producer, by_partition)
    return FilledTopic(bootstrap, prefix, records)


async def _send(producer: AIOKafkaProducer, by_partition: dict[int, list[Message]]) -> None:
    waiting: Sequence[tuple[int, list[Message]]] = list(by_partition.items())
    by_partition.clear()
    for partition, messages in waiting:
        await send_batches(producer, messages[0].topic, partition, messages)


async def _delete(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([plan.name for plan in planned_topics(prefix, PARTITIONS)])
    finally:
        await admin.close()
