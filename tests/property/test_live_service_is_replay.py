"""Whatever a worker and an evaluator do in which order, over one partition or several, on a store that fails: the last status is
that of a replay of the same lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.evaluation_service import EvaluationService
from streams.outlet import Outlet
from streams.partitioned_log import PartitionedLog
from streams.producer import Message, NotAcknowledged
from streams.sink import LOG_START
from streams.telemetry_sink import TelemetrySink
from streams.ticks import INGEST_TIME_HEADER, tick
from surveillance.errors import StoreUnavailable
from surveillance.evaluation.global_clock import LogShape
from surveillance.evaluation.status import lines_of_log
from surveillance.events.arrival import arrival_ms
from surveillance.events.partitioning import partition_of
from surveillance.ingest.owned import LogPartition
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from surveillance.times import to_text
from tests.oracle.streams import generate, monitors
from tests.property.folding import HEADER_KEY, Trouble, TroubledStore
from tests.scenario.operations import operation_monitors
from tests.scenario.replaying import Line, of_kind, replayed

TELEMETRY, QUARANTINE = "telemetry", "quarantine"
SEEDS = (1, 2, 3)


@lru_cache
def scenario(seed: int) -> tuple[list[Line], list[bytes], list[Line]]:
    """Manifests, lines, and the status lines and summary of their replay."""
    found = generate(seed, inferences=40, hours=9, watched=[*monitors(), *operation_monitors()])
    said = replayed(found.manifests, found.lines)
    return found.manifests, found.lines, comparable([*of_kind(said, "status"), *of_kind(said, "summary")])


def comparable(lines: Sequence[Any]) -> list[Line]:
    """Without what may differ (interfaces.md, `pms status`)."""
    return [{name: value for name, value in line.items() if name not in ("panes", "signed")} for line in lines]


def published(lines: Sequence[bytes], partitions: int) -> PartitionedLog:
    """The lines as `pms publish` sends them, and a tick at their largest ingest time to every partition."""
    log = PartitionedLog({TELEMETRY: partitions, QUARANTINE: 1})
    times, last_ms = [], 0
    for line in lines:
        found = arrival_ms(line)
        last_ms = last_ms if found is None else found
        times.append(last_ms)
        device = device_of(line)
        partition = 0 if device is None else partition_of(device, partitions)
        key = None if device is None else device.encode()
        log.send_all([Message(TELEMETRY, key, line, partition, ((INGEST_TIME_HEADER, to_text(last_ms).encode()),))])
    log.send_all([tick(TELEMETRY, partition, to_text(max(times))) for partition in range(partitions)])
    return log


def device_of(line: bytes) -> str | None:
    try:
        device = json.loads(line)["device_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return device if isinstance(device, str) else None


@dataclass
class FailingBroker:
    """Acknowledges nothing while it is away; what it took all the same stands in the log twice."""

    log: PartitionedLog
    away: bool = False
    takes: bool = False

    def send_all(self, messages: Sequence[Message], within_s: float | None = None) -> None:
        if not self.away or self.takes:
            self.log.send_all(messages)
        if self.away:
            raise NotAcknowledged("the broker is away")


@dataclass
class Service:
    """A worker over a log in header time and an evaluator, on one store that may fail."""

    log: PartitionedLog
    manifests: Sequence[Line]
    store: Store
    log_id: str
    trouble: Trouble = field(default_factory=Trouble)

    def __post_init__(self) -> None:
        self.partitions = self.log.partitions(TELEMETRY)
        self.registry = Registry(registration_of(manifest, "release") for manifest in self.manifests)
        self.front: Any = TroubledStore(self.store, self.trouble)
        self.broker = FailingBroker(self.log)
        self.restart_worker()
        self.restart_evaluator()

    def restart_worker(self) -> None:
        outlet = Outlet(self.broker, TELEMETRY, QUARANTINE, self.partitions, HEADER_KEY)
        at = LogPartition(self.log_id, TELEMETRY, 0, self.partitions)
        self.sink = TelemetrySink(at, self.front, self.registry, outlet, time_source="header", header_key=HEADER_KEY)
        self.assign()

    def restart_evaluator(self) -> None:
        self.evaluator = EvaluationService(self.front, self.registry, self.log_id, LogShape(self.partitions, None))

    def assign(self) -> None:
        wanted = self.sink.assign(range(self.partitions))
        self.next = {partition: 0 if at == LOG_START else at for partition, at in wanted.items()}

    def fold(self, partition: int, count: int) -> None:
        if records := self.log.read(TELEMETRY, partition, self.next[partition], count):
            insisting(self.trouble, lambda: self.sink.fold(partition, records))
            self.next[partition] = records[-1].offset + 1

    def flush(self) -> None:
        """As the bulk consumer: again until the store takes it."""
        insisting(self.trouble, lambda: self.sink.flush(None))
        self.broker.away = False

    def judge(self) -> None:
        insisting(self.trouble, self.evaluator.step)

    def end(self) -> list[Line]:
        """Broker and store are back, everything is folded and judged."""
        self.broker.away, self.trouble.failing = False, {}
        for partition in range(self.partitions):
            while self.next[partition] < len(self.log.read(TELEMETRY, partition, 0)):
                self.fold(partition, 1000)
        self.flush()
        self.judge()
        return comparable(list(lines_of_log(self.store, self.log_id)))


def insisting(trouble: Trouble, call: Callable[[], object]) -> None:
    """Again until it succeeds; a store that fails at every call comes back after the first failure."""
    while True:
        try:
            call()
            return
        except NotAcknowledged:
            raise  # the caller decides when the broker comes back
        except StoreUnavailable:
            trouble.failing = {}


WRITES = ("write_raw", "write_quarantine", "write_panes", "write_progress")
READS = ("find_raw", "read_panes", "read_progress")
MOVE = st.one_of(
    st.tuples(st.just("fold"), st.integers(0, 3), st.integers(1, 90)),
    st.tuples(st.sampled_from(["flush", "judge"])),
    st.tuples(st.sampled_from(["judge anew", "assign", "restart"])),
    st.tuples(st.just("fail"), st.sampled_from(WRITES + READS), st.booleans()),
    st.tuples(st.just("no broker"), st.booleans()),
)


def move(service: Service, step: tuple[Any, ...]) -> None:
    """One move of the interleaving."""
    match step:
        case ("fold", partition, count):
            service.fold(partition % service.partitions, count)
        case ("flush",):
            try:
                service.flush()
            except NotAcknowledged:
                service.broker.away = False
        case ("judge",):
            service.judge()
        case ("judge anew",):
            service.restart_evaluator()
        case ("assign",):
            insisting(service.trouble, service.assign)
        case ("restart",):
            insisting(service.trouble, service.restart_worker)
        case ("fail", name, landed):
            service.trouble.failing, service.trouble.landed_first = {name: {-1}}, landed
        case ("no broker", takes):
            service.broker.away, service.broker.takes = True, takes


@settings(max_examples=6)
@given(st.sampled_from(SEEDS), st.sampled_from([1, 2, 4]), st.lists(MOVE, max_size=14))
def test_any_interleaving_ends_where_the_replay_ends(seed: int, partitions: int, moves: list[tuple[Any, ...]]) -> None:
    manifests, lines, expected = scenario(seed)
    service = Service(published(lines, partitions), manifests, MemoryStore(), "log")
    for step in moves:
        move(service, step)
    assert service.end() == expected


@pytest.mark.chdb
@pytest.mark.parametrize("partitions", [1, 3])
def test_on_the_embedded_engine_too(chdb_store: Store, log_id: str, partitions: int) -> None:
    manifests, lines, expected = scenario(SEEDS[0])
    service = Service(published(lines, partitions), manifests, chdb_store, log_id)
    hard: list[tuple[Any, ...]] = [
        ("fold", 0, 40), ("fold", 1, 50), ("fail", "write_panes", True), ("flush",), ("judge",), ("fold", 2, 60), ("restart",),
        ("judge anew",), ("fold", 1, 30), ("fail", "write_progress", False), ("flush",), ("judge",),
    ]  # fmt: skip
    for step in hard:
        move(service, step)
    assert service.end() == expected


def test_what_was_refused_stands_in_the_quarantine_topic_whatever_failed() -> None:
    manifests, lines, expected = scenario(SEEDS[1])
    service = Service(published(lines, 2), manifests, MemoryStore(), "log")
    for step in [
        ("fold", 0, 70),
        ("no broker", True),
        ("flush",),
        ("restart",),
        ("fold", 0, 200),
        ("no broker", False),
        ("flush",),
    ]:
        move(service, step)
    assert service.end() == expected
    refused = service.log.read(QUARANTINE, 0, 0)
    named = {record.key: json.loads(record.value or b"")["reason"] for record in refused}
    assert len(named) == sum(expected[-1]["quarantined"].values())
    assert {reason: list(named.values()).count(reason) for reason in named.values()} == expected[-1]["quarantined"]
