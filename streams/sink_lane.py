"""One thread on which every call to the sink is made, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class SinkLane:
    """Runs calls one after another on one thread, so that a sink needs no locks and an embedded store sees one thread."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pms-sink")

    def submit(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Queues the call; it runs even when nobody awaits the future any more."""
        return asyncio.wrap_future(self._thread.submit(call, *args, **kwargs))

    async def call(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Queues the call and waits for its answer. Cancelling the wait does not stop the call."""
        return await asyncio.shield(self.submit(call, *args, **kwargs))

    async def call_within(self, seconds: float, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like `call`, but waits no longer than this. Raises TimeoutError; the call goes on."""
        future = self.submit(call, *args, **kwargs)
        await asyncio.wait({future}, timeout=seconds)
        if not future.done():
            future.add_done_callback(_ignore_outcome)
            raise TimeoutError
        return future.result()

    def close(self) -> None:
        """Waits for the calls that are queued."""
        self._thread.shutdown(wait=True)


def _ignore_outcome(future: asyncio.Future[T]) -> None:
    if not future.cancelled():
        future.exception()
