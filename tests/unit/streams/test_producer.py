"""Sending: full batches in order, once acknowledged or again, and a producer that lost its sequence is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
)
from prometheus_client import CollectorRegistry

from streams import producer as producing
from streams.metrics import Metrics
from streams.producer import BlockingProducer, BrokerProducer, Message, NotAcknowledged, send_batches
from surveillance.errors import InvalidInput, StoreUnavailable


@dataclass
class MockBatch:
    """Takes `room` bytes of values."""

    room: int
    values: list[bytes] = field(default_factory=list)
    closed: bool = False

    def append(self, *, key: bytes | None, value: bytes, timestamp: int | None, headers: list[Any]) -> object | None:
        assert not self.closed
        if sum(map(len, self.values)) + len(value) > self.room:
            return None
        self.values.append(value)
        return object()

    def close(self) -> None:
        self.closed = True

    def record_count(self) -> int:
        return len(self.values)


@dataclass
class Acknowledged:
    offset: int


class MockClient:
    """An `AIOKafkaProducer` whose broker is in memory. `faults` are raised, in turn, instead of an acknowledgement."""

    def __init__(self, faults: Sequence[Exception] = (), room: int = 10, **_arguments: Any) -> None:
        self.log: list[bytes | None] = []
        self.batches: list[int] = []
        self.faults = list(faults)
        self.stopped = False
        self._room = room

    async def start(self) -> None:
        """The connection is there."""

    async def stop(self) -> None:
        self.stopped = True

    def create_batch(self) -> MockBatch:
        return MockBatch(self._room)

    async def send_batch(self, batch: MockBatch, _topic: str, *, partition: int) -> asyncio.Future[Acknowledged]:
        offset = len(self.log)
        self.log += batch.values
        self.batches.append(len(batch.values))
        return self._answer(Acknowledged(offset))

    async def send(self, _topic: str, value: bytes | None, **_arguments: Any) -> asyncio.Future[Acknowledged]:
        answer = self._answer(Acknowledged(len(self.log)))
        if answer.exception() is None:
            self.log.append(value)
        return answer

    def _answer(self, acknowledged: Acknowledged) -> asyncio.Future[Acknowledged]:
        answer: asyncio.Future[Acknowledged] = asyncio.get_running_loop().create_future()
        if self.faults:
            answer.set_exception(self.faults.pop(0))
        else:
            answer.set_result(acknowledged)
        return answer


def messages(*values: bytes) -> list[Message]:
    return [Message("t", b"key", value) for value in values]


class TestBatches:
    def send(self, client: MockClient, values: Sequence[bytes]) -> int:
        return asyncio.run(send_batches(cast(AIOKafkaProducer, client), "t", 0, messages(*values)))

    def test_records_go_out_in_order_in_batches_that_are_full(self) -> None:
        client = MockClient(room=10)
        values = [b"%03d" % number for number in range(10)]
        assert self.send(client, values) == 10
        assert client.log == values
        assert client.batches == [3, 3, 3, 1]

    def test_the_answer_is_the_offset_after_the_last_record(self) -> None:
        client = MockClient(room=10)
        client.log = [b"before"] * 7
        assert self.send(client, [b"one", b"two"]) == 9

    def test_a_record_that_fills_a_batch_alone_is_sent_and_one_that_does_not_fit_is_refused(self) -> None:
        client = MockClient(room=10)
        assert self.send(client, [b"a", b"0123456789", b"b"]) == 3
        assert client.batches == [1, 1, 1]
        with pytest.raises(MessageSizeTooLargeError):
            self.send(MockClient(room=10), [b"a", b"01234567890"])

    def test_a_batch_that_was_not_acknowledged_is_an_error(self) -> None:
        with pytest.raises(KafkaTimeoutError):
            self.send(MockClient([KafkaTimeoutError()]), [b"a"])


class Broker:
    """Gives out mock clients, the first with these faults; keeps them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *faults: Exception, refuses: bool = False) -> None:
        self.clients: list[MockClient] = []
        self.metrics = Metrics(CollectorRegistry())
        self._faults, self._refuses = faults, refuses
        monkeypatch.setattr(producing, "AIOKafkaProducer", self._client)

    def _client(self, **arguments: Any) -> MockClient:
        assert arguments["enable_idempotence"]
        assert arguments["acks"] == "all"
        client = MockClient(() if self.clients else self._faults)
        if self._refuses:
            client.start = self._refuse  # type: ignore[method-assign]
        self.clients.append(client)
        return client

    async def _refuse(self) -> None:
        raise KafkaConnectionError("nobody there")

    def send(self, *values: bytes, tries: int = 3) -> None:
        async def run() -> None:
            async with BrokerProducer("broker", metrics=self.metrics, tries=tries) as producer:
                await producer.send_all(messages(*values))

        asyncio.run(run())

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def test_what_was_not_acknowledged_is_sent_again_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(monkeypatch, KafkaTimeoutError())
    broker.send(b"a", b"b", b"c")
    assert broker.clients[0].log == [b"b", b"c", b"a"]
    assert broker.metric("pms_records_produced_total", topic="t") == 3
    assert broker.metric("pms_producer_rebuilds_total") == 0
    assert broker.clients[0].stopped


