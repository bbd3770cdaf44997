"""A Faust consumer that hands whole fetched lists of the data topic to a sink; other topics go to ordinary agents.

A Faust agent that does nothing moves about fifty times fewer messages than this, because of what is done per message.
Private methods of Faust are overridden; `tests/contract/test_faust_private_methods.py` fails when one of them changes.

            assignment                fetched list                          interval, or the sink asks
  revoked ───────────▶ loading ─────────────────────▶ folding ◀──────────────────────────────────▶ flushing
     ▲                  │  ▲                             │                                             │
     │                  ▼  │ back-off                    │ QuarantineLimit, gap: that partition stops  ▼ StoreUnavailable
     └── rebalance ── store unavailable                  └─▶ stopped (the others go on)         paused, back-off, again
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, cast

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.consumer import RecordMap, ensure_TP
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport, server_list
from faust.types import TP, AppT
from mode import ServiceT, get_logger
from yarl import URL

from streams.metrics import Metrics
from streams.partition_feed import PartitionFeed
from streams.security import Security
from streams.sink import LOG_START, STOPPED, PartitionSink, Record
from streams.sink_lane import SinkLane
from streams.worker_status import WorkerStatus
from surveillance.errors import QuarantineLimit, StoreUnavailable

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of the consumer, in seconds, and bounds of one fetch, in bytes."""

    flush_interval_s: float = 2.0
    revoke_flush_s: float = 5.0
    stop_flush_s: float = 15.0
    backoff_first_s: float = 0.25
    backoff_last_s: float = 10.0
    fetch_partition_bytes: int = 4 * 1024 * 1024
    fetch_bytes: int = 32 * 1024 * 1024
    fetch_wait_ms: int = 250


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What the consumer works for. Topics in `from_start` are read from their beginning after every assignment."""

    topic: str
    sink: PartitionSink
    lane: SinkLane
    metrics: Metrics
    status: WorkerStatus
    security: Security
    pace: Pace = Pace()
    from_start: frozenset[str] = frozenset()


class BulkConsumerThread(AIOKafkaConsumerThread):
    """The thread of the aiokafka consumer: its own event loop, so heartbeats go on while the sink works."""

    def _create_worker_consumer(self, transport: Transport) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        plan = cast(BulkTransport, transport).plan
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id or None,
            bootstrap_servers=server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            # Progress in the store decides where a partition begins; an offset the log does not have must be an error.
            auto_offset_reset="none",
            # A record of an aborted transaction must never be counted.
            isolation_level="read_committed",
            max_poll_records=None,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 300) * 1000),
            max_partition_fetch_bytes=plan.pace.fetch_partition_bytes,
            fetch_max_bytes=plan.pace.fetch_bytes,
            fetch_max_wait_ms=plan.pace.fetch_wait_ms,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            check_crcs=conf.broker_check_crcs,
            **plan.security.aiokafka(),
        )


class BulkConsumer(Consumer):
    """See the module's docstring. Runs in the event loop of the app; every call to the sink runs on the lane."""

    logger = logger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plan = cast(BulkTransport, self.transport).plan
        self.feed = PartitionFeed()
        self._loaded = True  # nothing to load before the first assignment
        self._agents_placed = True
        self._dirty = False
        self._flush_asked = False
        self._flush_at = monotonic() + self.plan.pace.flush_interval_s
        self._backoff_s = 0.0

    def _new_consumer_thread(self) -> BulkConsumerThread:
        return BulkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust looks for stuck streams here; the data topic has none, its lag is a metric."""

    # assignment ---------------------------------------------------------------------------------------------
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Ends the epoch and flushes within bounds: giving up is safe, the next owner folds the same records again."""
        data = self._data_partitions(revoked)
        self.feed.forget()
        self._show("assignment")
        if self._dirty:
            await self._flush_once(self.plan.pace.revoke_flush_s, commit=False)
        self._dirty = False
        if data:
            self.plan.lane.submit(self.plan.sink.revoke, data)
        await super().on_partitions_revoked(revoked)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called by Faust after each assignment, before records flow: the store, not the group, knows where to begin."""
        self.plan.metrics.rebalances.inc()
        self._loaded = self._agents_placed = False
        return await self._load()

    async def _place_agents(self, tps: set[TP]) -> dict[TP, int]:
        """Agent topics begin at their committed offset, or at the beginning. Returns what was found committed."""
        if self._agents_placed:
            return {}
        replayed = {tp for tp in tps if tp.topic in self.plan.from_start}
        committed: dict[TP, int] = {}
        if tps - replayed:
            seek = self._thread._ensure_consumer().seek_to_committed
            found = await self._thread.call_thread(seek, *[TopicPartition(*tp) for tp in tps - replayed])
            committed = {ensure_TP(tp): offset for tp, offset in found.items() if offset}
        fresh = [TopicPartition(*tp) for tp in tps - committed.keys()]
        for tp in fresh:
            self._read_offset.pop(ensure_TP(tp), None)
        if fresh:
            await self._thread.seek_to_beginning(*fresh)
        self._agents_placed = True
        return committed

    async def _load(self) -> dict[TP, int]:
        """Reads the state of our partitions and seeks them; where the store or the broker fails, `_tend` tries again."""
        assigned = self.assignment()
        data = self._data_partitions(assigned)
        epoch = self.feed.forget()
        self.pause_partitions(self._tps(data))
        self._show("store")
        try:
            committed = await self._place_agents(assigned - self._tps(data))
            positions = await self._positions(await self.plan.lane.call(self.plan.sink.assign, data))
            await self._thread.seek_wait(self._by_tp(positions))
        except (StoreUnavailable, KafkaError, TimeoutError) as error:
            self._fail("assign", error)
            return {}
        if epoch != self.feed.epoch:
            return {}
        self._loaded, self._dirty = True, bool(self.plan.status.stopped)
        self.feed.begin(positions)
        self._recover()
        self.resume_partitions(self._tps(positions))
        self.plan.status.last_record_s = dict.fromkeys(positions, monotonic())
        self._flush_at = monotonic() + self.plan.pace.flush_interval_s
        self._show("")
        return {**committed, **self._by_tp(positions)}

    async def _positions(self, wanted: Mapping[int, int]) -> dict[int, int]:
        """Where each partition begins; those outside the log, or stopped before, are left out."""
        tps = [TopicPartition(self.plan.topic, partition) for partition in wanted]
        starts = await self._thread.earliest_offsets(*cast(Any, tps))
        ends = await self._thread.highwaters(*cast(Any, tps))
        self.plan.status.stopped.clear()
        self.plan.metrics.partition_stopped.clear()
        positions = {}
        for tp in tps:
            partition, start, end = tp.partition, starts[tp], ends[tp]
            offset = start if wanted[partition] == LOG_START else wanted[partition]
            if offset == STOPPED:
                self._stop_partition(partition, "it was stopped before")
            elif start <= offset <= end:
                positions[partition] = offset
            else:
                await self.plan.lane.call(self.plan.sink.gap, partition, offset, start, end)
                self._stop_partition(partition, f"offset {offset} is outside the log, which has {start} to {end}")
        return positions

    # records ------------------------------------------------------------------------------------------------
    async def _drain_messages(self, fetcher: ServiceT) -> None:
        """The loop of Faust's fetcher service."""
        stops = (cast(Any, self)._stopped.is_set, cast(Any, fetcher)._stopped.is_set)
        try:
            while not any(stop() for stop in stops):
                await self._drain_once()
        except (asyncio.CancelledError, ConsumerStoppedError):
            if not self.transport.app.should_stop:
                raise
        except Exception as error:
            self.log.exception("the consumer cannot go on: %r", error)
            raise

    async def _drain_once(self) -> None:
        await self.sleep(0)
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
            return
        epoch = self.feed.epoch
        await self._tend()
        try:
            records, _ = await self._wait_next_records(timeout=self._patience())
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            self.log.warning("a partition has no offset in its log: %s", error)
            self._loaded = self._agents_placed = False
            return
        if records and not self.should_stop:
            await self._take(records, epoch)

    async def _take(self, records: RecordMap, epoch: int) -> None:
        for tp, batch in records.items():
            if epoch != self.feed.epoch:
                self.plan.metrics.lists_discarded.labels("stale_epoch").inc()
                return
            if tp.topic == self.plan.topic:
                await self._fold(tp.partition, batch, epoch)
            else:
                for record in batch:
                    await self._deliver(ensure_TP(tp), record)

    async def _fold(self, partition: int, fetched: Sequence[Record], epoch: int) -> None:
        records = self.feed.admit(partition, fetched)
        if records is None:
            self.plan.metrics.lists_discarded.labels("beyond_next_offset").inc()
            await self._thread.seek_wait(self._by_tp({partition: self.feed.next_offset[partition]}))
            return
        while records and epoch == self.feed.epoch:
            try:
                self._dirty = True
                with self.plan.metrics.fold_seconds.time():
                    self._flush_asked |= await self.plan.lane.call(self._fold_and_ask, partition, records)
            except StoreUnavailable as error:
                self._fail("fold", error)
                await self.sleep(self._backoff_s)
                continue
            except QuarantineLimit as limit:
                self._stop_partition(partition, str(limit))
                return
            self._folded(partition, records, epoch)
            return

    def _fold_and_ask(self, partition: int, records: Sequence[Record]) -> bool:
        self.plan.sink.fold(partition, records)
        return self.plan.sink.flush_due()

    def _folded(self, partition: int, records: Sequence[Record], epoch: int) -> None:
        self._recover()
        if epoch != self.feed.epoch:
            return
        self.feed.advance(partition, records)
        label, metrics = str(partition), self.plan.metrics
        metrics.records.labels(label).inc(len(records))
        metrics.record_bytes.labels(label).inc(sum(len(record.value) for record in records if record.value))
        self.plan.status.last_record_s[partition] = monotonic()

    async def _deliver(self, tp: TP, record: Any) -> None:
        """One record of an agent's topic, as Faust's own loop does it."""
        read = self._read_offset[tp]
        if read is not None and record.offset < read:
            return
        if read and record.offset - read > 1 and self.app.topics.acks_enabled_for(tp.topic):
            await self._add_gap(tp, read + 1, record.offset - 1)
        await self.wait_first(self.callback(cast(Any, self._to_message(tp, record))), self.suspend_flow.wait())
        self._read_offset[tp] = record.offset

    # flush and back-off -------------------------------------------------------------------------------------
    def _patience(self) -> float:
        """How long to wait for records: until the next flush, at most a second."""
        return min(1.0, max(0.01, self._flush_at - monotonic()))

    async def _tend(self) -> None:
        """Loads or flushes when it is time to."""
        now = monotonic()
        if not self._loaded:
            if now >= self._flush_at or not self._backoff_s:
                await self._load()
        elif self._dirty and (now >= self._flush_at or (self._flush_asked and not self._backoff_s)):
            await self._flush_once(None, commit=True)
        elif now >= self._flush_at:
            self._flush_at = now + self.plan.pace.flush_interval_s

    async def _flush_once(self, within_s: float | None, *, commit: bool) -> None:
        sink, lane = self.plan.sink, self.plan.lane
        began = monotonic()
        try:
            if within_s is None:
                stored = await lane.call(sink.flush, None)
            else:
                stored = await lane.call_within(within_s, sink.flush, within_s)
        except StoreUnavailable as error:
            self._fail("flush", error)
            return
        except TimeoutError:
            self.plan.metrics.revoke_flush_timeouts.inc()
            self.log.warning("gave up a flush after %.1f s; the records will be folded again", within_s)
            return
        self.plan.metrics.flush_seconds.observe(monotonic() - began)
        self._dirty = self._flush_asked = False
        self._recover()
        self._flush_at = self.plan.status.last_flush_s = monotonic()
        self._flush_at += self.plan.pace.flush_interval_s
        if commit:
            await self._commit_stored(stored)

    async def _commit_stored(self, stored: Mapping[int, int]) -> None:
        """Commits to the group for whoever watches its lag; nothing of ours rests on it, so it may fail."""
        offsets = {
            TopicPartition(self.plan.topic, p): OffsetAndMetadata(o, "") for p, o in stored.items() if p in self.feed.next_offset
        }
        if offsets:
            try:
                await self._thread.call_thread(self._thread._ensure_consumer().commit, offsets)
                ends = await self._thread.highwaters(*cast(Any, offsets))
            except KafkaError as error:
                self.log.info("offsets not committed: %s", error)
                return
            for tp, end in ends.items():
                self.plan.metrics.lag_records.labels(str(tp.partition)).set(max(0, end - stored[tp.partition]))

    def _fail(self, call: str, error: Exception) -> None:
        pace = self.plan.pace
        self._backoff_s = min(pace.backoff_last_s, max(pace.backoff_first_s, self._backoff_s * 2))
        self._flush_at = monotonic() + self._backoff_s
        self.pause_partitions(self._tps(self.feed.next_offset))
        self.plan.metrics.store_failures.labels(call).inc()
        self.plan.metrics.store_unavailable.set(1)
        self._show("store")
        self.log.warning("%s failed, trying again in %.2f s: %s", call, self._backoff_s, error)

    def _recover(self) -> None:
        if self._backoff_s:
            self._backoff_s = 0.0
            self.plan.metrics.store_unavailable.set(0)
            self.resume_partitions(self._tps(self.feed.next_offset))
            self._show("")

    def _stop_partition(self, partition: int, why: str) -> None:
        self.feed.stop(partition)
        self.pause_partitions(self._tps([partition]))
        self.plan.status.stopped[partition] = why
        self.plan.metrics.partition_stopped.labels(str(partition)).set(1)
        self.log.error("partition %d stopped: %s", partition, why)
        self._show(self.plan.status.waiting_for)

    async def on_stop(self) -> None:
        """A last flush, within bounds, before the thread of the consumer goes."""
        if self._dirty and self.feed.next_offset:
            await self._flush_once(self.plan.pace.stop_flush_s, commit=True)
        self.feed.forget()
        self._show("assignment")
        await super().on_stop()

    # small ----------------------------------------------------------------------------------------------------
    def _show(self, waiting_for: str) -> None:
        status = self.plan.status
        status.waiting_for = waiting_for
        status.moving = frozenset(self.feed.next_offset)
        self.plan.metrics.partitions_moving.set(len(status.moving))

    def _data_partitions(self, tps: set[TP]) -> list[int]:
        return sorted(tp.partition for tp in tps if tp.topic == self.plan.topic)

    def _tps(self, partitions: Any) -> set[TP]:
        return {TP(self.plan.topic, partition) for partition in partitions}

    def _by_tp(self, offsets: Mapping[int, int]) -> dict[TP, int]:
        return {cast(TP, TopicPartition(self.plan.topic, partition)): offset for partition, offset in offsets.items()}


class BulkTransport(Transport):
    """Makes `BulkConsumer`s that work for a plan."""

    Consumer = BulkConsumer

    def __init__(self, url: list[URL], app: AppT, plan: BulkPlan) -> None:
        super().__init__(url, app)
        self.plan = plan
