"""`pms up` with one incident per pane: from the tick that closes the pane to the incident's line in its topic."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer

from streams.demo_kafka import demo_ground
from streams.demo_story import PARTITIONS
from streams.producer import BrokerProducer, Message
from streams.publish import JSON_HEADER
from streams.services import Ground, serve_up
from streams.ticks import INGEST_TIME_HEADER, tick
from surveillance.events.partitioning import partition_of
from surveillance.manifest.parse import read_document
from surveillance.serving import ApiOffer
from surveillance.settings import Settings
from surveillance.times import MINUTE_MS, to_text

MANIFEST = Path(__file__).with_name("incident.manifest.yaml")
START_MS = 1_772_409_600_000
INCIDENT_S = 60.0


def contend(bootstrap: str, incidents: int) -> dict[str, Any]:
    """Seconds of each incident, in order, without the first, which waits for the service to be up."""
    with tempfile.TemporaryDirectory(prefix="pms-benchmark-") as folder:
        settings, store = Settings(kafka_bootstrap=bootstrap), f"chdb://{folder}"
        with demo_ground(settings, read_document(MANIFEST), host="127.0.0.1", port=0, store=store) as ground:
            return {"seconds": asyncio.run(_measured(ground, incidents))}


async def _measured(ground: Ground, incidents: int) -> list[float]:
    seconds: list[float] = []

    async def story(stop: asyncio.Event) -> None:
        try:
            async with _reader(ground) as reader:
                producer = BrokerProducer(ground.settings.kafka_bootstrap, ground.security)
                seconds.extend([await _opened(ground, producer, reader, number) for number in range(incidents + 1)])
                await producer.stop()
        finally:
            stop.set()

    code = await serve_up(ground, _no_api, also=[story])
    assert code == 0, "the service failed"
    return seconds[1:]


async def _no_api(offer: ApiOffer, stop: asyncio.Event) -> None:
    await stop.wait()


@asynccontextmanager
async def _reader(ground: Ground) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(
        ground.names.incidents,
        bootstrap_servers=ground.settings.kafka_bootstrap,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def _opened(ground: Ground, producer: BrokerProducer, reader: AIOKafkaConsumer, number: int) -> float:
    """Seconds from before the ticks are sent until the incident is read."""
    end_ms = START_MS + (number + 1) * MINUTE_MS
    await producer.send_all([_mismatch(ground.names.telemetry, number, end_ms - MINUTE_MS // 2)])
    started_s = perf_counter()
    await producer.send_all([tick(ground.names.telemetry, partition, to_text(end_ms)) for partition in range(PARTITIONS)])
    async with asyncio.timeout(INCIDENT_S):
        while True:
            line = msgspec.json.decode((await reader.getone()).value)
            if line["scope"] == {"site": f"site-{number:05d}"}:
                return perf_counter() - started_s


def _mismatch(topic: str, number: int, ms: int) -> Message:
    device, at = f"device-{number:05d}", to_text(ms)
    event = {
        "schema": "pms.inference", "schema_version": 1, "event_id": f"e{number}", "product": "benchmark",
        "site_id": f"site-{number:05d}", "device_id": device, "release_id": "benchmark-1", "event_time": at,
        "inference_id": f"i{number}", "score": 0.5, "alert_raised": False, "threshold_applied": 0.5, "features": {},
        "model_digest": "sha256:" + "0" * 64,
    }  # fmt: skip
    headers = (JSON_HEADER, (INGEST_TIME_HEADER, at.encode()))
    return Message(topic, device.encode(), msgspec.json.encode(event), partition_of(device, PARTITIONS), headers)
