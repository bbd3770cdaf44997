"""`pms up` where the broker makes the time: registrations, device clocks, ticks, and records that nobody should have sent."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from aiokafka import AIOKafkaProducer

from surveillance.events.partitioning import partition_of
from surveillance.manifest.digest import canonical_bytes, manifest_digest
from surveillance.store.protocol import Document, Store
from surveillance.times import from_text, to_text
from tests.integration.kafka_log import read_all
from tests.integration.live_service import kafka_settings, summary_at
from tests.integration.pms_process import PmsProcess, run_pms, wait_until
from tests.oracle.streams import manifest
from tests.property.deciding import event
from tests.standins.clickhouse_http_over_chdb import ClickHouseStandIn

pytestmark = [pytest.mark.kafka, pytest.mark.chdb, pytest.mark.slow]

PARTITIONS = 2
DAY_MS = 86_400_000
DEVICES = [
    "d-0",
    *(name for name in map("d-{}".format, range(1, 20)) if partition_of(name, PARTITIONS) != partition_of("d-0", 2)),
][:2]
"""One device for each partition."""


def now_ms() -> int:
    return int(time.time() * 1000)


def inference(number: object, release: str, at_ms: int, device: str = DEVICES[0]) -> bytes:
    own = {"inference_id": str(number), "score": 0.2, "alert_raised": False, "threshold_applied": 0.5, "features": {}}
    told = json.loads(event("inference", number, 0, **own)) | {"device_id": device, "release_id": release}
    del told["ingest_time"]
    return json.dumps(told | {"event_time": to_text(at_ms)}).encode()


def published(
    bootstrap: str, topic: str, values: Sequence[tuple[bytes | None, dict[str, str]]], compression: str | None = None
) -> None:
    """To the partition of the first device, one after the other, each in a batch of its own."""

    async def run() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=bootstrap, compression_type=compression, max_request_size=200_000_000
        ) as producer:
            for value, headers in values:
                where = partition_of(DEVICES[0], PARTITIONS)
                said = [(name, text.encode()) for name, text in headers.items()]
                await producer.send_and_wait(topic, value, key=DEVICES[0].encode(), partition=where, headers=said)

    asyncio.run(run())


def counters(url: str) -> dict[str, float]:
    """Refused events by reason, as /metrics tells them, and the ticks sent under `ticks`."""
    with urlopen(f"{url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {reason: float(count) for reason, count in re.findall(r'pms_events_quarantined_total{reason="([^"]+)"} (\S+)', text)}
    return found | {"ticks": float(re.findall(r"(?m)^pms_ticks_sent_total (\S+)", text)[0])}


def test_the_broker_makes_the_time_and_nothing_that_is_sent_stops_the_worker(
    kafka_bootstrap: str, topic_prefix: str, clickhouse_stand_in: ClickHouseStandIn, http_store: Store, tmp_path: Path
) -> None:
    old, new = (manifest(f"rm-{name}-{topic_prefix}", 1, f"{name}-{topic_prefix}") for name in ("old", "new"))
    settings = kafka_settings(kafka_bootstrap, topic_prefix, clickhouse_stand_in.dsn(), tmp_path)
    del settings["PMS_TIME_SOURCE"]
    run_pms("topics", "create", "--partitions", str(PARTITIONS), environment=settings)
    # The store remembers that one of the two was registered before: it is in force, the other not for a minute.
    digest = manifest_digest(old)
    http_store.append("manifests", [Document("", digest, digest, 0, now_ms() - 600_000, canonical_bytes(old).decode())])
    for name, document in (("old", old), ("new", new)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        run_pms("manifest", "register", str(path), environment=settings)
    started_ms = now_ms()
    of_old, of_new = old["release"]["release_id"], new["release"]["release_id"]
    refused = {"release_unknown": 2, "clock_skew": 1, "decompression_limit": 1, "too_large": 1, "not_json": 2}
    with PmsProcess("up", settings, tmp_path, "up") as running:
        plain: dict[str, str] = {}
        telemetry = f"{topic_prefix}telemetry"
        bomb = gzip.compress(b" " * 60_000_000)
        values: list[tuple[bytes | None, dict[str, str]]] = [
            (inference(0, of_old, now_ms()), plain),
            (inference("too soon", of_new, now_ms()), plain),
            (inference("nobody's", "never-registered", now_ms()), plain),
            (inference("400 days ahead", of_old, now_ms() + 400 * DAY_MS), plain),
            (bomb, {"content-type": "application/json-batch", "content-encoding": "gzip"}),
            (b"", plain),
            (None, plain),
        ]
        published(kafka_bootstrap, telemetry, values)
        published(kafka_bootstrap, telemetry, [(b" " * 50_000_000, plain)], "gzip")
        published(kafka_bootstrap, telemetry, [(inference(1, of_old, now_ms()), plain)])
        last_ms = now_ms()
        url = running.url()

        def time_has_come() -> bool:
            found: Any = summary_at(url)
            said = None if found is None else found["watermark"]
            return found is not None and found["events"] == 9 and said is not None and from_text(said) > last_ms

        wait_until(time_has_come, "ticks carry the watermark past the last event, in both partitions", 60)
        found = summary_at(url)
        assert found is not None
        assert found["counted"] == 2
        assert found["quarantined"] == refused
        assert started_ms < from_text(found["watermark"]) <= now_ms() + 1000, "no device's clock moves time"
        told = counters(url)
        assert told.pop("ticks") >= PARTITIONS
        assert told == refused
        assert running.terminate() == 0, running.said()[-2000:]
    quarantine = [
        json.loads(record.value or b"") for record in read_all(kafka_bootstrap, f"{topic_prefix}quarantine", PARTITIONS)
    ]
    assert Counter(one["reason"] for one in quarantine) == refused
