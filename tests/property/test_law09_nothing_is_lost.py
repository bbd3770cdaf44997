"""Law 9: produced = counted + duplicates + quarantined + late, per producer, as sets of ids; whatever dies on the way."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.errors import StoreUnavailable
from surveillance.events.batch import EventBatch
from surveillance.events.headers import Origin, sign_origin
from surveillance.events.partitioning import partition_of
from surveillance.ingest.classify import Disposition
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Quarantined
from tests.oracle.ledger import Ledger as OracleLedger
from tests.oracle.policy import Registry as OracleRegistry
from tests.property.folding import (
    HEADER_KEY,
    TOPIC,
    Died,
    LogRecord,
    Owner,
    Trouble,
    TroubledStore,
    decoded,
    fold_straight,
    ledger_of,
    log_of,
    owner,
    panes_of,
    registration,
    registry_of,
    scenario,
)

KINDS = list(range(10))
SEEDS = st.integers(0, 7)
STANDING = {Disposition.COUNTED: "counted", Disposition.DUPLICATE: "duplicate", Disposition.LATE: "late"}


def where_events_went(store: MemoryStore, log_id: str) -> dict[str, list[int]]:
    """Offsets by what became of the event there, as the raw and the quarantine table have them."""
    found: dict[str, list[int]] = defaultdict(list)
    for rows in store.read_raw(log_id, 0, last_offset=10**9, since_ms=-(2**62), kinds=KINDS):
        for offset, disposition in zip(rows.offset.tolist(), rows.disposition.tolist(), strict=True):
            found[STANDING[Disposition(disposition)]].append(offset)
    found["quarantined"] = [row.offset for row in store.read_quarantine(log_id, limit=10**6)]
    return found


def producers_of(store: MemoryStore, log_id: str) -> Counter:
    """(device, event id) of all raw rows."""
    found: Counter = Counter()
    for rows in store.read_raw(log_id, 0, last_offset=10**9, since_ms=-(2**62), kinds=KINDS):
        found.update(zip(rows.device_id, rows.event_id, strict=True))
    return found


@settings(max_examples=15)
@given(SEEDS, st.lists(st.tuples(st.integers(10, 200), st.integers(0, 8), st.booleans()), max_size=6))
def test_every_record_is_in_exactly_one_class_whatever_dies_on_the_way(seed, lives):
    records, registry, store = log_of(scenario(seed).lines), registry_of(seed), MemoryStore()
    front = TroubledStore(store, Trouble())
    worker = Owner(front, "log", registry)
    for count, dies_at, landed in lives:
        front.trouble = Trouble(dies_at_write=dies_at, after_it_landed=landed)
        try:
            worker.step(records, count, flush=True)
        except Died:
            front.trouble = Trouble()
            worker.take_over()
    front.trouble = Trouble()
    worker.finish(records)
    went = where_events_went(store, "log")
    assert sorted(offset for offsets in went.values() for offset in offsets) == [record.offset for record in records]
    ledger = ledger_of(store, "log")
    assert (ledger.counted, ledger.duplicates, ledger.late) == tuple(map(len, (went["counted"], went["duplicate"], went["late"])))
    assert sum(ledger.quarantined.values()) == len(went["quarantined"])


@settings(max_examples=10)
@given(SEEDS)
def test_each_producer_finds_its_ids_again_in_the_class_the_oracle_names(seed):
    found = scenario(seed)
    oracle = OracleLedger(OracleRegistry(found.manifests))
    for line in found.lines:
        oracle.feed(line)
    store = fold_straight(registry_of(seed), log_of(found.lines))
    kept: Counter = Counter()
    for rows in store.read_raw("straight", 0, last_offset=10**9, since_ms=-(2**62), kinds=KINDS):
        for device, event_id, disposition in zip(rows.device_id, rows.event_id, rows.disposition.tolist(), strict=True):
            kept[device, event_id, STANDING[Disposition(disposition)]] += 1
    word = {"counted": "counted", "duplicates": "duplicate", "late": "late"}
    expected = Counter((e.document["device_id"], e.document["event_id"], word[e.standing]) for e in oracle.events)
    assert kept == expected
    assert Counter(row.reason for row in store.read_quarantine("straight", limit=10**6)) == oracle.quarantined


class ReroutingBroker:
    """A topic of several partitions whose workers produce events of other partitions again, as the service does."""

    def __init__(self, partitions: int) -> None:
        self.logs: list[list[LogRecord]] = [[] for _ in range(partitions)]

    def append(self, partition: int, record: LogRecord) -> None:
        """At the end of the partition's log, with its own broker time."""
        self.logs[partition].append(
            LogRecord(len(self.logs[partition]), record.timestamp, record.value, record.key, record.headers)
        )

    def reroute(self, refused: Sequence[Quarantined], elsewhere: Sequence[tuple[EventBatch, int]]) -> None:
        """The acknowledgment of a flush: each event goes to its own partition with its original coordinates."""
        for batch, row in elsewhere:
            value, at_ms = batch.payloads[row], int(batch.broker_ms[row])
            origin = Origin(TOPIC, batch.partition, int(batch.offset[row]), int(batch.index[row]), at_ms)
            home = partition_of(json.loads(value)["device_id"], len(self.logs))
            # The broker's own time is later: the origin's time is what counts.
            self.append(home, LogRecord(0, at_ms + 90_000, value, None, sign_origin(origin, value, HEADER_KEY)))


