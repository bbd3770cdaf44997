"""Reads of the store beside the event loop, with bounds on threads, on what waits, and on time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from surveillance.errors import StoreUnavailable

THREADS = 4
WAITING_MOST = 64
WITHIN_S = 20.0

Answer = TypeVar("Answer")


class StorePool:
    """Runs blocking reads. All calls come from one event loop."""

    def __init__(self, *, waiting_most: int = WAITING_MOST, within_s: float = WITHIN_S) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "pms-api-store")
        self._waiting_most, self._within_s = waiting_most, within_s
        self._waiting = 0

    async def read(self, call: Callable[..., Answer], *arguments: object) -> Answer:
        """What the call returns or raises. Raises StoreUnavailable where too many wait already, or no answer comes in time."""
        if self._waiting >= self._waiting_most:
            raise StoreUnavailable("too many requests wait for the store")
        self._waiting += 1
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)
            return await asyncio.wait_for(running, self._within_s)
        except TimeoutError as error:
            raise StoreUnavailable(f"the store gave no answer within {self._within_s:.0f} s") from error
        finally:
            self._waiting -= 1

    async def aclose(self) -> None:
        """Returns when no thread reads any more, so that the store may be closed."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
