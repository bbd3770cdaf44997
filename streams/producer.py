"""What the service itself writes to Kafka: idempotent, acknowledged by all replicas, many records in flight at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    RecordListTooLargeError,
)
from mode import get_logger

from streams.metrics import Metrics
from streams.security import PLAINTEXT, Security
from surveillance.errors import InvalidInput, StoreUnavailable

logger = get_logger(__name__)
T = TypeVar("T")

LINGER_MS = 5
BATCH_BYTES = 256 * 1024
REQUEST_BYTES = 64 * 1024 * 1024
BROKEN = (OutOfOrderSequenceNumber, InvalidProducerEpoch, InvalidProducerIdMapping, ProducerFenced, ProducerClosed)
"""After these, a producer never sends again: a new one, with a new id, must."""


class NotAcknowledged(StoreUnavailable):
    """The broker did not acknowledge what was sent: send it again, and advance nothing until it does."""


@dataclass(frozen=True, slots=True)
class Message:
    """A record to send. `partition` None = by key."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class BrokerProducer:
    """Sends messages and waits until all are acknowledged; a producer that lost its sequence is replaced.

    After a failure messages may stand twice in the log: whoever reads them goes by their keys.
    """

    def __init__(self, bootstrap: str, security: Security = PLAINTEXT, metrics: Metrics | None = None, *, tries: int = 3) -> None:
        self._arguments = {"bootstrap_servers": bootstrap, **security.aiokafka()}
        self._metrics = metrics
        self._tries = tries
        self._producer: AIOKafkaProducer | None = None
        self._building = asyncio.Lock()

    async def __aenter__(self) -> BrokerProducer:
        await self._ready()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Waits for what is in flight and closes."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def send_all(self, messages: Sequence[Message]) -> None:
        """Returns when every message is acknowledged by all in-sync replicas.

        Raises NotAcknowledged where the broker does not answer, InvalidInput for a message that the topic can never take.
        """
        waiting: Sequence[Message] = messages
        for _ in range(self._tries):
            producer = await self._ready()
            waiting, broken = await self._send_once(producer, waiting)
            if not waiting:
                return
            if broken:
                await self._discard(producer)
        raise NotAcknowledged(f"{len(waiting)} of {len(messages)} records were not acknowledged by the broker")

    async def _send_once(self, producer: AIOKafkaProducer, messages: Sequence[Message]) -> tuple[list[Message], bool]:
        """Returns what is to be sent again, and whether the producer is of no use any more."""
        outcomes = await asyncio.gather(*(_acknowledged(producer, message) for message in messages), return_exceptions=True)
        again = []
        for message, outcome in zip(messages, outcomes, strict=True):
            if isinstance(outcome, MessageSizeTooLargeError | RecordListTooLargeError):
                size = len(message.value or b"")
                raise InvalidInput(f"topic {message.topic} refuses a record of {size} bytes", "raise max.message.bytes of it")
            if isinstance(outcome, KafkaError | asyncio.TimeoutError):
                again.append(message)
            elif isinstance(outcome, BaseException):
                raise outcome
            elif self._metrics is not None:
                self._metrics.produced.labels(message.topic).inc()
        return again, any(isinstance(outcome, BROKEN) for outcome in outcomes)

    async def _ready(self) -> AIOKafkaProducer:
        async with self._building:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=LINGER_MS,
                    max_batch_size=BATCH_BYTES,
                    max_request_size=REQUEST_BYTES,
                    **self._arguments,
                )
                try:
                    await producer.start()
                except KafkaError as error:
                    await producer.stop()
                    raise NotAcknowledged(f"no broker answers: {error}") from error
                self._producer = producer
            return self._producer

    async def _discard(self, broken: AIOKafkaProducer) -> None:
        async with self._building:
            if self._producer is broken:
                self._producer = None
        logger.warning("the producer lost its sequence: a new one takes over")
        if self._metrics is not None:
            self._metrics.producer_rebuilds.inc()
        try:
            await broken.stop()
        except KafkaError as error:
            logger.info("the old producer did not close in order: %s", error)


async def _acknowledged(producer: AIOKafkaProducer, message: Message) -> Any:
    future = await producer.send(
        message.topic, message.value, key=message.key, partition=message.partition, headers=list(message.headers)
    )
    return await future


async def send_batches(producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Message]) -> int:
    """Sends records of one partition as full batches, in order; returns the offset after the last, once all are acknowledged.

    Many times quicker than `send`: it waits once per batch, not per record. `records` is not empty. Raises KafkaError.
    """
    sent = [
        (batch.record_count(), await producer.send_batch(batch, topic, partition=partition))
        for batch in _batches(producer, records)
    ]
    acknowledged = await asyncio.gather(*(future for _, future in sent))
    return max(int(metadata.offset) + int(count) for (count, _), metadata in zip(sent, acknowledged, strict=True))


def _batches(producer: AIOKafkaProducer, records: Sequence[Message]) -> Iterator[Any]:
    batch = producer.create_batch()
    for record in records:
        appended = {"key": record.key, "value": record.value, "timestamp": None, "headers": list(record.headers)}
        if batch.append(**appended) is None:
            batch.close()
            yield batch
            batch = producer.create_batch()
            if batch.append(**appended) is None:
                raise MessageSizeTooLargeError(f"a record of {len(record.value or b'')} bytes")
    batch.close()
    yield batch


class BlockingProducer:
    """`BrokerProducer` for code that runs on a thread of its own (the sink, the command line): calls wait.

    It has its own event loop on its own thread, so it works whatever the caller's loop is doing.
    """

    def __init__(self, bootstrap: str, security: Security = PLAINTEXT, metrics: Metrics | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pms-producer", daemon=True)
        self._thread.start()
        self._producer = self._call(_made(bootstrap, security, metrics), None)

    def send_all(self, messages: Sequence[Message], within_s: float | None = None) -> None:
        """As `BrokerProducer.send_all`; NotAcknowledged, too, when `within_s` is over."""
        if messages:
            self._call(self._producer.send_all(messages), within_s)

    def close(self) -> None:
        """Waits for what is in flight, at most ten seconds."""
        try:
            self._call(self._producer.stop(), 10.0)
        except NotAcknowledged:
            logger.warning("records in flight were given up")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T], within_s: float | None) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within_s)
        except TimeoutError as error:
            future.cancel()
            raise NotAcknowledged(f"the broker did not acknowledge within {within_s} s") from error


async def _made(bootstrap: str, security: Security, metrics: Metrics | None) -> BrokerProducer:
    return BrokerProducer(bootstrap, security, metrics)
