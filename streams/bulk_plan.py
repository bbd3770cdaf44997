"""What the bulk consumer works for, and its times and bounds."""

from __future__ import annotations

from dataclasses import dataclass

from streams.metrics import Metrics
from streams.security import Security
from streams.sink import PartitionSink
from streams.sink_lane import SinkLane
from streams.worker_status import WorkerStatus


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of the consumer, in seconds, and bounds of one fetch, in bytes."""

    flush_interval_s: float = 2.0
    revoke_flush_s: float = 5.0
    stop_flush_s: float = 15.0
    commit_s: float = 5.0
    thread_stop_s: float = 5.0
    backoff_first_s: float = 0.25
    backoff_last_s: float = 10.0
    fetch_partition_bytes: int = 4 * 1024 * 1024
    fetch_bytes: int = 32 * 1024 * 1024
    fetch_wait_ms: int = 250


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What the consumer works for. Topics in `from_start` are read from their beginning after every assignment.

    `log_id` is that of the log as it was checked at start (`streams.topics.Log`); None: the log may be any.
    """

    topic: str
    sink: PartitionSink
    lane: SinkLane
    metrics: Metrics
    status: WorkerStatus
    security: Security
    pace: Pace = Pace()
    from_start: frozenset[str] = frozenset()
    log_id: str | None = None
