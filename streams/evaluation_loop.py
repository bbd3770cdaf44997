"""Runs evaluation beside a worker or alone: a step whenever something was flushed, and twice a second at least."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from mode import get_logger

from streams.evaluation_service import EvaluationService
from streams.sink_lane import SinkLane
from surveillance.errors import StoreUnavailable
from surveillance.incidents.lines import Line

logger = get_logger(__name__)

POLL_S = 0.5
BACKOFF_LAST_S = 10.0
STOP_WITHIN_S = 15.0
Deliver = Callable[[Sequence[Line]], None]


class Wake:
    """Set from any thread, awaited in the event loop that made it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def set(self) -> None:
        """Something may have changed. Harmless when the loop is gone."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> None:
        """Until it is set, at most this long."""
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._event.clear()


def evaluation_loop(service: EvaluationService, deliver: Deliver, wake: Wake) -> Callable[[asyncio.Event], Awaitable[None]]:
    """A service for `run_worker(beside=...)`. Ends after a last step when `stop` is set."""

    async def run(stop: asyncio.Event) -> None:
        lane, backoff_s = SinkLane("pms-evaluator"), 0.0
        stopping = asyncio.ensure_future(_wake_at_stop(stop, wake))
        try:
            while True:
                ending = stop.is_set()
                try:
                    await lane.call(_step, service, deliver)
                    backoff_s = 0.0
                except StoreUnavailable as error:
                    backoff_s = min(BACKOFF_LAST_S, max(POLL_S, 2 * backoff_s))
                    logger.warning("evaluation waits, trying again in %.1f s: %s", backoff_s, error)
                if ending:
                    return
                await wake.wait(backoff_s or POLL_S)
        finally:
            stopping.cancel()
            await asyncio.to_thread(lane.close, STOP_WITHIN_S)

    return run


def _step(service: EvaluationService, deliver: Deliver) -> None:
    deliver(service.step())


async def _wake_at_stop(stop: asyncio.Event, wake: Wake) -> None:
    await stop.wait()
    wake.set()
