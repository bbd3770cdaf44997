"""The services, composed: `pms up`, `pms worker`, `pms evaluator`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mode import get_logger
from prometheus_client import CollectorRegistry, generate_latest

from streams.bounded_unpacking import install as bound_unpacking
from streams.evaluation_loop import Deliver, Wake, evaluation_loop
from streams.evaluation_service import EvaluationService, Owned
from streams.faust_app import AgentPlan, WorkerSettings
from streams.header_key import header_key
from streams.metrics import Metrics
from streams.outbox import Outbox
from streams.outlet import Outlet
from streams.ownership import Ownership
from streams.producer import BlockingProducer, BrokerProducer
from streams.registrar import Registrar
from streams.releases import Releases
from streams.security import Security, read_security
from streams.sink import PartitionSink
from streams.telemetry_sink import TelemetrySink
from streams.ticks import tick_service
from streams.topics import Log, TopicNames, check_log
from streams.worker import run_services
from streams.worker_status import WorkerStatus
from surveillance.errors import InvalidSetting
from surveillance.evaluation.global_clock import LogShape
from surveillance.incidents.lines import Line
from surveillance.ingest.owned import LogPartition
from surveillance.log_identity import KnownLog, known_logs, record_log
from surveillance.registry import Registry
from surveillance.serving import ApiOffer, Readiness, ServeApi
from surveillance.settings import Settings
from surveillance.store.opening import open_store
from surveillance.store.protocol import Store

logger = get_logger(__name__)
BROKER_SILENCE_S = 10.0
"""A broker that answers nothing for so long is something to wait for; a short election is not."""
Beside = Callable[[asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ground:
    """What every service stands on."""

    settings: Settings
    security: Security
    store: Store
    names: TopicNames
    log: KnownLog
    registry: Registry
    metrics: Metrics
    status: WorkerStatus
    sender: BlockingProducer

    @property
    def header_time(self) -> bool:
        return self.settings.time_source == "header"

    def releases(self) -> Releases:
        registrar = Registrar(
            self.registry, self.store, allow_unsigned=self.settings.allow_unsigned, header_time=self.header_time
        )
        return Releases(self.settings.kafka_bootstrap, self.names.releases, registrar, self.security, self.metrics)


@contextmanager
def prepared(settings: Settings) -> Iterator[Ground]:
    """Opens the store and checks the log. Raises InvalidInput, LogMismatch, StoreUnavailable."""
    bound_unpacking()
    security = read_security(settings.kafka_security())
    names = TopicNames.under(settings.topic_prefix)
    store = open_store(settings.named_store())
    metrics = Metrics(CollectorRegistry())
    sender: BlockingProducer | None = None
    try:
        recorded = {log_id: log.partitions for log_id, log in known_logs(store).items()}
        log = check_log(settings.kafka_bootstrap, names.telemetry, security, recorded=recorded)
        known = _recorded(store, log)
        sender = BlockingProducer(settings.kafka_bootstrap, security, metrics)
        yield Ground(settings, security, store, names, known, Registry(), metrics, WorkerStatus(), sender)
    finally:
        if sender is not None:
            sender.close()
        store.close()


def _recorded(store: Store, log: Log) -> KnownLog:
    record_log(store, log.log_id, log.topic, log.partitions, _now_ms())
    return known_logs(store)[log.log_id]


def _now_ms() -> int:
    return int(time.time() * 1000)


def run_up(settings: Settings, serve_api: ServeApi) -> int:
    """Worker, evaluator and API in one process, until SIGTERM or SIGINT. Returns the exit code."""
    with prepared(settings) as ground:
        return asyncio.run(serve_up(ground, serve_api))


def run_worker(settings: Settings) -> int:
    """A worker, until SIGTERM or SIGINT. Returns the exit code."""
    _require_server(settings, "pms worker")
    with prepared(settings) as ground:
        return asyncio.run(_worker(ground))


def run_evaluator(settings: Settings) -> int:
    """An evaluator, until SIGTERM or SIGINT. Returns the exit code."""
    _require_server(settings, "pms evaluator")
    with prepared(settings) as ground:
        return asyncio.run(_evaluator(ground))


def _require_server(settings: Settings, command: str) -> None:
    if not settings.named_store().startswith("clickhouse"):
        raise InvalidSetting(
            f"{command} shares its store with other processes, and an embedded one is open in one process only",
            "name a ClickHouse server (PMS_STORE=clickhouse://...), or run everything in one process: pms up",
        )


async def serve_up(
    ground: Ground,
    serve_api: ServeApi,
    *,
    listening: Callable[[str], None] = lambda url: logger.info("API and page at %s", url),
    judged: Deliver = lambda decided: None,
    also: Sequence[Beside] = (),
) -> int:
    """Worker, evaluator and API in the running event loop, until a signal. Returns the exit code.

    `judged` is called after each step of the evaluator, from its thread, with what was decided and delivered; `also` are
    services that run beside and may set the stop event.
    """
    wake = Wake()
    releases = ground.releases()
    await releases.start()
    evaluation = _evaluation(ground, wake, lambda: None, judged)
    offer = ApiOffer(
        store=ground.store,
        host=ground.settings.api_host,
        port=ground.settings.api_port,
        readiness=lambda: _readiness(ground, releases),
        metrics=lambda: generate_latest(ground.metrics.registry),
        listening=listening,
        wall_time=not ground.header_time,
    )

    async def api(stop: asyncio.Event) -> None:
        await serve_api(offer, stop)

    beside: list[Beside] = [releases.follow, evaluation, api, *_ticks(ground), *also]
    sink = _telemetry_sink(ground, releases, wake.set)
    return await _serve(ground, sink, ground.names.telemetry, ground.settings.group, (), beside)


async def _worker(ground: Ground) -> int:
    releases = ground.releases()
    await releases.start()
    sink = _telemetry_sink(ground, releases, lambda: None)
    beside: list[Beside] = [releases.follow, *_ticks(ground)]
    return await _serve(ground, sink, ground.names.telemetry, ground.settings.group, (), beside)


async def _evaluator(ground: Ground) -> int:
    wake, ownership = Wake(), Ownership()
    releases = ground.releases()
    await releases.start()
    beside: list[Beside] = [releases.follow, _evaluation(ground, wake, ownership.digests)]
    agents = [ownership.agent(ground.names.releases)]
    return await _serve(ground, ownership, None, f"{ground.settings.group}-evaluator", agents, beside)


async def _serve(
    ground: Ground,
    sink: PartitionSink,
    telemetry: str | None,
    group: str,
    agents: Sequence[AgentPlan],
    beside: Sequence[Beside],
) -> int:
    session_s = float(ground.settings.session_timeout_s)
    settings = WorkerSettings(
        bootstrap=ground.settings.kafka_bootstrap,
        telemetry_topic=telemetry,
        group=group,
        instance_id=ground.settings.instance_id,
        security=ground.security,
        log_id=ground.log.log_id,
        session_timeout_s=session_s,
        heartbeat_interval_s=session_s / 6,
        rebalance_timeout_s=3 * session_s,
    )
    return await run_services(settings, sink, agents=agents, metrics=ground.metrics, status=ground.status, beside=beside)


def _telemetry_sink(ground: Ground, releases: Releases, flushed: Callable[[], None]) -> TelemetrySink:
    key = header_key(ground.store, _now_ms())
    log = ground.log
    return TelemetrySink(
        LogPartition(log.log_id, log.topic, 0, log.partitions),
        ground.store,
        ground.registry,
        Outlet(ground.sender, log.topic, ground.names.quarantine, log.partitions, key),
        time_source="header" if ground.header_time else "append",
        header_key=key,
        registrations_ms=lambda: releases.complete_to_ms,
        flushed=flushed,
        metrics=ground.metrics,
    )


def _evaluation(ground: Ground, wake: Wake, owned: Owned, judged: Deliver = lambda decided: None) -> Beside:
    shape = LogShape(ground.log.partitions, None if ground.header_time else ground.log.first_seen_ms)
    log_id = ground.log.log_id
    outbox = Outbox(ground.store, log_id, ground.sender, ground.names.incidents, ground.names.triggers)
    service = EvaluationService(ground.store, ground.registry, log_id, shape, owned, undelivered=outbox.look_back)

    def deliver(decided: Sequence[Line]) -> None:
        outbox.deliver(decided)
        judged(decided)

    return evaluation_loop(service, deliver, wake)


def _ticks(ground: Ground) -> list[Beside]:
    """None in header time: there ticks come from the publisher alone."""
    if ground.header_time:
        return []
    producer = BrokerProducer(ground.settings.kafka_bootstrap, ground.security, ground.metrics)
    return [tick_service(producer, ground.names.telemetry, ground.status, ground.metrics)]


def _readiness(ground: Ground, releases: Releases) -> Readiness:
    status, silent_since_s = ground.status, ground.status.broker_silent_since_s
    waiting = [status.waiting_for] if status.waiting_for else []
    if silent_since_s is not None and time.monotonic() - silent_since_s > BROKER_SILENCE_S:
        waiting.append("the Kafka broker, which does not answer")
    notes = ["manifests without signatures are accepted"] if ground.settings.allow_unsigned else []
    notes += [f"manifest {name} is refused; the log says why" for name in dict.fromkeys(releases.refused)]
    notes += [f"partition {partition} stopped: {why}" for partition, why in sorted(status.stopped.items())]
    return Readiness(tuple(waiting), tuple(notes))
