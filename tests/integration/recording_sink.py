"""A sink that keeps positions instead of panes, in memory, by law 2's rule; and a worker around it that runs in a thread.

Two workers of one process share a `Ledger` as they would share a store: what is in it was flushed, whoever flushed it.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry

from streams.bulk_plan import Pace
from streams.faust_app import AgentPlan, WorkerSettings
from streams.metrics import Metrics
from streams.sink import LOG_START, STOPPED, Record
from streams.worker import serve_worker
from streams.worker_status import WorkerStatus
from surveillance.errors import QuarantineLimit, StoreUnavailable

POISON = b"poison"
QUICK = Pace(flush_interval_s=0.1, revoke_flush_s=1.0, stop_flush_s=5.0, backoff_first_s=0.05, backoff_last_s=0.2)


def wait_until(holds: Callable[[], bool], *, within_s: float = 30.0, what: str = "") -> None:
    """Returns as soon as the condition holds; fails where it does not in time."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what or holds}"
        time.sleep(0.01)


@dataclass
class Ledger:
    """What is stored of each partition: counted offsets, in the order they were counted, and the progress."""

    counted: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    values: defaultdict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    progress: dict[int, int] = field(default_factory=dict)
    stopped: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, partition: int, folded: Sequence[Record], progress: int) -> None:
        """A record counts only if its offset is beyond the last one that does: law 2."""
        with self.lock:
            version = self.counted[partition][-1] if self.counted[partition] else -1
            fresh = [record for record in folded if record.offset > version]
            self.counted[partition] += [record.offset for record in fresh]
            self.values[partition] += [record.value or b"" for record in fresh]
            self.progress[partition] = max(progress, self.progress.get(partition, -1))

    def total(self) -> int:
        with self.lock:
            return sum(len(offsets) for offsets in self.counted.values())


class Faults:
    """What a test does to a sink: calls that fail for as long as they are named, calls that wait at a gate."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.broken: set[str] = set()
        self.seen: defaultdict[str, int] = defaultdict(int)
        self._gates: dict[str, threading.Event] = {}
        self.waiting: set[str] = set()

    def meet(self, call: str) -> None:
        self.seen[call] += 1
        if call in self.broken:
            raise ZeroDivisionError(call)
        if call in self.failing:
            raise StoreUnavailable(f"{call} does not answer")
        if call in self._gates:
            self.waiting.add(call)
            self._gates[call].wait()
            self.waiting.discard(call)

    @contextmanager
    def held(self, call: str) -> Iterator[None]:
        """The next calls of this kind wait at the gate until the block ends."""
        gate = self._gates[call] = threading.Event()
        try:
            yield
        finally:
            del self._gates[call]
            gate.set()


class RecordingSink:
    """Obeys `streams.sink.PartitionSink`. `breaches` names every promise of the consumer that was not kept."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.faults = ledger, Faults()
        self.breaches: list[str] = []
        self.gaps: list[tuple[int, int, int, int]] = []
        self.assignments: list[frozenset[int]] = []
        self.largest_list = 0
        self.refuses_flushes = math.inf
        """How many times the sink is asked in vain whether to flush."""
        self._threads: set[int] = set()
        self._next: dict[int, int] = {}
        self._folded: dict[int, list[Record]] = {}
        self._torn: set[int] = set()

    def assign(self, partitions: Collection[int]) -> Mapping[int, int]:
        self._enter("assign")
        self.assignments.append(frozenset(partitions))
        self._folded, self._torn = {partition: [] for partition in partitions}, set()
        self._next = {partition: self.ledger.progress.get(partition, LOG_START) for partition in partitions}
        return {p: STOPPED if p in self.ledger.stopped else wanted for p, wanted in self._next.items()}

    def fold(self, partition: int, records: Sequence[Record]) -> None:
        if partition not in self._next:
            self.breaches.append(f"a list of partition {partition}, which is not ours")
            return
        self._torn.add(partition)
        self._enter("fold")
        self._enter(f"fold {partition}")
        self._torn.discard(partition)
        self.largest_list = max(self.largest_list, len(records))
        offsets = [record.offset for record in records]
        if offsets != sorted(set(offsets)) or not offsets or offsets[0] < self._next[partition]:
            self.breaches.append(f"partition {partition} wants {self._next[partition]}, got {offsets[:3]}...")
        for record in records:
            if record.value == POISON:
                self.ledger.stopped.add(partition)
                raise QuarantineLimit(partition, record.offset, 1, 1)
            self._folded[partition].append(record)
            self._next[partition] = record.offset + 1

    def flush_due(self) -> bool:
        self._enter("flush_due")
        return self.faults.seen["flush_due"] >= self.refuses_flushes

    def flush(self, deadline_s: float | None) -> Mapping[int, int]:
        self._enter("flush")
        self.breaches += [f"a flush while partition {partition} was folded in part" for partition in self._torn]
        stored = {}
        for partition, records in self._folded.items():
            if self._next[partition] != LOG_START:
                self.ledger.write(partition, records, self._next[partition])
                records.clear()
                stored[partition] = self._next[partition]
        return stored

    def gap(self, partition: int, wanted: int, log_start: int, log_end: int) -> None:
        self._enter("gap")
        self.gaps.append((partition, wanted, log_start, log_end))

    def revoke(self, partitions: Collection[int]) -> None:
        self._enter("revoke")
        for partition in partitions:
            self._folded.pop(partition, None)
            self._next.pop(partition, None)

    def _enter(self, call: str) -> None:
        self._threads.add(threading.get_ident())
        if len(self._threads) > 1:
            self.breaches.append(f"{call} came from another thread")
        self.faults.meet(call)


class RunningWorker:
    """`serve_worker` on a thread with an event loop of its own. As a context it is stopped at the end, if it still runs."""

    def __init__(self, settings: WorkerSettings, ledger: Ledger, agents: Sequence[AgentPlan] = ()) -> None:
        self.sink = RecordingSink(ledger)
        self.status, self.metrics = WorkerStatus(), Metrics(CollectorRegistry())
        self.code: int | None = None
        self._settings, self._agents = settings, agents
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self.code = await serve_worker(
            self._settings, self.sink, self._stop, agents=self._agents, metrics=self.metrics, status=self.status
        )

    def __enter__(self) -> RunningWorker:
        self._thread.start()
        wait_until(lambda: self._stop is not None, what="the worker's loop runs")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, within_s: float = 30.0) -> int | None:
        """Asks the worker to leave, waits, and returns its exit code."""
        assert self._loop is not None
        assert self._stop is not None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        return self.ended(within_s)

    def ended(self, within_s: float = 30.0) -> int | None:
        """Waits until the worker has left by itself, and returns its exit code."""
        self._thread.join(within_s)
        assert not self._thread.is_alive(), "the worker did not leave"
        return self.code

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0
