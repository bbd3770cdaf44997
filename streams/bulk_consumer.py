"""A Faust consumer that hands whole fetched lists of the data topic to a sink; other topics go to ordinary agents.

A Faust agent that does nothing moves about fifty times fewer messages than this, because of what is done per message.
Private methods of Faust are overridden; `tests/contract/test_faust_private_methods.py` fails when one of them changes.

            assignment                fetched list                          interval, or the sink asks
  revoked ───────────▶ loading ─────────────────────▶ folding ◀──────────────────────────────────▶ flushing
     ▲                  │  ▲                             │                                             │
     │                  ▼  │ back-off                    │ QuarantineLimit, gap: that partition stops  ▼ StoreUnavailable
     └── rebalance ── store unavailable                  └─▶ stopped (the others go on)         paused, back-off, again

Two tasks meet here: Faust's fetcher, which drains, and the one that handles a rebalance. The epoch of the feed grows with
every step of a rebalance; after each wait, whoever finds another epoch than it began with has nothing left to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum, auto
from time import monotonic
from typing import Any, cast

from aiokafka.errors import ConsumerStoppedError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import TopicPartition
from faust.transport.consumer import RecordMap, ensure_TP
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP, AppT
from mode import Service, ServiceT, get_logger
from yarl import URL

from streams.bulk_plan import BulkPlan
from streams.consumer_thread import BulkConsumerThread
from streams.partition_feed import PartitionFeed
from streams.retry_delay import RetryDelay
from streams.sink import LOG_START, STOPPED, Record
from surveillance.errors import QuarantineLimit, StoreUnavailable

logger = get_logger(__name__)
ASK_AGAIN_S = 0.1


class Phase(Enum):
    """Of an assignment; flushing and back-off are moments of `FOLDING`."""

    REVOKED = auto()
    LOADING = auto()
    FOLDING = auto()


class _Superseded(Exception):
    """A rebalance went on while we waited: what we were about to do belongs to an assignment that is over."""


class BulkConsumer(Consumer):
    """See the module's docstring. Runs in the event loop of the app; every call to the sink runs on the lane."""

    logger = logger
    _thread: BulkConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plan = cast(BulkTransport, self.transport).plan
        self.feed = PartitionFeed()
        self._phase = Phase.REVOKED
        self._agents_placed = False
        self._dirty = False
        self._flush_asked = False
        self._unfolded: set[int] = set()  # partitions whose list the sink could not fold: no flush before it has
        self._due_at = monotonic() + self.plan.pace.flush_interval_s
        self._delay = RetryDelay(self.plan.pace.backoff_first_s, self.plan.pace.backoff_last_s)

    def _new_consumer_thread(self) -> BulkConsumerThread:
        return BulkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust looks for stuck streams here; the data topic has none, its lag is a metric."""

    # assignment ---------------------------------------------------------------------------------------------
    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Ends the epoch and flushes within bounds: giving up is safe, the next owner folds the same records again."""
        data = self._data_partitions(revoked)
        self.feed.forget()
        self._phase = Phase.REVOKED
        self._show("assignment")
        try:
            await self._last_flush(self.plan.pace.revoke_flush_s)
        except Exception as error:
            await self.crash(error)  # aiokafka, which called us, would only log it
            raise
        self._dirty = False
        self._unfolded.clear()
        self._delay.reset()
        self.plan.metrics.store_unavailable.set(0)
        self.plan.metrics.lag_records.clear()
        if data:
            self.plan.lane.submit(self.plan.sink.revoke, data)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Faust seeks nothing where nothing was assigned, and the sink must hear of that, too."""
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            self._start_over()

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Called by Faust after each assignment, before records flow: the store, not the group, knows where to begin."""
        self.plan.metrics.rebalances.inc()
        self._start_over()
        return await self._load()

    def _start_over(self) -> None:
        self._phase = Phase.LOADING
        self._agents_placed = False

    async def _load(self) -> dict[TP, int]:
        """Reads the state of our partitions and seeks them; where the store or the broker fails, `_tend` tries again."""
        assigned = self.assignment()
        data = self._data_partitions(assigned)
        epoch = self.feed.forget()
        self.pause_partitions(self._tps(data))
        self._show("store")
        agents: dict[TP, int] = {}
        try:
            agents = await self._place_agents(assigned - self._tps(data), epoch)
            positions = await self._positions(data, epoch)
            await self._thread.seek_wait(self._by_tp(positions))
            self._check(epoch)
        except _Superseded:
            return {}
        except (StoreUnavailable, KafkaError, TimeoutError) as error:
            if epoch == self.feed.epoch:
                self._fail("assign", error)
            return agents
        self._phase = Phase.FOLDING
        self._flush_asked = False
        self._unfolded.clear()
        self._dirty = bool(self.plan.status.stopped)  # the sink may have recorded a gap
        self.feed.begin(positions)
        self._recover()
        self.resume_partitions(self._tps(positions))
        self.plan.status.last_record_s = dict.fromkeys(positions, monotonic())
        self._due_at = monotonic() + self.plan.pace.flush_interval_s
        self._show("")
        return {**agents, **self._by_tp(positions)}

    async def _place_agents(self, tps: set[TP], epoch: int) -> dict[TP, int]:
        """Agent topics go on at their committed offset; without one that the log still has, at the beginning.

        Once per assignment, and before the data: agents get their records while the store is down.
        """
        if self._agents_placed:
            return {}
        bounds = await self._thread.bounds(TopicPartition(*tp) for tp in tps)
        committed = await self._thread.committed(tp for tp in bounds if tp.topic not in self.plan.from_start)
        offsets = {
            cast(TP, tp): committed[tp] if start <= committed.get(tp, LOG_START) <= end else start
            for tp, (start, end) in bounds.items()
        }
        await self._thread.seek_wait(offsets)
        self._check(epoch)
        self._agents_placed = True
        return offsets

    async def _positions(self, data: Collection[int], epoch: int) -> dict[int, int]:
        """Where each data partition begins; those outside the log, or stopped before, are left out."""
        if data and self.plan.log_id is not None:
            await self._thread.check_log(self.plan.topic, self.plan.log_id)
        wanted = await self.plan.lane.call(self.plan.sink.assign, data)
        bounds = await self._thread.bounds(TopicPartition(self.plan.topic, partition) for partition in wanted)
        self._check(epoch)
        self.plan.status.stopped.clear()
        self.plan.metrics.partition_stopped.clear()
        positions = {}
        for tp, (start, end) in bounds.items():
            partition = tp.partition
            offset = start if wanted[partition] == LOG_START else wanted[partition]
            if offset == STOPPED:
                self._stop_partition(partition, "it was stopped before")
            elif start <= offset <= end:
                positions[partition] = offset
            else:
                await self.plan.lane.call(self.plan.sink.gap, partition, offset, start, end)
                self._check(epoch)
                self._stop_partition(partition, f"offset {offset} is outside the log, which has {start} to {end}")
        return positions

    def _check(self, epoch: int) -> None:
        if epoch != self.feed.epoch:
            raise _Superseded

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
        await self._tend()
        epoch = self.feed.epoch
        if not self._get_active_partitions():  # Faust would sleep for a second
            await self.sleep(self._patience())
            return
        try:
            records, _ = await self._wait_next_records(timeout=self._patience())
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            if epoch == self.feed.epoch:
                await self._reload(error)
            return
        if records and not self.should_stop:
            await self._take(records, epoch)

    async def _reload(self, error: KafkaError) -> None:
        """The log no longer has a record we want. What was folded up to there is written first: it exists nowhere else."""
        self.log.warning("a partition has no offset in its log: %s", error)
        if self._dirty and not self._unfolded:
            await self._flush_now()
            if self._delay.seconds:
                return  # the same error comes again once the store answers
        self._start_over()

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
            await self._rewind(partition, epoch)
        elif records and TP(self.plan.topic, partition) in self._paused_partitions:  # since an earlier list of this fetch
            await self._rewind(partition, epoch)
        elif records:
            await self._fold_admitted(partition, records, epoch)

    async def _fold_admitted(self, partition: int, records: Sequence[Record], epoch: int) -> None:
        self._dirty = True
        try:
            with self.plan.metrics.fold_seconds.time():
                flush_asked = await self.plan.lane.call(self._fold_and_ask, partition, records)
        except StoreUnavailable as error:
            if epoch == self.feed.epoch:
                self._unfolded.add(partition)
                self._fail("fold", error)
                await self._rewind(partition, epoch)
            return
        except QuarantineLimit as limit:
            if epoch == self.feed.epoch:
                self._stop_partition(partition, str(limit))
            return
        if epoch == self.feed.epoch:
            self._flush_asked |= flush_asked
            self._folded(partition, records)

    def _fold_and_ask(self, partition: int, records: Sequence[Record]) -> bool:
        self.plan.sink.fold(partition, records)
        return self.plan.sink.flush_due()

    def _folded(self, partition: int, records: Sequence[Record]) -> None:
        self._unfolded.discard(partition)
        if not self._unfolded:
            self._recover()
        self.feed.advance(partition, records)
        label, metrics = str(partition), self.plan.metrics
        metrics.records.labels(label).inc(len(records))
        metrics.record_bytes.labels(label).inc(sum(len(record.value) for record in records if record.value))
        self.plan.status.last_record_s[partition] = monotonic()

    async def _rewind(self, partition: int, epoch: int) -> None:
        """The next list of the partition is to begin at its next offset again, so nothing is kept in memory meanwhile."""
        try:
            await self._thread.seek_wait(self._by_tp({partition: self.feed.next_offset[partition]}))
        except (KafkaError, TimeoutError) as error:
            if epoch == self.feed.epoch:
                self.log.warning("partition %d cannot be sought again: %s", partition, error)
                self._start_over()

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
        """How long to wait for records: until the next flush, at most a second; less while the sink may ask for one."""
        return min(ASK_AGAIN_S if self._dirty else 1.0, max(0.01, self._due_at - monotonic()))

    async def _tend(self) -> None:
        """Loads, flushes or tries again when it is time to."""
        if self._phase is Phase.FOLDING and self._dirty and not (self._unfolded or self._flush_asked or self._delay.seconds):
            # A sink that has just flushed says no to a pane that closes, and no other list need come to ask it again.
            self._flush_asked = await self.plan.lane.call(self.plan.sink.flush_due)
        due = monotonic() >= self._due_at
        asked = self._flush_asked and not self._delay.seconds
        if self._phase is Phase.LOADING and (due or not self._delay.seconds):
            await self._load()
        elif self._phase is Phase.FOLDING and self._dirty and not self._unfolded and (due or asked):
            await self._flush_now()
        elif due:
            self.resume_partitions(self._tps(self._unfolded))
            self._due_at = monotonic() + self.plan.pace.flush_interval_s

    async def _flush_now(self) -> None:
        epoch = self.feed.epoch
        try:
            stored = await self._flush(None)
        except StoreUnavailable as error:
            if epoch == self.feed.epoch:
                self._fail("flush", error)
            return
        if epoch == self.feed.epoch:
            self._recover()
            self._dirty = self._flush_asked = False
            self._due_at = monotonic() + self.plan.pace.flush_interval_s
            await self._commit_stored(stored)

    async def _last_flush(self, within_s: float) -> Mapping[int, int]:
        """Before partitions go to another owner. Giving up is safe, so every failure of the store is only told."""
        if not self._dirty or self._unfolded:
            return {}
        try:
            return await self._flush(within_s)
        except StoreUnavailable as error:
            self.plan.metrics.store_failures.labels("flush").inc()
            self.log.warning("the last flush failed, the records will be folded again: %s", error)
        except TimeoutError:
            self.plan.metrics.revoke_flush_timeouts.inc()
            self.log.warning("gave up a flush after %.1f s; the records will be folded again", within_s)
        return {}

    async def _flush(self, within_s: float | None) -> Mapping[int, int]:
        began = monotonic()
        if within_s is None:
            stored = await self.plan.lane.call(self.plan.sink.flush, None)
        else:
            stored = await self.plan.lane.call_within(within_s, self.plan.sink.flush, within_s)
        self.plan.status.last_flush_s = monotonic()
        self.plan.metrics.flush_seconds.observe(monotonic() - began)
        return stored

    async def _commit_stored(self, stored: Mapping[int, int]) -> None:
        """Commits to the group for whoever watches its lag; nothing of ours rests on it, so it may fail."""
        offsets = {TopicPartition(self.plan.topic, p): offset for p, offset in stored.items() if p in self.feed.next_offset}
        if offsets:
            try:
                await asyncio.wait_for(self._thread.commit_for_watchers(offsets), self.plan.pace.commit_s)
            except (KafkaError, TimeoutError) as error:
                self.log.info("offsets not committed: %r", error)

    def _fail(self, call: str, error: Exception) -> None:
        self._delay.grow()
        self._due_at = monotonic() + self._delay.seconds
        self.pause_partitions(self._tps(self.feed.next_offset))
        self.plan.metrics.store_failures.labels(call).inc()
        self.plan.metrics.store_unavailable.set(1)
        self._show("store")
        self.log.warning("%s failed, trying again in %.2f s: %s", call, self._delay.seconds, error)

    def _recover(self) -> None:
        """What failed before, if anything, has succeeded."""
        if self._delay.seconds:
            self._delay.reset()
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
        if self._phase is Phase.FOLDING:
            await self._commit_stored(await self._last_flush(self.plan.pace.stop_flush_s))
        self.feed.forget()
        self._show("assignment")
        await super().on_stop()

    @Service.task
    async def _watch_lag(self) -> None:
        while not self.should_stop:
            await self.sleep(self.plan.pace.flush_interval_s)
            if self.feed.next_offset:
                status, asked_s = self.plan.status, monotonic()
                try:
                    await asyncio.wait_for(self._measure_lag(), self.plan.pace.commit_s)
                    status.broker_silent_since_s = None
                except (KafkaError, TimeoutError) as error:
                    status.broker_silent_since_s = status.broker_silent_since_s or asked_s
                    self.log.info("lag not measured: %r", error)

    async def _measure_lag(self) -> None:
        for tp, end in (await self._thread.highwaters(*self._by_tp(self.feed.next_offset))).items():
            if tp.partition in self.feed.next_offset:
                lag = max(0, end - self.feed.next_offset[tp.partition])
                self.plan.metrics.lag_records.labels(str(tp.partition)).set(lag)

    # small ----------------------------------------------------------------------------------------------------
    def _show(self, waiting_for: str) -> None:
        status = self.plan.status
        status.waiting_for = waiting_for
        status.moving = frozenset(self.feed.next_offset)
        self.plan.metrics.partitions_moving.set(len(status.moving))

    def _data_partitions(self, tps: set[TP]) -> list[int]:
        return sorted(tp.partition for tp in tps if tp.topic == self.plan.topic)

    def _tps(self, partitions: Iterable[int]) -> set[TP]:
        return {TP(self.plan.topic, partition) for partition in partitions}

    def _by_tp(self, offsets: Mapping[int, int]) -> dict[TP, int]:
        return {cast(TP, TopicPartition(self.plan.topic, partition)): offset for partition, offset in offsets.items()}


class BulkTransport(Transport):
    """Makes `BulkConsumer`s that work for a plan."""

    Consumer = BulkConsumer

    def __init__(self, url: list[URL], app: AppT, plan: BulkPlan) -> None:
        super().__init__(url, app)
        self.plan = plan
