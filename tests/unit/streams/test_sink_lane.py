"""One thread, one call after another, whoever waits for it."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from streams.sink_lane import SinkLane


def test_calls_run_in_order_on_one_thread_that_is_not_the_loops() -> None:
    async def run() -> tuple[list[int], set[int]]:
        lane, order, threads = SinkLane(), [], set()

        def note(number: int) -> int:
            order.append(number)
            threads.add(threading.get_ident())
            return number

        assert await asyncio.gather(*(lane.call(note, number) for number in range(50))) == list(range(50))
        lane.close(5.0)
        return order, threads

    order, threads = asyncio.run(run())
    assert order == list(range(50))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_an_error_reaches_who_called_and_the_lane_goes_on() -> None:
    async def run() -> None:
        lane = SinkLane()
        with pytest.raises(ZeroDivisionError):
            await lane.call(lambda: 1 // 0)
        assert await lane.call(lambda: "next") == "next"
        lane.close(5.0)

    asyncio.run(run())


def test_a_call_goes_on_when_nobody_waits_for_it_any_more() -> None:
    async def run() -> list[str]:
        lane, done, gate = SinkLane(), [], threading.Event()

        def slow(name: str) -> None:
            gate.wait()
            done.append(name)

        cancelled = asyncio.ensure_future(lane.call(slow, "cancelled while it ran"))
        queued = asyncio.ensure_future(lane.call(slow, "cancelled while it was queued"))
        await asyncio.sleep(0)
        cancelled.cancel()
        queued.cancel()
        with pytest.raises(TimeoutError):
            await lane.call_within(0.01, slow, "given up")
        gate.set()
        await lane.call(slow, "after")
        lane.close(5.0)
        return done

    assert asyncio.run(run()) == ["cancelled while it ran", "cancelled while it was queued", "given up", "after"]


def test_an_error_of_a_call_that_was_given_up_disturbs_nobody() -> None:
    async def run() -> None:
        problems: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context))
        lane, gate = SinkLane(), threading.Event()

        def fails_late() -> None:
            gate.wait()
            raise ZeroDivisionError

        with pytest.raises(TimeoutError):
            await lane.call_within(0.01, fails_late)
        gate.set()
        await lane.call(lambda: None)
        lane.close(5.0)
        assert problems == []

    asyncio.run(run())


def test_within_its_time_a_call_answers_as_ever() -> None:
    async def run() -> None:
        lane = SinkLane()
        assert await lane.call_within(5.0, lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await lane.call_within(5.0, lambda: 1 // 0)
        lane.close(5.0)

    asyncio.run(run())


def test_closing_waits_for_what_is_queued_but_not_for_a_call_that_hangs() -> None:
    async def run() -> None:
        done: list[int] = []
        lane = SinkLane()
        for number in range(3):
            lane.submit(done.append, number)
        assert lane.close(5.0)
        assert done == [0, 1, 2]
        hanging, gate = SinkLane(), threading.Event()
        stuck = hanging.submit(gate.wait)
        began = time.monotonic()
        assert not hanging.close(0.05)
        assert time.monotonic() - began < 2
        gate.set()
        await stuck

    asyncio.run(run())
