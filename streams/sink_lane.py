"""One thread on which every call to something that blocks is made, in order: the sink's, the evaluator's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class SinkLane:
    """Runs calls one after another on one thread, so that a sink needs no locks and an embedded store sees one thread.

    No pool of the standard library: the interpreter would wait at its end, without bound, for a call that hangs.
    """

    def __init__(self, name: str = "pms-sink") -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Queues the call; it runs even when nobody awaits the future any more."""
        answer: Future[T] = Future()
        self._calls.put((answer, partial(call, *args, **kwargs)))
        return asyncio.wrap_future(answer)

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

    def close(self, within_s: float) -> bool:
        """Waits for the calls that are queued, no longer than this; returns whether all have ended."""
        self._calls.put(None)
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (queued := self._calls.get()) is not None:
            answer, call = queued
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
                answer.set_exception(error)


def _ignore_outcome(future: asyncio.Future[T]) -> None:
    if not future.cancelled():
        future.exception()
