"""A client of the application without a socket between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api.app import build_app
from api.store_pool import StorePool
from surveillance.serving import ApiOffer, Readiness
from surveillance.store.protocol import Store
from surveillance.times import from_text

Ask = Callable[..., httpx.Response]
NOW = "2026-03-02T02:05:00Z"
"""Four minutes after the last event of the telemetry."""


def offer_of(store: Store, **changes: Any) -> ApiOffer:
    given: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "readiness": Readiness,
        "metrics": lambda: b"pms_events_total 7\n",
        "listening": lambda url: None,
    }
    return ApiOffer(store=store, **(given | changes))


@pytest.fixture
def ask() -> Ask:
    """`ask(store, path)`: the answer of an application over that store at a wall clock of `now`."""

    def one(
        store: Store, path: str, *, now: str = NOW, method: str = "GET", headers: dict[str, str] | None = None, **offer: Any
    ) -> httpx.Response:
        async def answered() -> httpx.Response:
            pool = StorePool()
            app = build_app(offer_of(store, **offer), pool, lambda: from_text(now))
            transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
            try:
                async with httpx.AsyncClient(transport=transport, base_url="http://pms.test") as client:
                    return await client.request(method, path, headers=headers)
            finally:
                await pool.aclose()

        return asyncio.run(answered())

    return one
