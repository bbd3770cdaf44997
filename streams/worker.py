"""Runs a worker: the Faust app as a library, in a process of its own or beside the evaluator and the API."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

import faust
from mode import get_logger
from prometheus_client import CollectorRegistry

from streams.faust_app import AgentPlan, WorkerSettings, build_app
from streams.metrics import Metrics
from streams.sink import PartitionSink
from streams.sink_lane import SinkLane
from streams.worker_status import WorkerStatus

logger = get_logger(__name__)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def serve_worker(
    settings: WorkerSettings,
    sink: PartitionSink,
    stop: asyncio.Event,
    *,
    agents: Sequence[AgentPlan] = (),
    metrics: Metrics | None = None,
    status: WorkerStatus | None = None,
) -> int:
    """Works in the running event loop until `stop` is set, then flushes and leaves. Returns the exit code.

    0 = stopped as asked; 1 = the app crashed, and nothing it had not flushed has advanced.
    """
    lane = SinkLane()
    app = build_app(settings, sink, lane, metrics or Metrics(CollectorRegistry()), status or WorkerStatus(), agents)
    try:
        await app.start()
        return await _until_stopped(app, stop)
    finally:
        await app.stop()
        await asyncio.to_thread(lane.close)


async def _until_stopped(app: faust.App, stop: asyncio.Event) -> int:
    watched = [
        asyncio.ensure_future(stop.wait()),
        asyncio.ensure_future(app.wait_until_stopped()),
        asyncio.ensure_future(_crashed(app)),
    ]
    try:
        await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in watched:
            each.cancel()
    if app.crashed:
        logger.error("the worker crashed: %r", app.crash_reason)
        return 1
    return 0


async def _crashed(app: faust.App) -> None:
    await app._crashed.wait()


def run_worker(
    settings: WorkerSettings,
    sink: PartitionSink,
    *,
    agents: Sequence[AgentPlan] = (),
    metrics: Metrics | None = None,
    status: WorkerStatus | None = None,
    beside: Sequence[Callable[[asyncio.Event], Awaitable[None]]] = (),
) -> int:
    """Runs until SIGTERM or SIGINT and returns the exit code.

    `beside` are services of the same event loop; each gets the stop event and ends when it is set.
    """
    return asyncio.run(_run(settings, sink, agents, metrics, status, beside))


async def _run(
    settings: WorkerSettings,
    sink: PartitionSink,
    agents: Sequence[AgentPlan],
    metrics: Metrics | None,
    status: WorkerStatus | None,
    beside: Sequence[Callable[[asyncio.Event], Awaitable[None]]],
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    others = [asyncio.ensure_future(service(stop)) for service in beside]
    try:
        return await serve_worker(settings, sink, stop, agents=agents, metrics=metrics, status=status)
    finally:
        stop.set()
        await asyncio.gather(*others)
