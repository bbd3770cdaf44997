"""The floor: aiokafka's `getmany` and msgspec into the structs of the product, in one process; nothing is counted."""

from __future__ import annotations

import asyncio
from time import perf_counter, process_time
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from benchmarks.fleet import PARTITIONS
from surveillance.events.kinds import AnyEvent, Tick


def contend(bootstrap: str, topic: str, records: int, *, batches: bool) -> dict[str, Any]:
    """Seconds from the first list of records to the last event decoded."""
    kind: Any = list[AnyEvent | Tick] if batches else AnyEvent | Tick
    return asyncio.run(_read(bootstrap, topic, records, msgspec.json.Decoder(kind)))


async def _read(bootstrap: str, topic: str, records: int, decoder: msgspec.json.Decoder[Any]) -> dict[str, Any]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 * 1024 * 1024,
        fetch_max_bytes=32 * 1024 * 1024,
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        started_s, cpu_s, read = perf_counter(), process_time(), 0
        while read < records:
            for found in (await consumer.getmany(timeout_ms=1000)).values():
                decoded = [decoder.decode(record.value) for record in found]
                read += len(decoded)
        return {"seconds": perf_counter() - started_s, "cpu_seconds": process_time() - cpu_s}
    finally:
        await consumer.stop()
