"""The releases topic: read to its end before anything is folded, then followed for as long as the process lives.

Every process reads all of it, because every event may count under any manifest; that is why this is no Faust agent, which
would see the partitions of its worker alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition
from mode import get_logger

from streams.metrics import Metrics
from streams.security import PLAINTEXT, Security
from surveillance.errors import InvalidManifest, LogMismatch

logger = get_logger(__name__)
OnManifest = Callable[[bytes, int], None]
"""Called with a document as it stands in the log and its broker time, ms.

May raise InvalidManifest: it is logged, counted and passed over.
"""

POLL_MS = 500
RETRY_S = 1.0


class Releases:
    """Gives every manifest of the topic to `on_manifest`, ordered by broker time while catching up, as it comes afterwards.

    Compaction keeps the newest record of a digest, so a manifest that is sent again may come with its later time alone:
    whoever listens keeps the first time it knows of.
    """

    def __init__(
        self, bootstrap: str, topic: str, on_manifest: OnManifest, security: Security = PLAINTEXT, metrics: Metrics | None = None
    ) -> None:
        self._topic = topic
        self._on_manifest = on_manifest
        self._metrics = metrics
        self._arguments = {"bootstrap_servers": bootstrap, **security.aiokafka()}
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Returns when everything that stood in the topic was given out. Raises LogMismatch where there is no such topic."""
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False, auto_offset_reset="earliest", isolation_level="read_committed", **self._arguments
        )
        await consumer.start()
        self._consumer = consumer
        partitions = await _partitions(consumer, self._topic)
        if not partitions:
            await self.stop()
            raise LogMismatch(self._topic, ["it does not exist; to mend: pms topics create"])
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        backlog: list[ConsumerRecord] = []
        while [tp for tp in partitions if await consumer.position(tp) < ends[tp]]:
            for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                backlog.extend(records)
        backlog.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
        self._give(backlog)

    async def follow(self, stop: asyncio.Event) -> None:
        """A service for `run_worker(beside=...)`: gives out what comes until `stop` is set."""
        assert self._consumer is not None, "follow comes after start"
        while not stop.is_set():
            try:
                found = await self._consumer.getmany(timeout_ms=POLL_MS)
            except KafkaError as error:
                logger.warning("the releases topic cannot be read at the moment: %s", error)
                await asyncio.sleep(RETRY_S)
                continue
            for records in found.values():
                self._give(records)
        await self.stop()

    async def stop(self) -> None:
        """Closes the connection."""
        if self._consumer is not None:
            await self._consumer.stop()

    def _give(self, records: Sequence[ConsumerRecord]) -> None:
        for record in records:
            outcome = self._outcome(record)
            if self._metrics is not None:
                self._metrics.manifests_read.labels(outcome).inc()

    def _outcome(self, record: ConsumerRecord) -> str:
        if record.value is None:
            return "tombstone"  # a manifest is never taken back, only followed by a higher revision
        try:
            self._on_manifest(record.value, record.timestamp)
        except InvalidManifest as error:
            logger.error("%s[%d]@%d is no usable manifest: %s", self._topic, record.partition, record.offset, error)
            return "invalid"
        return "read"


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Of a topic that may not exist, which must not be created by asking."""
    topics = await consumer.topics()
    if topic not in topics:
        return []
    return [TopicPartition(topic, partition) for partition in sorted(consumer.partitions_for_topic(topic) or ())]