@settings(max_examples=8)
@given(SEEDS, st.integers(2, 4), st.lists(st.sampled_from([None, 1, 3, 4, 5]), min_size=1, max_size=4))
def test_a_producer_with_another_partitioner_has_its_events_rerouted_and_counted_once(seed, partitions, deaths):
    """A stranger's records lie at the first partition. Its owner may die after it produced them again and before its panes.

    One revision only: registrations are looked up when a record was appended, which is later for those produced again.
    """
    registry = Registry(registration(document) for document in scenario(seed).manifests if document["revision"] == 1)
    lines, store = readable_lines(seed), MemoryStore()
    broker = ReroutingBroker(partitions)
    for record in log_of(lines):
        broker.append(0, record)
    straight = fold_straight(registry, log_of(lines))
    for dies_at in (*deaths, None):
        front = TroubledStore(store, Trouble(dies_at_write=dies_at))
        first = owner(front, "log", registry, partition=0, partitions=partitions)
        rest = broker.logs[0][first.offset + 1 :]
        try:
            if rest:
                first.take(decoded(rest))
            first.flush(broker.reroute)
        except (Died, StoreUnavailable):
            continue
    for partition in range(partitions):
        worker = owner(store, "log", registry, partition=partition, partitions=partitions)
        rest = broker.logs[partition][worker.offset + 1 :]
        if rest:
            worker.take(decoded(rest, partition=partition))
        worker.flush(broker.reroute)
    assert ledger_of(store, "log") == ledger_of(straight, "straight")
    total: Counter = Counter()
    for key, counts in panes_of(store, "log").items():
        total.update({(key._replace(partition=0), column): count for column, count in enumerate(counts) if count})
    expected = {
        (key, column): count
        for key, counts in panes_of(straight, "straight").items()
        for column, count in enumerate(counts)
        if count
    }
    assert {at: count for at, count in total.items() if count} == expected


@lru_cache(maxsize=16)
def readable_lines(seed: int) -> list[bytes]:
    """Events whose device can be read: what cannot be read is quarantined where it lies."""
    records = log_of(scenario(seed).lines)
    readable = set(decoded(records).offset.tolist())
    return [record.value for record in records if record.offset in readable and record.value]


def test_an_event_produced_again_twice_is_an_echo_and_outside_the_ledger():
    value = readable_lines(0)[0]
    at_ms = log_of([value])[0].timestamp
    headers = sign_origin(Origin(TOPIC, 1, 17, 0, at_ms), value, HEADER_KEY)
    store = MemoryStore()
    worker = Owner(store, "log", registry_of(0))
    records = [LogRecord(offset, at_ms + offset * 1000, value, None, headers) for offset in range(3)]
    for _ in records:
        worker.step(records, 1, flush=True)
        worker.take_over()
    assert (ledger_of(store, "log").events, ledger_of(store, "log").counted) == (1, 1)


def test_an_echo_of_an_event_that_memory_has_forgotten_is_still_one():
    """Repaired after weeks, produced again twice: the origin's broker time lies before all that memory holds."""
    value, other = readable_lines(0)[0], readable_lines(0)[-1]
    at_ms = log_of([value])[0].timestamp
    later_ms = at_ms + 60 * 86_400_000
    headers = sign_origin(Origin(TOPIC, 1, 17, 0, at_ms), value, HEADER_KEY)
    records = [
        LogRecord(0, later_ms, other),
        LogRecord(1, later_ms, value, None, headers),
        LogRecord(2, later_ms, other),
        LogRecord(3, later_ms, value, None, headers),
    ]
    store = MemoryStore()
    worker = Owner(store, "log", registry_of(0))
    for _ in records:
        worker.step(records, 1, flush=True)
    assert ledger_of(store, "log").events == 3


def test_nobody_without_the_key_can_claim_another_origin():
    value = readable_lines(0)[0]
    at_ms = log_of([value])[0].timestamp
    forged = sign_origin(Origin(TOPIC, 1, 17, 0, at_ms - 1), value, b"another key")
    assert decoded([LogRecord(0, at_ms, value, None, forged)]).origins == {}
    assert decoded([LogRecord(0, at_ms, value, None, forged)]).broker_ms.tolist() == [at_ms]
