"""Runs a worker: the Faust app as a library, in a process of its own or beside the evaluator and the API."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

import faust
from aiokafka.errors import KafkaError
from mode import get_logger
from prometheus_client import CollectorRegistry

from streams.bulk_consumer import BulkConsumer
from streams.faust_app import AgentPlan, WorkerSettings, build_app
from streams.metrics import Metrics
from streams.sink import PartitionSink
from streams.sink_lane import SinkLane
from streams.worker_status import WorkerStatus
from surveillance.errors import InvalidInput, SurveillanceError

logger = get_logger(__name__)
Service = Callable[[asyncio.Event], Awaitable[None]]
"""Runs in the event loop of the worker until the event is set."""

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Together below the thirty seconds that Kubernetes gives.
APP_STOP_S = 20.0
LANE_CLOSE_S = 4.0
SERVICES_STOP_S = 4.0


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

    0 = stopped as asked; 1 = the app crashed, and nothing it had not flushed has advanced. Raises InvalidInput where no
    broker answers at the start.
    """
    lane = SinkLane()
    app = build_app(settings, sink, lane, metrics or Metrics(CollectorRegistry()), status or WorkerStatus(), agents)
    try:
        await _start(app, settings.bootstrap)
        return await _until_stopped(app, stop)
    finally:
        await _leave(app, lane)


async def _start(app: faust.App, bootstrap: str) -> None:
    try:
        await app.start()
    except KafkaError as error:
        raise InvalidInput(
            f"no Kafka broker answers at {bootstrap}: {error}", "check PMS_KAFKA_BOOTSTRAP and the security settings"
        ) from error


async def _leave(app: faust.App, lane: SinkLane) -> None:
    """Within the time that a supervisor gives: what is not written by then is folded again by the next owner."""
    try:
        await asyncio.wait_for(app.stop(), APP_STOP_S)
    except TimeoutError:
        logger.warning("left the group without a word after %.0f s", APP_STOP_S)
    if isinstance(app._consumer, BulkConsumer):
        app._consumer._thread.close_unused()
    if not await asyncio.to_thread(lane.close, LANE_CLOSE_S):
        logger.warning("left a call to the store behind that had no answer")


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
        logger.error("the worker crashed: %s", _told(app.crash_reason))
        return 1
    return 0


async def _crashed(app: faust.App) -> None:
    await app._crashed.wait()


def _told(error: BaseException | None) -> str:
    """Our own errors say what happened; the text of others may quote an event."""
    return str(error) if isinstance(error, SurveillanceError | KafkaError) else type(error).__name__


def run_worker(
    settings: WorkerSettings,
    sink: PartitionSink,
    *,
    agents: Sequence[AgentPlan] = (),
    metrics: Metrics | None = None,
    status: WorkerStatus | None = None,
    beside: Sequence[Service] = (),
) -> int:
    """Runs until SIGTERM or SIGINT, or until one of the services fails, and returns the exit code.

    `beside` are services of the same event loop; each gets the stop event and ends when it is set.
    """
    return asyncio.run(run_services(settings, sink, agents=agents, metrics=metrics, status=status, beside=beside))


async def run_services(
    settings: WorkerSettings,
    sink: PartitionSink,
    *,
    agents: Sequence[AgentPlan] = (),
    metrics: Metrics | None = None,
    status: WorkerStatus | None = None,
    beside: Sequence[Service] = (),
) -> int:
    """As `run_worker`, in an event loop that runs already."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    others = [asyncio.ensure_future(_serve(service, stop)) for service in beside]
    try:
        code = await serve_worker(settings, sink, stop, agents=agents, metrics=metrics, status=status)
    finally:
        stop.set()
        in_order = await _end(others)
    return code if in_order else 1


async def _serve(service: Service, stop: asyncio.Event) -> None:
    """A service that fails takes the worker with it: half a worker would look well from outside."""
    try:
        await service(stop)
    except Exception as error:
        # Our own errors say what happened and how to mend it: no traceback says more.
        told = None if isinstance(error, SurveillanceError) else error
        logger.error("a service of the worker failed: %s", error if told is None else type(error).__name__, exc_info=told)
        stop.set()
        raise


async def _end(services: Sequence[asyncio.Future[None]]) -> bool:
    """Whether all ended by themselves, and in order."""
    if not services:
        return True
    done, slow = await asyncio.wait(services, timeout=SERVICES_STOP_S)
    for each in slow:
        each.cancel()
    await asyncio.gather(*services, return_exceptions=True)
    return not slow and all(each.exception() is None for each in done)
