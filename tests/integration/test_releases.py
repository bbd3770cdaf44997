"""The releases topic: everything that stands in it is given out before the start is over, what comes later as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry

from streams.metrics import Metrics
from streams.producer import BrokerProducer, Message
from streams.releases import Releases
from streams.topics import create_topics
from surveillance.errors import InvalidInput, InvalidManifest, LogMismatch, Problem, StoreUnavailable
from tests.integration.recording_sink import wait_until

pytestmark = pytest.mark.kafka


class Listener:
    """What was given out. A document that begins with `invalid` is refused; while `away`, nothing can be recorded."""

    def __init__(self) -> None:
        self.given: list[tuple[bytes, int]] = []
        self.away = False

    def __call__(self, value: bytes, broker_ms: int) -> None:
        if value.startswith(b"invalid"):
            raise InvalidManifest("release", [Problem("kind", "expected ReleaseManifest")])
        if self.away:
            raise StoreUnavailable("away")
        self.given.append((value, broker_ms))

    def values(self) -> list[bytes]:
        return [value for value, _ in self.given]


@pytest.fixture
def topic(kafka_bootstrap: str, topic_prefix: str) -> str:
    create_topics(kafka_bootstrap, topic_prefix, 3)
    return topic_prefix + "releases"


async def register(bootstrap: str, topic: str, *documents: tuple[bytes, bytes | None]) -> None:
    """One after another, so that their broker times ascend."""
    async with BrokerProducer(bootstrap) as producer:
        for digest, value in documents:
            await producer.send_all([Message(topic, digest, value)])


async def until(holds: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, holds)


@asynccontextmanager
async def following(releases: Releases) -> AsyncIterator[None]:
    stop = asyncio.Event()
    service = asyncio.ensure_future(releases.follow(stop))
    try:
        yield
    finally:
        stop.set()
        await service


def test_everything_that_stands_in_the_topic_is_given_out_before_start_returns_in_order_of_broker_time(
    kafka_bootstrap: str, topic: str
) -> None:
    async def run() -> Listener:
        await register(kafka_bootstrap, topic, *((b"digest %d" % n, b"manifest %d" % n) for n in range(40)))
        listener = Listener()
        releases = Releases(kafka_bootstrap, topic, listener)
        assert releases.complete_to_ms == 0
        await releases.start()
        await releases.stop()
        return listener

    listener = asyncio.run(run())
    assert sorted(listener.values()) == sorted(b"manifest %d" % n for n in range(40))
    times = [broker_ms for _, broker_ms in listener.given]
    assert times == sorted(times)
    assert abs(times[0] - time.time() * 1000) < 600_000


def test_what_comes_later_is_followed_and_bad_records_are_passed_over(kafka_bootstrap: str, topic: str) -> None:
    metrics, listener = Metrics(CollectorRegistry()), Listener()

    async def run() -> None:
        releases = Releases(kafka_bootstrap, topic, listener, metrics=metrics)
        await register(kafka_bootstrap, topic, (b"before", b"before"))
        await releases.start()
        assert listener.values() == [b"before"]
        async with following(releases):
            await register(kafka_bootstrap, topic, (b"x", b"invalid"), (b"before", None), (b"after", b"after"))
            await until(lambda: b"after" in listener.values() and read("invalid") == read("tombstone") == 1)

    def read(outcome: str) -> float:
        return metrics.registry.get_sample_value("pms_manifests_read_total", {"outcome": outcome}) or 0

    asyncio.run(run())
    assert listener.values() == [b"before", b"after"]
    assert read("read") == 2


def test_two_registrations_of_one_digest_are_both_given_out_the_first_one_first(kafka_bootstrap: str, topic: str) -> None:
    listener = Listener()

    async def run() -> None:
        await register(kafka_bootstrap, topic, (b"digest", b"same"), (b"digest", b"same"))
        releases = Releases(kafka_bootstrap, topic, listener)
        await releases.start()
        await releases.stop()

    asyncio.run(run())
    (first, first_ms), (second, second_ms) = listener.given
    assert first == second == b"same"
    assert first_ms <= second_ms


def test_complete_to_ms_follows_the_clock_and_never_passes_a_registration_that_was_not_given_out(
    kafka_bootstrap: str, topic: str
) -> None:
    listener, metrics = Listener(), Metrics(CollectorRegistry())

    async def run() -> None:
        releases = Releases(kafka_bootstrap, topic, listener, metrics=metrics)
        before_ms = time.time() * 1000
        await releases.start()
        assert before_ms - 1 <= releases.complete_to_ms <= time.time() * 1000
        shown_s = metrics.registry.get_sample_value("pms_releases_complete_timestamp_seconds")
        assert shown_s == releases.complete_to_ms / 1000
        async with following(releases):
            for number in range(5):
                await register(kafka_bootstrap, topic, (b"digest %d" % number, b"manifest"))
                acknowledged_ms = time.time() * 1000
                await until(lambda: releases.complete_to_ms > acknowledged_ms)  # noqa: B023 - awaited here
                assert len(listener.given) == number + 1

    asyncio.run(run())


def test_complete_to_ms_waits_for_a_transaction_that_is_open(kafka_bootstrap: str, topic: str) -> None:
    """What it holds carries a broker time that has passed, and may still be in force."""
    listener = Listener()

    async def run() -> None:
        async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, transactional_id=topic) as producer:
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"manifest", key=b"digest")
            opened_ms = time.time() * 1000
            releases = Releases(kafka_bootstrap, topic, listener)
            starting = asyncio.ensure_future(releases.start())
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(starting), 1.0)
            assert not starting.done()
            assert releases.complete_to_ms == 0
            await producer.commit_transaction()
            await asyncio.wait_for(starting, 20.0)
            assert listener.values() == [b"manifest"]
            assert listener.given[0][1] <= opened_ms < releases.complete_to_ms
            await releases.stop()

    asyncio.run(run())


def test_a_registration_that_cannot_be_recorded_is_given_again_and_nothing_is_complete_before(
    kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.releases.RETRY_S", 0.05)
    listener = Listener()

    async def run() -> None:
        releases = Releases(kafka_bootstrap, topic, listener)
        await releases.start()
        async with following(releases):
            listener.away = True
            await register(kafka_bootstrap, topic, (b"one", b"one"), (b"two", b"two"))
            registered_ms = time.time() * 1000
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 1.0)
            assert releases.complete_to_ms <= registered_ms
            listener.away = False
            await until(lambda: releases.complete_to_ms > registered_ms)
            assert sorted(listener.values()) == [b"one", b"two"]

    asyncio.run(run())


def test_a_topic_that_does_not_exist_is_named_with_the_command_that_creates_it(kafka_bootstrap: str, topic_prefix: str) -> None:
    with pytest.raises(LogMismatch, match="pms topics create"):
        asyncio.run(Releases(kafka_bootstrap, topic_prefix + "releases", Listener()).start())


def test_a_broker_that_does_not_answer_is_said_in_words() -> None:
    with pytest.raises(InvalidInput, match=r"pms\.releases cannot be read"):
        asyncio.run(Releases("127.0.0.1:1", "pms.releases", Listener()).start())
