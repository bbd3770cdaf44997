"""Workers on a real Kafka killed at random: every event is counted once, wherever the knife fell.

Two workers share eight partitions and a ClickHouse interface; 20 SIGKILLs and two freezes longer than the session happen
while 200,000 events are produced. The panes must then be those of one straight fold of the log, row by row, and the ledger
and the ids in the raw table those that the producer knows of.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streams.header_key import header_key
from streams.producer import Message, send_batches
from streams.publish import register_manifest
from streams.publish_state import log_ends
from streams.security import PLAINTEXT
from streams.ticks import tick
from streams.topics import Log, TopicNames, check_log, create_topics
from surveillance.arrays import Int
from surveillance.events.batch import Kind
from surveillance.events.decode import decode
from surveillance.events.limits import DecodeLimits
from surveillance.ingest.classify import Disposition
from surveillance.ingest.ledger import Ledger
from surveillance.ingest.owned import LogPartition, OwnedPartition
from surveillance.panes.rows import PaneRow
from surveillance.panes.statistics import LEDGER
from surveillance.registering import registration_of
from surveillance.registry import EVER_MS, Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.opening import open_store
from surveillance.store.protocol import Store
from tests.integration.fleet_log import FleetLog, kill_manifest
from tests.integration.kafka_log import read_all
from tests.integration.pms_process import PmsProcess, wait_until
from tests.oracle.times import format_time
from tests.standins.clickhouse_http_over_chdb import ClickHouseStandIn

pytestmark = [pytest.mark.kafka, pytest.mark.chdb, pytest.mark.slow]

PARTITIONS, EVENTS, CHUNK = 8, 200_000, 8_000
KILLS, FREEZES = 20, 2
SESSION_S = "6"


class Workers:
    """Two workers: `steady` keeps its name in the group over restarts, `wandering` is a new member every time."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self._running = {name: self._started(name) for name in ("steady", "wandering")}

    def _started(self, name: str) -> PmsProcess:
        named = {"PMS_INSTANCE_ID": "steady"} if name == "steady" else {}
        return PmsProcess("worker", {**self._environment, **named}, self._folder, name)

    def kill(self, name: str) -> None:
        self._running[name].kill()
        self._running[name] = self._started(name)

    def freeze(self, name: str) -> None:
        self._running[name].freeze()

    def thaw(self, name: str) -> None:
        self._running[name].thaw()

    def assert_alive(self) -> None:
        for process in self._running.values():
            assert process.process.poll() is None, process.said()[-3000:]

    def end(self) -> None:
        for process in self._running.values():
            process.thaw()
            process.kill()


def folded_records(store: Store, log_id: str) -> int:
    return sum(one.offset + 1 for one in store.read_progress(log_id).values())


def is_folded(bootstrap: str, store: Store, log: Log) -> bool:
    """Whether progress stands at the end of every partition, what was rerouted included."""
    ends = asyncio.run(log_ends(bootstrap, log, PLAINTEXT))
    progress = store.read_progress(log.log_id)
    return all(partition in progress and progress[partition].offset + 1 >= end for partition, end in ends.items())


def straight_fold(bootstrap: str, topic: str, log_id: str, key: bytes) -> MemoryStore:
    """The whole log as it stands, each partition folded in one go."""
    store, registry = MemoryStore(), Registry([registration_of(kill_manifest(), "kill")])
    records = read_all(bootstrap, topic, PARTITIONS)
    for partition in range(PARTITIONS):
        owned = OwnedPartition(LogPartition(log_id, topic, partition, PARTITIONS), store, registry)
        mine = [record for record in records if record.partition == partition]
        batch = decode(
            mine,
            partition=partition,
            limits=DecodeLimits(),
            forbidden=registry.forbidden(EVER_MS),
            time_source="header",
            header_key=key,
        )
        for _ in owned.apply(owned.prepare(batch)):
            pass
        owned.flush(lambda refused, strayed: None)
    return store


def comparable(rows: list[PaneRow]) -> dict[object, tuple[int, list[int]]]:
    return {row.key: (row.version, row.counts.tolist()) for row in rows}


def ids_by_disposition(store: Store, log_id: str) -> dict[Disposition, list[tuple[str, str]]]:
    found: dict[Disposition, list[tuple[str, str]]] = {one: [] for one in Disposition}
    for partition in range(PARTITIONS):
        for rows in store.read_raw(log_id, partition, last_offset=2**62, since_ms=0, kinds=[int(kind) for kind in Kind]):
            for number, device, event in zip(rows.disposition.tolist(), rows.device_id, rows.event_id, strict=True):
                found[Disposition(number)].append((device, event))
    return found


