"""The production sink: registrations before records, forbidden fields by time, quarantine limit, order of a flush, restarts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from streams.metrics import Metrics
from streams.sink import LOG_START, REFUSED_HEADER, STOPPED
from streams.telemetry_sink import SinkPolicy, TelemetrySink, always
from surveillance.errors import QuarantineLimit, StoreUnavailable
from surveillance.ingest.owned import LogPartition
from surveillance.ingest.quarantine_limit import QuarantinePolicy
from surveillance.registry import IN_FORCE_DELAY_MS, Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from surveillance.times import DAY_MS
from tests.oracle.streams import START_MS
from tests.property.deciding import MINUTE_MS, inference, monitor, release
from tests.property.folding import (
    HEADER_KEY,
    LogRecord,
    Trouble,
    TroubledStore,
    fold_straight,
    ledger_of,
    log_of,
    registration,
    registry_of,
    scenario,
    versioned_panes_of,
)

LOG_ID = "straight"
IDENTITY = monitor("identity", {"type": "identity_mismatch", "fields": ["model_digest"]}, {"pause": {"ge": 1}}, window="w1h")


@dataclasses.dataclass(frozen=True)
class Record(LogRecord):
    """Obeys `streams.sink.Record`."""

    topic: str = "pms.telemetry"
    partition: int = 0


def records_of(lines: Sequence[bytes]) -> list[Record]:
    return [Record(one.offset, one.timestamp, one.value) for one in log_of(lines)]


class Broker:
    """An `Acknowledge` that remembers the reasons it was given, and fails while `away`."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.away = False

    def __call__(self, refused: Sequence[Any], elsewhere: Sequence[Any]) -> None:
        if self.away:
            raise StoreUnavailable("the broker is away")
        self.reasons += [one.reason for one in refused]


def sink_on(store: Any, registry: Registry, broker: Broker | None = None, **options: Any) -> TelemetrySink:
    at = LogPartition(LOG_ID, "pms.telemetry", 0, 1)
    chosen: dict[str, Any] = {"time_source": "append", "header_key": HEADER_KEY} | options
    return TelemetrySink(at, store, registry, broker or Broker(), **chosen)


def watched(in_force_ms: int | None = None, **changes: Any) -> Registry:
    return Registry([registration(release(IDENTITY) | changes, in_force_ms)])


# law 2 through the sink ---------------------------------------------------------------------------------------
READS = ("find_raw", "read_raw", "read_panes", "read_progress", "max_pane_version")
WRITES = ("write_raw", "write_quarantine", "write_panes", "write_progress")
MOVE = st.one_of(
    st.tuples(st.just("fold"), st.integers(1, 60)),
    st.tuples(st.sampled_from(["flush", "assign", "revoke", "other worker", "broker away"])),
    st.tuples(st.just("fail"), st.sampled_from(READS + WRITES), st.booleans()),
)


