"""How a worker begins and ends: signals, services beside it, a store that hangs, a broker that is not there or goes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from deploy.kafka import kafka_broker
from streams import worker
from streams.faust_app import WorkerSettings
from streams.topics import create_topics
from streams.worker import run_services, serve_worker
from streams.worker_status import WorkerStatus
from surveillance.errors import InvalidInput
from tests.integration.kafka_log import send
from tests.integration.recording_sink import QUICK, Ledger, RecordingSink, RunningWorker, wait_until
from tests.project_tree import ROOT

pytestmark = pytest.mark.kafka

NEVER = replace(QUICK, flush_interval_s=3600.0)


@pytest.fixture
def settings(kafka_bootstrap: str, topic_prefix: str) -> WorkerSettings:
    create_topics(kafka_bootstrap, topic_prefix, 1)
    return WorkerSettings(kafka_bootstrap, topic_prefix + "telemetry", group=topic_prefix + "group", pace=NEVER)


async def kill_us_when_folded(sink: RecordingSink, number: int, stop: asyncio.Event) -> None:
    await asyncio.to_thread(wait_until, lambda: sink.faults.seen["fold"] > 0)
    os.kill(os.getpid(), number)
    await stop.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_flushes_what_is_folded_and_ends_with_0(settings: WorkerSettings, number: int) -> None:
    ledger = Ledger()
    sink = RecordingSink(ledger)
    send(settings.bootstrap, settings.telemetry_topic or "", {0: [b"a", b"b", b"c"]})

    async def run() -> int:
        return await run_services(settings, sink, beside=[lambda stop: kill_us_when_folded(sink, number, stop)])

    before = signal.getsignal(number)
    try:
        assert asyncio.run(run()) == 0
    finally:
        signal.signal(number, before)
    assert ledger.counted[0] == [0, 1, 2]


def test_a_service_that_fails_takes_the_worker_with_it(settings: WorkerSettings) -> None:
    ledger, status, stopped = Ledger(), WorkerStatus(), []

    async def fails(_stop: asyncio.Event) -> None:
        await asyncio.to_thread(wait_until, lambda: status.ready)
        raise ZeroDivisionError

    async def other(stop: asyncio.Event) -> None:
        await stop.wait()
        stopped.append(True)

    async def run() -> int:
        return await run_services(settings, RecordingSink(ledger), status=status, beside=[fails, other])

    assert asyncio.run(run()) == 1
    assert stopped == [True]


def test_a_service_that_does_not_end_is_left_behind(settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SERVICES_STOP_S", 0.1)
    status = WorkerStatus()

    async def deaf(_stop: asyncio.Event) -> None:
        await asyncio.Event().wait()

    async def stops(stop: asyncio.Event) -> None:
        await asyncio.to_thread(wait_until, lambda: status.ready)
        stop.set()

    async def run() -> int:
        return await run_services(settings, RecordingSink(Ledger()), status=status, beside=[deaf, stops])

    assert asyncio.run(run()) == 1


def test_a_store_that_hangs_does_not_keep_a_worker_from_leaving(
    settings: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LANE_CLOSE_S", 0.1)
    ledger = Ledger()
    with RunningWorker(replace(settings, pace=replace(NEVER, stop_flush_s=0.2)), ledger) as running:
        send(settings.bootstrap, settings.telemetry_topic or "", {0: [b"a"]})
        wait_until(lambda: running.sink.faults.seen["fold"] > 0)
        with running.sink.faults.held("flush"):
            assert running.stop(within_s=10.0) == 0
            assert ledger.total() == 0


def test_no_broker_at_the_start_is_said_in_words_and_leaves_no_loop_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> int:
        return await serve_worker(WorkerSettings("127.0.0.1:1", "pms.telemetry"), RecordingSink(Ledger()), asyncio.Event())

    made, new_event_loop = [], asyncio.new_event_loop

    def noted() -> asyncio.AbstractEventLoop:
        made.append(new_event_loop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", noted)
    with pytest.raises(InvalidInput, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        asyncio.run(run())
    assert made, "the thread of the consumer has a loop of its own"
    assert all(loop.is_closed() for loop in made)


WORKER = """
import asyncio, sys
from streams.faust_app import WorkerSettings
from streams.worker import run_worker
from streams.worker_status import WorkerStatus
from tests.integration.recording_sink import Ledger, RecordingSink

status = WorkerStatus()

async def tell(stop):
    while not status.ready:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await stop.wait()

sys.exit(run_worker(WorkerSettings(sys.argv[1], "pms.telemetry"), RecordingSink(Ledger()), status=status, beside=[tell]))
"""


def test_a_broker_that_is_gone_does_not_keep_a_worker_from_leaving() -> None:
    with kafka_broker(settings={"num.partitions": "1"}) as bootstrap:  # settings: one of our own, to be stopped
        create_topics(bootstrap, "pms.", 1)
        running = subprocess.Popen([sys.executable, "-c", WORKER, bootstrap], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
    asked = time.monotonic()
    running.terminate()
    try:
        assert running.wait(timeout=30) == 0
    finally:
        running.kill()
        running.stdout.close()
    assert time.monotonic() - asked < 15