def ledger_of(rows: list[PaneRow]) -> Ledger:
    totals: dict[str, int] = {}
    for row in rows:
        if row.key.statistic == LEDGER:
            counts: Int = row.counts
            totals[row.key.group] = totals.get(row.key.group, 0) + int(counts[0])
    return Ledger.of_totals(totals)


def test_killed_workers_count_every_event_once(
    kafka_bootstrap: str, topic_prefix: str, clickhouse_stand_in: ClickHouseStandIn, tmp_path: Path
) -> None:
    create_topics(kafka_bootstrap, topic_prefix, PARTITIONS)
    register_manifest(kafka_bootstrap, topic_prefix, kill_manifest())
    log = check_log(kafka_bootstrap, TopicNames.under(topic_prefix).telemetry)
    store = open_store(clickhouse_stand_in.dsn())
    environment = {
        "PMS_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "PMS_TOPIC_PREFIX": topic_prefix,
        "PMS_GROUP": topic_prefix + "group",
        "PMS_STORE": clickhouse_stand_in.dsn(),
        "PMS_TIME_SOURCE": "header",
        "PMS_ALLOW_UNSIGNED": "true",
        "PMS_SESSION_TIMEOUT_S": SESSION_S,
    }
    fleet = FleetLog(log.topic, PARTITIONS, seed=7)
    workers = Workers(environment, tmp_path)
    try:
        asyncio.run(_produce_among_kills(kafka_bootstrap, fleet, workers, store, log.log_id))
        wait_until(lambda: is_folded(kafka_bootstrap, store, log), "everything is folded")
        workers.assert_alive()
    finally:
        workers.end()
    rows = list(store.read_panes(log.log_id))
    expected = straight_fold(kafka_bootstrap, log.topic, log.log_id, header_key(store, 0))
    assert comparable(rows) == comparable(list(expected.read_panes(log.log_id)))
    assert ledger_of(rows) == ledger_of(list(expected.read_panes(log.log_id)))
    _assert_true(ledger_of(rows), ids_by_disposition(store, log.log_id), fleet)
    store.close()


def _assert_true(ledger: Ledger, ids: Mapping[Disposition, list[tuple[str, str]]], fleet: FleetLog) -> None:
    """Against what the producer knows: as sums, and as sets of ids without a repetition."""
    truth = fleet.truth
    assert ledger.events == truth.produced
    assert dict(ledger.quarantined) == dict(sorted(truth.quarantined.items()))
    assert (ledger.counted, ledger.late, ledger.duplicates) == (len(truth.counted), len(truth.late), truth.duplicates)
    assert sorted(ids[Disposition.COUNTED]) == sorted(truth.counted)
    assert sorted(ids[Disposition.LATE]) == sorted(truth.late)
    assert set(ids[Disposition.DUPLICATE]) <= truth.counted | truth.late


async def _produce_among_kills(bootstrap: str, fleet: FleetLog, workers: Workers, store: Store, log_id: str) -> None:
    """Chunk by chunk; after each a worker is killed or frozen as soon as some random part of it was folded."""
    rng = random.Random(11)
    blows = ["kill"] * KILLS + ["freeze"] * FREEZES
    rng.shuffle(blows)
    produced = 0
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=5) as producer:
        for chunk in fleet.chunks(EVENTS, CHUNK):
            await _send(producer, chunk)
            before, produced = produced, produced + len(chunk)
            if blows:
                await asyncio.to_thread(_await_folded, store, log_id, rng.randrange(before, produced))
                await asyncio.to_thread(
                    _strike, blows.pop(), rng.choice(["steady", "wandering"]), workers, store, log_id, produced
                )
        assert not blows
        await _send(producer, [tick(fleet.topic, partition, format_time(fleet.last_ms)) for partition in range(PARTITIONS)])


async def _send(producer: AIOKafkaProducer, messages: Sequence[Message]) -> None:
    by_partition: dict[int, list[Message]] = {}
    for message in messages:
        assert message.partition is not None
        by_partition.setdefault(message.partition, []).append(message)
    for partition, mine in by_partition.items():
        await send_batches(producer, mine[0].topic, partition, mine)


def _strike(blow: str, name: str, workers: Workers, store: Store, log_id: str, produced: int) -> None:
    if blow == "kill":
        workers.kill(name)
        return
    # Frozen for longer than the session: its partitions go to the other, and when it wakes it believes it owns them.
    workers.freeze(name)
    _await_folded(store, log_id, produced)
    workers.thaw(name)


def _await_folded(store: Store, log_id: str, records: int) -> None:
    wait_until(lambda: folded_records(store, log_id) >= records, f"{records} records are folded")
