"""The server: says when it answers, leaves when it is told, names what it cannot do."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading

import httpx
import pytest

from api.server import run_api, serve_api
from api.store_pool import StorePool
from surveillance.errors import InvalidInput, StoreUnavailable
from surveillance.settings import Settings
from tests.unit.api.conftest import offer_of
from tests.unit.api.field import empty_log


def test_it_answers_from_the_moment_it_says_so_until_it_is_told_to_stop() -> None:
    async def served() -> tuple[int, str]:
        stop, urls = asyncio.Event(), asyncio.Queue[str]()
        serving = asyncio.create_task(serve_api(offer_of(empty_log(), listening=urls.put_nowait), stop))
        url = await urls.get()
        async with httpx.AsyncClient() as client:
            answer = await client.get(url + "/healthz")
        stop.set()
        await serving
        return answer.status_code, url

    status, url = asyncio.run(served())
    assert status == 200
    assert url.startswith("http://127.0.0.1:")
    with pytest.raises(httpx.ConnectError):
        httpx.get(url + "/healthz")


def test_signals_stay_with_whoever_runs_it() -> None:
    async def handlers() -> tuple[object, object]:
        stop, listening = asyncio.Event(), asyncio.Event()
        before = signal.getsignal(signal.SIGTERM)
        serving = asyncio.create_task(serve_api(offer_of(empty_log(), listening=lambda url: listening.set()), stop))
        await listening.wait()
        during = signal.getsignal(signal.SIGTERM)
        stop.set()
        await serving
        return before, during

    before, during = asyncio.run(handlers())
    assert before is during


def test_a_port_that_is_taken_is_named_with_how_to_mend_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput) as refused:
            asyncio.run(serve_api(offer_of(empty_log(), port=port), asyncio.Event()))
    assert str(port) in refused.value.what
    assert "PMS_API_PORT" in refused.value.mend


@pytest.mark.parametrize("store", ["memory", "chdb:///nowhere"])
def test_pms_api_refuses_a_store_that_one_process_alone_can_open(store: str) -> None:
    with pytest.raises(InvalidInput, match="one process only") as refused:
        run_api(Settings(store=store))
    assert "pms up" in refused.value.mend


# the pool of reads -------------------------------------------------------------------------------------------
def test_a_read_that_takes_too_long_is_a_store_that_does_not_answer() -> None:
    async def slow() -> None:
        pool, release = StorePool(within_s=0.05), threading.Event()
        try:
            with pytest.raises(StoreUnavailable, match="no answer within"):
                await pool.read(release.wait)
        finally:
            release.set()
            await pool.aclose()

    asyncio.run(slow())


def test_what_waits_for_the_store_has_a_bound() -> None:
    async def crowded() -> bool:
        pool, release = StorePool(waiting_most=1), threading.Event()
        loop, begun = asyncio.get_running_loop(), asyncio.Event()

        def held() -> bool:
            loop.call_soon_threadsafe(begun.set)
            return release.wait()

        first = asyncio.create_task(pool.read(held))
        await begun.wait()
        try:
            with pytest.raises(StoreUnavailable, match="too many"):
                await pool.read(release.wait)
        finally:
            release.set()
        answered = await first
        again = await pool.read(release.is_set)
        await pool.aclose()
        return answered and again

    assert asyncio.run(crowded())
