"""The Faust app of a worker: the bulk consumer on the data topic, ordinary agents on the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import faust
from faust.types import AppT, EventT, StreamT
from yarl import URL

from streams.bulk_consumer import BulkTransport
from streams.bulk_plan import BulkPlan, Pace
from streams.metrics import Metrics
from streams.security import Security
from streams.sink import PartitionSink
from streams.sink_lane import SinkLane
from streams.worker_status import WorkerStatus


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """An ordinary agent: `handle` gets every record of `topic` that belongs to this worker, one at a time, in order.

    `from_start`: the partitions are read from their beginning after every assignment and nothing is committed, as
    ownership needs; otherwise work goes on at the committed offset, at least once.
    """

    topic: str
    handle: Callable[[EventT[bytes]], Awaitable[None]]
    from_start: bool = False


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker reaches its group. `instance_id` makes it a static member: a restart within the session costs no rebalance."""

    bootstrap: str
    telemetry_topic: str | None
    """None: there are only agents."""
    log_id: str | None = None
    """Identity of the log as it was checked at start; None: it may be any."""
    group: str = "pms"
    instance_id: str | None = None
    security: Security = field(default_factory=Security)
    pace: Pace = field(default_factory=Pace)
    session_timeout_s: float = 20.0
    heartbeat_interval_s: float = 3.0
    rebalance_timeout_s: float = 60.0
    request_timeout_s: float = 90.0


class WorkerApp(faust.App):
    """Has no tables, so it leaves nothing on disk."""

    def _create_directories(self) -> None:
        """Faust would make folders for tables where the worker was started, which may not be ours to write."""


def build_app(
    settings: WorkerSettings,
    sink: PartitionSink,
    lane: SinkLane,
    metrics: Metrics,
    status: WorkerStatus,
    agents: Sequence[AgentPlan] = (),
) -> faust.App:
    """The app, not started. No tables, no web server, no leader, no transaction: nothing of the promise rests on them."""
    urls = [URL(f"kafka://{server.strip()}") for server in settings.bootstrap.split(",")]
    app = WorkerApp(
        settings.group,
        broker=urls,
        broker_credentials=settings.security.faust(),
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_interval_s,
        broker_rebalance_timeout=settings.rebalance_timeout_s,
        broker_request_timeout=settings.request_timeout_s,
        consumer_group_instance_id=settings.instance_id or "",
        processing_guarantee="at_least_once",
        store="memory://",
        table_standby_replicas=0,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )
    plan = BulkPlan(
        topic=settings.telemetry_topic or "",
        sink=sink,
        lane=lane,
        metrics=metrics,
        status=status,
        security=settings.security,
        pace=settings.pace,
        from_start=frozenset(agent.topic for agent in agents if agent.from_start),
        log_id=settings.log_id,
    )
    app.transport = BulkTransport(urls, cast(AppT, app), plan)
    if settings.telemetry_topic is not None:
        app.topics.add(_raw_topic(app, settings.telemetry_topic, acks=False))
    for agent in agents:
        _add_agent(app, agent)
    return app


def _raw_topic(app: faust.App, name: str, *, acks: bool) -> Any:
    return app.topic(name, key_serializer="raw", value_serializer="raw", acks=acks, allow_empty=True)


def _add_agent(app: faust.App, plan: AgentPlan) -> None:
    async def consume(stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            await plan.handle(event)

    app.agent(_raw_topic(app, plan.topic, acks=not plan.from_start), name=f"agent of {plan.topic}")(consume)
