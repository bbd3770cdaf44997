"""The demo over a real Kafka: topics of its own, the services of `pms up`, and a publisher that waits for their judgement."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from secrets import token_hex
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from mode import get_logger

from streams.demo_story import PARTITIONS, Slice
from streams.producer import BrokerProducer
from streams.publish import register_manifest
from streams.security import Security, read_security
from streams.services import Ground, prepared
from streams.topics import create_topics, planned_topics
from surveillance.incidents.judged_state import read_judged
from surveillance.incidents.lines import Line
from surveillance.settings import Settings

logger = get_logger(__name__)

TICK_AGAIN_S = 0.3
"""A worker asks itself whether to flush when something arrives: a tick in time spares the wait for its regular flush."""


@contextmanager
def demo_ground(settings: Settings, document: Mapping[str, Any], *, host: str, port: int, store: str) -> Iterator[Ground]:
    """Topics that nobody else uses, with the manifest `document` registered; they are deleted in the end.

    Raises InvalidInput where the broker of `settings` cannot be used.
    """
    name = f"pms-demo-{token_hex(4)}"
    own = replace(
        settings,
        topic_prefix=f"{name}.",
        group=name,
        instance_id=None,
        store=store,
        time_source="header",
        allow_unsigned=True,
        api_host=host,
        api_port=port,
    )
    security = read_security(own.kafka_security())
    create_topics(own.kafka_bootstrap, own.topic_prefix, PARTITIONS, security)
    try:
        register_manifest(own.kafka_bootstrap, own.topic_prefix, document, security)
        with prepared(own) as ground:
            yield ground
    finally:
        asyncio.run(_delete_topics(own.kafka_bootstrap, own.topic_prefix, security))


async def _delete_topics(bootstrap: str, prefix: str, security: Security) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **security.aiokafka())
    try:
        await admin.start()
        await admin.delete_topics([plan.name for plan in planned_topics(prefix, PARTITIONS)])
    except KafkaError as error:
        logger.warning("topics under %s are left behind: %s", prefix, error)
    finally:
        await admin.close()


class KafkaStage:
    """A `Stage`: publishes, and waits for the evaluator. Made in the event loop it is used in."""

    def __init__(self, ground: Ground) -> None:
        self.topic, self.store = ground.names.telemetry, ground.store
        self._log_id = ground.log.log_id
        self._loop = asyncio.get_running_loop()
        self._producer = BrokerProducer(ground.settings.kafka_bootstrap, ground.security)
        self._decided: list[Line] = []
        self._judged_ms = 0
        self._moved = asyncio.Event()

    def judged(self, decided: Sequence[Line]) -> None:
        """Told by the evaluator, from its thread, after each of its steps."""
        reached = [one.watermark_ms for one in read_judged(self.store, self._log_id).values()]
        self._loop.call_soon_threadsafe(self._take, decided, max(reached, default=0))

    def _take(self, decided: Sequence[Line], judged_ms: int) -> None:
        self._decided += decided
        if judged_ms > self._judged_ms:
            self._judged_ms = judged_ms
            self._moved.set()

    async def advance(self, part: Slice) -> Sequence[Line]:
        """See `Stage`. Raises NotAcknowledged."""
        await self._producer.send_all(part.messages)
        while self._judged_ms < part.end_ms:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), TICK_AGAIN_S)
            except TimeoutError:
                await self._producer.send_all(part.ticks)
        decided, self._decided = self._decided, []
        return decided

    async def close(self) -> None:
        """Closes the connection."""
        await self._producer.stop()
