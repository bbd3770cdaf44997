"""The engine between Kafka and ingest on a real broker: what reaches the sink, once, in order, whoever owns the partition."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest
from faust.types import EventT

from streams.faust_app import AgentPlan, WorkerSettings
from streams.topics import check_log, create_topics
from tests.integration.kafka_log import committed, delete_before, delete_topic, send, send_in_transaction
from tests.integration.recording_sink import POISON, QUICK, Ledger, RunningWorker, wait_until

pytestmark = pytest.mark.kafka

PARTITIONS = 4


@pytest.fixture
def settings(kafka_bootstrap: str, topic_prefix: str) -> WorkerSettings:
    """Of a worker on a telemetry topic of its own, which is empty."""
    create_topics(kafka_bootstrap, topic_prefix, PARTITIONS)
    return WorkerSettings(
        kafka_bootstrap,
        topic_prefix + "telemetry",
        group=topic_prefix + "group",
        pace=QUICK,
        session_timeout_s=6.0,
        heartbeat_interval_s=0.2,
        rebalance_timeout_s=10.0,
        request_timeout_s=10.0,
    )


@pytest.fixture
def produce(settings: WorkerSettings) -> Callable[..., None]:
    """Sends so many more numbered records to each partition."""
    sent = dict.fromkeys(range(PARTITIONS), 0)

    def run(count: int, partitions: range | tuple[int, ...] = range(PARTITIONS)) -> None:
        values = {p: [b"%d" % number for number in range(sent[p], sent[p] + count)] for p in partitions}
        send(settings.bootstrap, settings.telemetry_topic or "", values)
        for partition in partitions:
            sent[partition] += count

    return run


def counted_once(ledger: Ledger, count: int) -> bool:
    return all(ledger.counted[partition] == list(range(count)) for partition in range(PARTITIONS))


def folded(worker: RunningWorker) -> float:
    return sum(worker.metric("pms_records_folded_total", partition=str(p)) for p in range(PARTITIONS))


class TestRebalance:
    def test_every_record_counts_once_while_workers_come_and_go(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        ledger, rounds = Ledger(), 12

        def produce_all() -> None:
            for _ in range(rounds):
                produce(200)

        producing = threading.Thread(target=produce_all)
        with RunningWorker(settings, ledger) as first:
            producing.start()
            for _ in range(2):
                with RunningWorker(settings, ledger) as second:
                    wait_until(lambda: len(first.status.moving) == len(second.status.moving) == 2, what="they share")
                assert second.code == 0
                assert second.sink.breaches == []
            producing.join()
            wait_until(lambda: ledger.total() == 200 * rounds * PARTITIONS)
            assert first.metric("pms_rebalances_total") >= 3
        assert first.code == 0
        assert first.sink.breaches == []
        assert counted_once(ledger, 200 * rounds)

    def test_a_revoke_flush_that_times_out_with_a_fetched_list_still_in_flight(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        ledger = Ledger()
        produce(50)
        first = RunningWorker(settings, ledger)
        with ExitStack() as hold:
            hold.enter_context(first.sink.faults.held("fold"))
            with first:
                wait_until(lambda: "fold" in first.sink.faults.waiting, what="a list is in flight")
                with RunningWorker(settings, ledger) as second:
                    wait_until(lambda: first.metric("pms_revoke_flush_timeouts_total") == 1, what="the flush is given up")
                    wait_until(lambda: ledger.total() == 50 * 2, what="the new owner counts what it took over")
                    assert len(second.status.moving) == 2
                    assert first.status.waiting_for == "store"
                    # Now the list in flight and the flush that was given up reach the store, from one who may have lost them.
                    hold.close()
                    wait_until(lambda: ledger.total() == 50 * PARTITIONS)
                    produce(50)
                    wait_until(lambda: ledger.total() == 100 * PARTITIONS)
                # The rest of that fetch belongs to an assignment that is over.
                assert first.metric("pms_lists_discarded_total", reason="stale_epoch") > 0
        assert first.sink.breaches == second.sink.breaches == []
        assert counted_once(ledger, 100)

    def test_nothing_is_flushed_at_a_rebalance_while_a_list_is_folded_in_part(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        ledger = Ledger()
        with RunningWorker(settings, ledger) as first:
            first.sink.faults.failing.add("fold 1")
            produce(10)
            wait_until(lambda: first.sink.faults.seen["fold 1"] >= 2)
            with RunningWorker(settings, ledger) as second:
                wait_until(lambda: ledger.total() >= 10 * 2)
                first.sink.faults.failing.clear()
                wait_until(lambda: ledger.total() == 10 * PARTITIONS)
        assert first.sink.breaches == second.sink.breaches == []
        assert counted_once(ledger, 10)

    def test_a_fault_of_the_sink_at_a_rebalance_ends_the_worker(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        """The client would log it and go on; the next owner folds what was not flushed."""
        ledger = Ledger()
        produce(10)
        with RunningWorker(replace(settings, pace=replace(QUICK, flush_interval_s=3600.0)), ledger) as first:
            wait_until(lambda: folded(first) == 10 * PARTITIONS)
            first.sink.faults.broken.add("flush")
            with RunningWorker(settings, ledger) as second:
                assert first.ended() == 1
                wait_until(lambda: ledger.total() == 10 * PARTITIONS)
            assert second.code == 0
        assert counted_once(ledger, 10)

    def test_a_worker_without_a_partition_is_ready_and_its_sink_knows(self, settings: WorkerSettings) -> None:
        ledger = Ledger()
        topic = (settings.telemetry_topic or "").removesuffix("telemetry") + "incidents"  # has one partition
        with RunningWorker(replace(settings, telemetry_topic=topic), ledger) as first:
            wait_until(lambda: first.status.ready)
            with RunningWorker(replace(settings, telemetry_topic=topic), ledger) as second:
                wait_until(lambda: first.status.ready and second.status.ready, what="both are ready")
                assert sorted([first.status.moving, second.status.moving], key=len) == [frozenset(), frozenset({0})]
                idle = first if not first.status.moving else second
                wait_until(lambda: idle.sink.assignments[-1:] == [frozenset()])

    def test_a_restart_begins_at_the_progress_of_the_store_whatever_the_group_committed(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        ledger, topic = Ledger(), settings.telemetry_topic or ""
        produce(30)
        with RunningWorker(settings, ledger):
            wait_until(lambda: ledger.total() == 30 * PARTITIONS)
        # For those who watch the group's lag.
        assert committed(settings.bootstrap, settings.group) == {(topic, p): 30 for p in range(PARTITIONS)}
        ledger.progress = dict.fromkeys(range(PARTITIONS), 10)
        with RunningWorker(settings, ledger) as again:
            wait_until(lambda: folded(again) == 20 * PARTITIONS)
        assert counted_once(ledger, 30)


class TestGap:
    @pytest.mark.parametrize(
        ("case", "progress", "log_start"), [("topic recreated", 500, 0), ("retention past the stored progress", 3, 8)]
    )
    def test_topic_recreated_and_retention_past_the_stored_progress(
        self, settings: WorkerSettings, produce: Callable[..., None], case: str, progress: int, log_start: int
    ) -> None:
        ledger = Ledger()
        produce(20)
        if log_start:
            delete_before(settings.bootstrap, settings.telemetry_topic or "", 0, log_start)
        ledger.progress[0] = progress
        with RunningWorker(settings, ledger) as worker:
            wait_until(lambda: ledger.total() == 20 * (PARTITIONS - 1), what=case)
            produce(5)
            wait_until(lambda: ledger.total() == 25 * (PARTITIONS - 1), what="the others go on")
            assert worker.sink.gaps == [(0, progress, log_start, 20)]
            assert f"offset {progress} is outside the log, which has {log_start} to 20" in worker.status.stopped[0]
            assert worker.status.moving == {1, 2, 3}
            assert worker.metric("pms_partition_stopped", partition="0") == 1
            wait_until(lambda: worker.sink.faults.seen["flush"] > 0)
        assert ledger.counted[0] == []

    def test_retention_while_the_store_is_down_is_seen_when_it_is_back(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        ledger = Ledger()
        with RunningWorker(settings, ledger) as worker:
            produce(10)
            wait_until(lambda: ledger.total() == 10 * PARTITIONS)
            worker.sink.faults.failing.add("fold 0")
            produce(10)
            wait_until(lambda: worker.sink.faults.seen["fold 0"] > 1)
            delete_before(settings.bootstrap, settings.telemetry_topic or "", 0, 15)
            wait_until(lambda: bool(worker.sink.gaps), what="the gap is seen")
            assert worker.sink.gaps == [(0, 10, 15, 20)]
            wait_until(lambda: ledger.total() == 10 * PARTITIONS + 10 * (PARTITIONS - 1))
        assert worker.sink.breaches == []

    def test_a_topic_made_anew_while_it_is_read_ends_the_worker(
        self, settings: WorkerSettings, produce: Callable[..., None], topic_prefix: str
    ) -> None:
        """Its offsets would mean other records; the restart finds another log."""
        ledger, topic = Ledger(), topic_prefix + "telemetry"
        produce(10)
        log = check_log(settings.bootstrap, topic)
        with RunningWorker(replace(settings, log_id=log.log_id), ledger) as worker:
            wait_until(lambda: ledger.total() == 10 * PARTITIONS)
            delete_topic(settings.bootstrap, topic)
            create_topics(settings.bootstrap, topic_prefix, PARTITIONS)
            send(settings.bootstrap, topic, {p: [b"another log"] * 20 for p in range(PARTITIONS)})
            assert worker.ended() == 1
        assert counted_once(ledger, 10)


class TestPoison:
    def test_one_partition_stopped_by_poison_while_the_rest_go_on(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        ledger = Ledger()
        produce(10)
        send(settings.bootstrap, settings.telemetry_topic or "", {2: [POISON]})
        with RunningWorker(settings, ledger) as worker:
            wait_until(lambda: 2 in worker.status.stopped)
            produce(10)
            wait_until(lambda: ledger.total() == 20 * 3 + 10, what="what came before the poison is stored, others go on")
            wait_until(lambda: worker.status.ready and worker.status.moving == {0, 1, 3})
            assert worker.metric("pms_partition_stopped", partition="2") == 1
        with RunningWorker(settings, ledger) as again:
            wait_until(lambda: again.status.ready)
            assert again.status.stopped == {2: "it was stopped before"}
        assert ledger.counted[2] == list(range(10))
        assert worker.sink.breaches == again.sink.breaches == []


class TestStoreDown:
    @pytest.mark.parametrize("call", ["assign", "fold", "fold 1", "flush"])
    def test_it_is_tried_again_with_back_off_and_agents_go_on(
        self, settings: WorkerSettings, produce: Callable[..., None], topic_prefix: str, call: str
    ) -> None:
        ledger, heard = Ledger(), Heard(topic_prefix + "incidents")
        worker = RunningWorker(settings, ledger, [heard.agent()])
        worker.sink.faults.failing.add(call)
        produce(10)
        with worker:
            wait_until(lambda: worker.sink.faults.seen[call] >= 4, what="it is tried again")
            assert worker.status.waiting_for == "store"
            assert worker.metric("pms_store_unavailable") == 1
            send(settings.bootstrap, heard.topic, {0: [b"command"]})
            wait_until(lambda: heard.values == [b"command"], what="the agent gets its record")
            assert worker.metric("pms_store_failures_total", call=call.split()[0]) >= 3
            assert ledger.total() == 0
            worker.sink.faults.failing.clear()
            wait_until(lambda: ledger.total() == 10 * PARTITIONS)
            wait_until(lambda: worker.status.ready and worker.metric("pms_store_unavailable") == 0)
        assert worker.sink.breaches == []
        assert counted_once(ledger, 10)

    def test_fetching_pauses_so_what_waits_in_memory_is_bounded(self, settings: WorkerSettings) -> None:
        pace = replace(QUICK, fetch_partition_bytes=32_768, fetch_bytes=32_768 * PARTITIONS)
        ledger, count, value = Ledger(), 300, bytes(16_384)
        with RunningWorker(replace(settings, pace=pace), ledger) as worker:
            wait_until(lambda: worker.status.ready)
            worker.sink.faults.failing.add("flush")
            send(settings.bootstrap, settings.telemetry_topic or "", {p: [value] * count for p in range(PARTITIONS)})
            wait_until(lambda: worker.sink.faults.seen["flush"] >= 6)
            before = folded(worker)
            wait_until(lambda: worker.sink.faults.seen["flush"] >= 10)
            assert 0 < before == folded(worker) < count * PARTITIONS
            worker.sink.faults.failing.clear()
            wait_until(lambda: ledger.total() == count * PARTITIONS)
        assert worker.sink.largest_list <= 2
        assert counted_once(ledger, count)

    def test_a_fault_that_is_no_outage_ends_the_worker_and_advances_nothing(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        for call in ("assign", "fold", "flush"):
            ledger = Ledger()
            worker = RunningWorker(settings, ledger)
            worker.sink.faults.broken.add(call)
            produce(1)
            with worker:
                assert worker.ended() == 1, call
            assert ledger.total() == 0, call


class TestFlush:
    def test_a_sink_that_wants_a_flush_later_is_asked_again_without_another_record(
        self, settings: WorkerSettings, produce: Callable[..., None]
    ) -> None:
        ledger = Ledger()
        worker = RunningWorker(replace(settings, pace=replace(QUICK, flush_interval_s=600.0)), ledger)
        worker.sink.refuses_flushes = 4
        produce(1, (0,))
        with worker:
            wait_until(lambda: ledger.total() == 1, what="the record is flushed long before the interval is over")


class TestTransactions:
    def test_an_aborted_transaction_is_not_counted_and_the_gap_it_leaves_is_none(
        self, settings: WorkerSettings, topic_prefix: str
    ) -> None:
        topic, ledger = topic_prefix + "telemetry", Ledger()
        with RunningWorker(settings, ledger) as worker:
            send_in_transaction(settings.bootstrap, topic, [b"kept 1", b"kept 2"], commit=True)
            send_in_transaction(settings.bootstrap, topic, [b"aborted"] * 3, commit=False)
            send(settings.bootstrap, topic, {0: [b"plain"]})
            send_in_transaction(settings.bootstrap, topic, [b"kept 3"], commit=True)
            wait_until(lambda: len(ledger.values[0]) == 4)
            assert ledger.values[0] == [b"kept 1", b"kept 2", b"plain", b"kept 3"]
            assert ledger.counted[0][-1] >= 7  # the markers and the aborted records have offsets, too
            assert worker.sink.breaches == []
            assert worker.sink.gaps == []


class Heard:
    """What an agent on a topic was given."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.values: list[bytes] = []

    def agent(self, *, from_start: bool = False) -> AgentPlan:
        return AgentPlan(self.topic, self._take, from_start=from_start)

    async def _take(self, event: EventT[bytes]) -> None:
        self.values.append(bytes(event.value))