def test_a_producer_that_lost_its_sequence_is_thrown_away_and_a_new_one_sends_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(monkeypatch, OutOfOrderSequenceNumber())
    broker.send(b"a", b"b")
    assert [client.log for client in broker.clients] == [[b"b"], [b"a"]]
    assert broker.clients[0].stopped
    assert broker.metric("pms_producer_rebuilds_total") == 1


def test_after_its_tries_a_record_without_acknowledgement_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    # The first try loses both, the second one the first again.
    broker = Broker(monkeypatch, KafkaTimeoutError(), KafkaTimeoutError(), KafkaTimeoutError())
    with pytest.raises(NotAcknowledged, match="1 of 2 records") as outage:
        broker.send(b"a", b"b", tries=2)
    assert isinstance(outage.value, StoreUnavailable)


def test_a_record_that_the_topic_never_takes_is_the_users_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="topic t refuses a record of 1 bytes"):
        Broker(monkeypatch, MessageSizeTooLargeError()).send(b"a")


def test_a_broker_that_does_not_answer_is_an_outage_and_leaves_no_client_open(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker(monkeypatch, refuses=True)
    with pytest.raises(NotAcknowledged, match="no broker answers"):
        broker.send(b"a")
    assert broker.clients[0].stopped


@pytest.mark.parametrize("error", producing.BROKEN)
def test_every_error_after_which_a_producer_is_of_no_use_replaces_it(
    monkeypatch: pytest.MonkeyPatch, error: Callable[[], KafkaError]
) -> None:
    broker = Broker(monkeypatch, error())
    broker.send(b"a")
    assert [client.log for client in broker.clients] == [[], [b"a"]]


class TestBlocking:
    def test_a_call_returns_when_all_is_acknowledged(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broker = Broker(monkeypatch)
        producer = BlockingProducer("broker")
        producer.send_all(messages(b"a", b"b"), within_s=5.0)
        producer.send_all([])
        producer.close()
        assert broker.clients[0].log == [b"a", b"b"]
        assert broker.clients[0].stopped

    def test_a_broker_that_is_silent_is_an_outage_when_the_time_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broker = Broker(monkeypatch)
        producer = BlockingProducer("broker")

        async def silent(*_arguments: Any, **_more: Any) -> asyncio.Future[Acknowledged]:
            return asyncio.get_running_loop().create_future()

        monkeypatch.setattr(MockClient, "send", silent)
        with pytest.raises(NotAcknowledged, match=r"within 0\.05 s"):
            producer.send_all(messages(b"a"), within_s=0.05)
        producer.close()
        assert broker.clients[0].stopped
