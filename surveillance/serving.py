"""What the API is given by the process that runs it, so that streams and api need not know each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from surveillance.store.protocol import Store


@dataclass(frozen=True, slots=True)
class Readiness:
    """`waiting_for` names what stands in the way (empty = ready); `notes` what a reader must know, such as unsigned manifests."""

    waiting_for: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiOffer:
    """`port` 0 picks a free one; `listening` is called with the URL once requests are answered.

    `wall_time` says whether watermarks are comparable with a wall clock: not where the publisher makes the time.
    """

    store: Store
    host: str
    port: int
    readiness: Callable[[], Readiness]
    metrics: Callable[[], bytes]
    listening: Callable[[str], None]
    wall_time: bool = True


ServeApi = Callable[[ApiOffer, asyncio.Event], Awaitable[None]]
"""Serves until the event is set."""
