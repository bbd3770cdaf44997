"""The releases topic: read to its end before anything is folded, then followed for as long as the process lives.

Every process reads all of it, because every event may count under any manifest; that is why this is no Faust agent, which
would see the partitions of its worker alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord, TopicPartition
from mode import get_logger

from streams.metrics import Metrics
from streams.security import PLAINTEXT, Security
from streams.topic_ids import describe_topics
from surveillance.errors import InvalidInput, InvalidManifest, LogMismatch, StoreUnavailable

logger = get_logger(__name__)
OnManifest = Callable[[bytes, int], None]
"""Called with a document as it stands in the log and its broker time, ms.

May raise InvalidManifest: it is logged, counted and passed over.
"""

POLL_MS = 500
RETRY_S = 1.0
MOST_REFUSED = 20


class Releases:
    """Gives every manifest of the topic to `on_manifest`, ordered by broker time while catching up, as it comes afterwards.

    Compaction keeps the newest record of a digest, so a manifest that is sent again may come with its later time alone:
    whoever listens keeps the first time it knows of.

    `complete_to_ms`: every registration that the broker had taken by this moment of our wall clock was given out; 0 before
    `start` returns. It does not move while the topic cannot be read, or holds a transaction that is still open.
    """

    def __init__(
        self, bootstrap: str, topic: str, on_manifest: OnManifest, security: Security = PLAINTEXT, metrics: Metrics | None = None
    ) -> None:
        self.complete_to_ms = 0
        self._topic = topic
        self._on_manifest = on_manifest
        self._metrics = metrics
        self._arguments = {"bootstrap_servers": bootstrap, "enable_auto_commit": False, **security.aiokafka()}
        self.refused: list[str] = []
        """Names of the manifests that cannot be used, in the order they came; the last few."""
        self._waiting: list[ConsumerRecord] = []
        self._reader: AIOKafkaConsumer | None = None
        self._prober: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Returns when everything that stands in the topic was given out.

        Raises LogMismatch where there is no such topic, InvalidInput where no broker answers.
        """
        try:
            await self._connect()
            backlog: list[ConsumerRecord] = []
            while (complete_to_ms := await self._read_up_to()) is None:
                backlog.extend(await self._poll())
            backlog.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
            self._give(backlog)
        except KafkaError as error:
            await self.stop()
            raise InvalidInput(
                f"the releases topic {self._topic} cannot be read: {error}", "check PMS_KAFKA_BOOTSTRAP and the security settings"
            ) from error
        except BaseException:
            await self.stop()
            raise
        self._complete(complete_to_ms)

    def _complete(self, to_ms: int) -> None:
        self.complete_to_ms = to_ms
        if self._metrics is not None:
            self._metrics.releases_complete.set(to_ms / 1000)

    async def _connect(self) -> None:
        self._reader = AIOKafkaConsumer(auto_offset_reset="earliest", isolation_level="read_committed", **self._arguments)
        # A consumer of committed records is told an end that leaves out open transactions: a registration in one carries a
        # time that has passed already when it appears. So the end of the log itself is asked of another consumer.
        self._prober = AIOKafkaConsumer(isolation_level="read_uncommitted", **self._arguments)
        await self._reader.start()
        await self._prober.start()
        partitions = await _partitions(self._reader, self._topic)
        if not partitions:
            raise LogMismatch(self._topic, ["it does not exist; to mend: pms topics create"])
        self._reader.assign(partitions)
        await self._reader.seek_to_beginning(*partitions)

    async def _poll(self) -> list[ConsumerRecord]:
        assert self._reader is not None, "start comes first"
        found = await self._reader.getmany(timeout_ms=POLL_MS)
        return [record for records in found.values() for record in records]

    async def _read_up_to(self) -> int | None:
        """The moment up to which `_poll` has returned everything, wall-clock ms; None where it has not."""
        assert self._reader is not None, "start comes first"
        assert self._prober is not None
        asked_ms = int(time.time() * 1000)
        ends = await self._prober.end_offsets(self._reader.assignment())
        for tp, end in ends.items():
            # Beyond the end is no better than before it: the topic was made anew, and its beginning not read.
            if await self._reader.position(tp) != end:
                return None
        return asked_ms

    async def follow(self, stop: asyncio.Event) -> None:
        """A service for `run_worker(beside=...)`: gives out what comes until `stop` is set."""
        try:
            while not stop.is_set():
                try:
                    self._give(await self._poll())
                    if (complete_to_ms := await self._read_up_to()) is not None:
                        self._complete(complete_to_ms)
                except (KafkaError, StoreUnavailable) as error:
                    logger.warning("the releases topic cannot be read, or not be recorded, at the moment: %s", error)
                    await asyncio.sleep(RETRY_S)
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Closes the connections."""
        for consumer in (self._reader, self._prober):
            if consumer is not None:
                await consumer.stop()

    def _give(self, records: Sequence[ConsumerRecord]) -> None:
        """Where `on_manifest` raises StoreUnavailable, the rest comes first at the next call."""
        self._waiting += records
        while self._waiting:
            outcome = self._outcome(self._waiting[0])
            del self._waiting[0]
            if self._metrics is not None:
                self._metrics.manifests_read.labels(outcome).inc()

    def _outcome(self, record: ConsumerRecord) -> str:
        if record.value is None:
            return "tombstone"  # a manifest is never taken back, only followed by a higher revision
        try:
            self._on_manifest(record.value, record.timestamp)
        except InvalidManifest as error:
            logger.error("%s[%d]@%d is no usable manifest: %s", self._topic, record.partition, record.offset, error)
            self.refused = [*self.refused, error.source][-MOST_REFUSED:]
            return "invalid"
        return "read"


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """Of a topic that may not exist, which must not be created by asking."""
    found = await describe_topics(consumer._client, [topic])
    return [TopicPartition(topic, partition) for partition in range(found[topic].partitions)] if topic in found else []