class TestAgents:
    def test_an_agent_goes_on_where_it_committed_or_begins_again_as_its_plan_says(
        self, settings: WorkerSettings, topic_prefix: str
    ) -> None:
        runs = [self.run_once(settings, topic_prefix, [b"a", b"b"]), self.run_once(settings, topic_prefix, [b"c"])]
        assert [committing for committing, _ in runs] == [[b"a", b"b"], [b"c"]]
        assert [replaying for _, replaying in runs] == [[b"a", b"b"], [b"a", b"b", b"c"]]

    def run_once(self, settings: WorkerSettings, topic_prefix: str, new: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """What an agent of either kind hears in one run of a worker, with these values sent to both topics."""
        committing, replaying = Heard(topic_prefix + "incidents"), Heard(topic_prefix + "triggers")
        with RunningWorker(settings, Ledger(), [committing.agent(), replaying.agent(from_start=True)]) as worker:
            wait_until(lambda: worker.status.ready)
            for heard in (committing, replaying):
                send(settings.bootstrap, heard.topic, {0: new})
            wait_until(lambda: new[-1] in committing.values and new[-1] in replaying.values)
        return committing.values, replaying.values

    def test_an_agent_whose_committed_offset_left_the_log_begins_at_its_start(
        self, settings: WorkerSettings, topic_prefix: str, produce: Callable[..., None]
    ) -> None:
        incidents = topic_prefix + "incidents"
        send(settings.bootstrap, incidents, {0: [b"a"]})
        before, after, ledger = Heard(incidents), Heard(incidents), Ledger()
        with RunningWorker(settings, ledger, [before.agent()]):
            wait_until(lambda: before.values == [b"a"])
        send(settings.bootstrap, incidents, {0: [b"b", b"c", b"d"]})
        delete_before(settings.bootstrap, incidents, 0, 3)
        produce(1)
        with RunningWorker(settings, ledger, [after.agent()]):
            wait_until(lambda: after.values == [b"d"])
            wait_until(lambda: ledger.total() == PARTITIONS)
