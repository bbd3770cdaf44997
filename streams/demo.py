"""`pms demo`: the story of a simulated fleet through the pipeline of production, in one process, and a page that lists it.

page up ──▶ story: a slice published, folded, judged, shown; again ──▶ summary ──once──▶ stop
              │ interrupted                                               └──▶ the page stays until interrupted
              └──▶ stop
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import webbrowser
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path

from streams.demo_kafka import KafkaStage, demo_ground
from streams.demo_pipeline import DemoPipeline, InMemoryStage
from streams.demo_progress import DemoProgress
from streams.demo_story import Stage, slices_of, tell, unless
from streams.services import serve_up
from streams.simulated_fleet.cases import START_MS
from streams.simulated_fleet.events import Installed
from streams.sink_lane import SinkLane
from streams.worker import STOP_SIGNALS
from surveillance.evaluation.status import status_lines
from surveillance.incidents.lines import Line
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.parse import read_document
from surveillance.serving import ApiOffer, Readiness, ServeApi
from surveillance.settings import Settings
from surveillance.store.opening import open_store
from surveillance.store.protocol import Store

MANIFEST = Path(__file__).parent / "simulated_fleet" / "release.manifest.yaml"
HOST = "127.0.0.1"
EXIT_INTERRUPTED = 130
LANE_CLOSE_S = 20.0

Show = Callable[[Line], None]
Broker = AbstractContextManager[Settings]
"""Starts a Kafka, or names one that runs, for as long as it is entered."""


def run_demo(*, broker: Broker | None, port: int, open_browser: bool, once: bool, serve_api: ServeApi, show: Show) -> int:
    """Play the story over the Kafka of `broker`; where there is none, over a log in memory. Returns the exit code.

    130 = interrupted before the end. Raises InvalidInput where the broker or the port cannot be used.
    """
    demo = _Demo(port, open_browser, once, serve_api, show)
    with tempfile.TemporaryDirectory(prefix="pms-demo-", ignore_cleanup_errors=True) as folder:
        store = f"chdb://{folder}"
        if broker is None:
            return asyncio.run(demo.in_memory(store))
        with broker as settings:
            return demo.on_kafka(settings, store)


class _Demo:
    def __init__(self, port: int, open_browser: bool, once: bool, serve_api: ServeApi, show: Show) -> None:
        self._port, self._open_browser, self._once = port, open_browser, once
        self._serve_api, self._show = serve_api, show
        started_s = time.monotonic()
        self._progress = DemoProgress(sys.stderr, lambda: time.monotonic() - started_s)
        self._document = read_document(MANIFEST)
        self._finished = False

    # the two stages -----------------------------------------------------------------------------------------
    async def in_memory(self, dsn: str) -> int:
        stop, page = asyncio.Event(), asyncio.Event()
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        store, lane = open_store(dsn), SinkLane("pms-demo")
        try:
            pipeline = await lane.call(DemoPipeline, store, self._document, START_MS)
            stage = InMemoryStage(store, pipeline, lane)
            await _together(stop, self._serve_api(self._offer(store, page), stop), self._play(stage, page, stop))
        finally:
            await asyncio.to_thread(lane.close, LANE_CLOSE_S)
            store.close()
        return self._exit_code

    def _offer(self, store: Store, page: asyncio.Event) -> ApiOffer:
        return ApiOffer(
            store=store,
            host=HOST,
            port=self._port,
            readiness=Readiness,
            metrics=lambda: b"",
            listening=lambda url: self._listening(url, page),
            wall_time=False,
        )

    def on_kafka(self, settings: Settings, dsn: str) -> int:
        with demo_ground(settings, self._document, host=HOST, port=self._port, store=dsn) as ground:

            async def serve() -> int:
                page, stage = asyncio.Event(), KafkaStage(ground)

                async def story(stop: asyncio.Event) -> None:
                    try:
                        await self._play(stage, page, stop)
                    finally:
                        await stage.close()

                return await serve_up(
                    ground,
                    self._serve_api,
                    listening=lambda url: self._listening(url, page),
                    judged=stage.judged,
                    also=[story],
                )

            return asyncio.run(serve()) or self._exit_code

    @property
    def _exit_code(self) -> int:
        return 0 if self._finished else EXIT_INTERRUPTED

    # the story ----------------------------------------------------------------------------------------------
    def _listening(self, url: str, page: asyncio.Event) -> None:
        self._progress.note(f"The page of this demo: {url}")
        page.set()
        if self._open_browser:
            webbrowser.open(url)

    async def _play(self, stage: Stage, page: asyncio.Event, stop: asyncio.Event) -> None:
        """From the page on to the end; sets `stop` where nothing more is to be seen."""
        installed = Installed.by(self._document, manifest_digest(self._document))
        await unless(stop, page.wait())
        try:
            self._finished = await tell(slices_of(installed, stage.topic), stage, self._show, self._progress, stop)
            self._progress.clear()
            if not self._finished:
                return
            (summary,) = deque(await asyncio.to_thread(list, status_lines(stage.store)), maxlen=1)
            self._show(dict(summary))
            if not self._once:
                self._progress.note("The story is over; the page stays up until Ctrl-C.")
                await stop.wait()
        finally:
            stop.set()


async def _together(stop: asyncio.Event, *services: Awaitable[None]) -> None:
    """Runs services until the first ends, then sets `stop` and waits for the others. Raises what one of them raises."""
    running = [asyncio.ensure_future(service) for service in services]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        await asyncio.gather(*running)