class Driver:
    """Asks a sink for things in the order that `PartitionSink` promises: a refused list comes again, before any flush."""

    def __init__(self, records: Sequence[Record], registry: Registry) -> None:
        self.records, self.registry, self.store = records, registry, MemoryStore()
        self.trouble, self.broker = Trouble(), Broker()
        self.new_sink()

    def new_sink(self) -> None:
        self.sink = sink_on(TroubledStore(self.store, self.trouble), self.registry, self.broker)
        self.owns = False

    def until_done(self, call: Any) -> Any:
        """Once more after a failure, with everything back."""
        try:
            return call()
        except StoreUnavailable:
            self.trouble.failing, self.broker.away = {}, False
            return call()

    def assign(self) -> None:
        wanted = self.until_done(lambda: self.sink.assign([0]))[0]
        self.next, self.owns = (0 if wanted == LOG_START else wanted), True

    def fold(self, count: int) -> None:
        if not self.owns:
            self.assign()
        if found := self.records[self.next : self.next + count]:
            self.until_done(lambda: self.sink.fold(0, found))
            self.next += len(found)

    def move(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("fold", count):
                self.fold(count)
            case ("flush",) if self.owns:
                self.until_done(lambda: self.sink.flush(None))
            case ("assign",):
                self.assign()
            case ("revoke",):
                self.sink.revoke([0])
                self.owns = False
            case ("other worker",):
                self.until_done(self.new_sink)
            case ("broker away",):
                self.broker.away = True
            case ("fail", name, landed):
                self.trouble.failing, self.trouble.landed_first = {name: {-1}}, landed


@settings(max_examples=15)
@given(st.integers(0, 3), st.lists(MOVE, max_size=14))
def test_whatever_fails_or_is_revoked_the_rows_are_those_of_a_straight_fold(seed: int, moves: list[tuple[Any, ...]]) -> None:
    records = records_of(scenario(seed).lines)
    driver = Driver(records, registry_of(seed))
    for step in moves:
        driver.move(step)
    driver.trouble.failing, driver.broker.away = {}, False
    driver.fold(len(records))
    driver.sink.flush(None)
    straight = fold_straight(registry_of(seed), records)
    assert versioned_panes_of(driver.store, LOG_ID) == versioned_panes_of(straight, LOG_ID)
    assert set(ledger_of(straight, LOG_ID).quarantined) <= set(driver.broker.reasons)
    assert driver.store.read_progress(LOG_ID) == straight.read_progress(LOG_ID)


def test_a_flush_writes_raw_rows_then_has_the_quarantine_acknowledged_then_writes_panes_then_progress() -> None:
    order: list[str] = []

    class Noting:
        def __init__(self, store: Store) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            if name.startswith("write_"):
                order.append(name)
            return getattr(self._store, name)

    class NotingBroker(Broker):
        def __call__(self, refused: Sequence[Any], elsewhere: Sequence[Any]) -> None:
            order.append("acknowledged")
            super().__call__(refused, elsewhere)

    broker = NotingBroker()
    sink = sink_on(Noting(MemoryStore()), watched(), broker, flushed=lambda: order.append("flushed"))
    sink.assign([0])
    sink.fold(0, records_of([inference(1, 0), b"rubbish"]))
    assert sink.flush(None) == {0: 2}
    assert order == ["write_raw", "write_quarantine", "acknowledged", "write_panes", "write_progress", "flushed"]
    assert broker.reasons == ["not_json"]


def test_nothing_is_stored_as_progress_while_the_quarantine_is_not_acknowledged() -> None:
    store, broker = MemoryStore(), Broker()
    sink = sink_on(store, watched(), broker)
    sink.assign([0])
    sink.fold(0, records_of([b"rubbish"]))
    broker.away = True
    with pytest.raises(StoreUnavailable):
        sink.flush(None)
    assert store.read_progress(LOG_ID) == {}
    assert list(store.read_panes(LOG_ID)) == []
    broker.away = False
    assert sink.flush(None) == {0: 1}
    assert broker.reasons == ["not_json"]


# registrations ------------------------------------------------------------------------------------------------
def test_records_wait_until_every_registration_that_may_govern_them_is_known() -> None:
    known, store = [START_MS - IN_FORCE_DELAY_MS], MemoryStore()
    registry = Registry()
    sink = sink_on(store, registry, registrations_ms=lambda: known[0])
    sink.assign([0])
    records = records_of([inference(1, 0)])
    with pytest.raises(StoreUnavailable, match="releases topic"):
        sink.fold(0, records)
    registry.add(registration(release(IDENTITY), START_MS - 1))  # read meanwhile
    known[0] = START_MS
    sink.fold(0, records)
    sink.flush(None)
    assert ledger_of(store, LOG_ID).counted == 1


def test_in_header_time_nothing_is_waited_for() -> None:
    sink = sink_on(MemoryStore(), watched(), time_source="header", registrations_ms=lambda: 0)
    sink.assign([0])
    sink.fold(0, records_of([inference(1, 0)]))
    assert always() > START_MS * 1000


def test_within_one_fetch_a_field_is_forbidden_from_the_moment_its_manifest_is_in_force() -> None:
    store, broker = MemoryStore(), Broker()
    forbids = release(IDENTITY, revision=2) | {"privacy": {"forbid": ["mrn"]}}
    registry = watched()
    registry.add(registration(forbids, START_MS + MINUTE_MS))
    sink = sink_on(store, registry, broker)
    sink.assign([0])
    sink.fold(0, records_of([inference(n, at, mrn="12345") for n, at in enumerate((0, MINUTE_MS - 1, MINUTE_MS, 2 * MINUTE_MS))]))
    sink.flush(None)
    assert ledger_of(store, LOG_ID).counted == 2
    assert broker.reasons == ["forbidden_field"] * 2
    assert all(one.payload is None for one in store.read_quarantine(LOG_ID))


# quarantine limit ---------------------------------------------------------------------------------------------
STRICT = SinkPolicy(quarantine=QuarantinePolicy(consecutive=3))


def stopped_store() -> MemoryStore:
    """Partition 0 was stopped by three unreadable records, and stores that."""
    store = MemoryStore()
    sink = sink_on(store, watched(), policy=STRICT)
    sink.assign([0])
    with pytest.raises(QuarantineLimit):
        sink.fold(0, records_of([b"x", b"y", b"z"]))
    assert sink.flush(None) == {0: 3}
    return store


def test_over_the_limit_the_partition_stops_with_what_it_folded_stored_and_its_reason() -> None:
    store = stopped_store()
    (progress,) = store.read_progress(LOG_ID).values()
    assert progress.offset == 2
    assert progress.stopped.startswith("quarantine_limit: ")
    assert ledger_of(store, LOG_ID).quarantined == {"not_json": 3}


def test_a_store_that_fails_meanwhile_does_not_let_the_limit_be_missed() -> None:
    store, trouble = MemoryStore(), Trouble()
    before = sink_on(store, watched())
    before.assign([0])
    before.fold(0, [Record(0, START_MS + 30 * DAY_MS, inference(1, 30 * DAY_MS))])
    before.flush(None)
    sink = sink_on(TroubledStore(store, trouble), watched(), policy=STRICT)
    sink.assign([0])
    records = [Record(offset, START_MS, b"x") for offset in (1, 2, 3)]
    trouble.failing = {"read_panes": {-1}}  # panes of a month ago are not in memory
    with pytest.raises(StoreUnavailable):
        sink.fold(0, records)
    trouble.failing = {}
    with pytest.raises(QuarantineLimit):
        sink.fold(0, records)


def test_a_rebalance_does_not_let_it_go_on_and_a_restart_by_a_person_does() -> None:
    store = MemoryStore()
    running = [sink_on(store, watched(), policy=STRICT) for _ in range(2)]
    running[0].assign([0])
    with pytest.raises(QuarantineLimit):
        running[0].fold(0, records_of([b"x", b"y", b"z"]))
    running[0].flush(None)
    for sink in running:
        assert sink.assign([0]) == {0: STOPPED}
    assert sink_on(store, watched(), policy=STRICT).assign([0]) == {0: 3}


def test_workers_that_start_together_after_a_stop_lose_nothing_by_the_rebalances_of_starting() -> None:
    first, second = (sink_on(stopped_store(), watched(), policy=STRICT) for _ in range(2))
    for sink in (first, second):
        assert sink.assign([0]) == {0: 3}
        assert sink.assign([0]) == {0: 3}, "a second worker joined before anything was read"


def test_after_going_on_the_next_stop_waits_for_a_person_again_wherever_the_partition_goes() -> None:
    store = stopped_store()
    first, second = (sink_on(store, watched(), policy=STRICT) for _ in range(2))
    assert first.assign([0]) == {0: 3}
    more = [Record(offset, START_MS, b"x") for offset in (3, 4, 5)]
    with pytest.raises(QuarantineLimit):
        first.fold(0, more)
    first.flush(None)
    assert second.assign([0]) == {0: STOPPED}
    assert first.assign([0]) == {0: STOPPED}


def test_a_partition_that_goes_on_says_so_in_its_progress() -> None:
    store = stopped_store()
    sink = sink_on(store, watched(), policy=STRICT)
    sink.assign([0])
    sink.fold(0, [Record(3, START_MS, inference(1, 0))])
    sink.flush(None)
    assert store.read_progress(LOG_ID)[0].stopped == ""


# what the consumer refused to unpack --------------------------------------------------------------------------
def test_a_batch_that_was_not_unpacked_is_quarantined_under_its_reason_and_counted() -> None:
    store, broker, metrics = MemoryStore(), Broker(), Metrics(CollectorRegistry())
    sink = sink_on(store, watched(), broker, metrics=metrics)
    sink.assign([0])
    bomb = Record(0, START_MS, None, headers=((REFUSED_HEADER, b"decompression_limit"),))
    sink.fold(0, [bomb, Record(1, START_MS, inference(1, 0), headers=((REFUSED_HEADER, b"decompression_limit"),))])
    sink.flush(None)
    assert broker.reasons == ["decompression_limit"]
    assert ledger_of(store, LOG_ID).counted == 1, "on a record with a value the header means nothing"
    counted = metrics.registry.get_sample_value("pms_events_quarantined_total", {"reason": "decompression_limit"})
    assert counted == 1.0


def test_a_gap_stops_the_partition_under_its_own_reason_with_the_range() -> None:
    store = MemoryStore()
    sink = sink_on(store, watched())
    sink.assign([0])
    sink.gap(0, 5, 10, 20)
    sink.flush(None)
    assert store.read_progress(LOG_ID)[0].stopped == "ledger_gap: offset 5 is wanted, the log holds 10 to 20"
