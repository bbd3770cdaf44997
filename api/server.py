"""Serving the API: beside other services in one event loop (`serve_api`), or alone (`run_api`)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator

import uvicorn

from api.app import build_app
from api.guard import Guard
from api.store_pool import StorePool
from surveillance.errors import InvalidInput, InvalidSetting
from surveillance.serving import ApiOffer, Readiness
from surveillance.settings import Settings
from surveillance.store.opening import open_store
from surveillance.store.protocol import Store

log = logging.getLogger(__name__)

LEAVE_WITHIN_S = 5
BACKLOG = 128
_MEND = (
    "choose a free port (PMS_API_PORT or --api-port; 0 picks one), or stop what uses it; PMS_API_HOST names an address of this "
    "machine"
)


def check_address(host: str, port: int, mend: str = _MEND) -> None:
    """Raises InvalidInput, with `mend`, where the address cannot be listened on: asked before anything else is started."""
    _listener(host, port, mend).close()


async def serve_api(offer: ApiOffer, stop: asyncio.Event) -> None:
    """Serves until `stop` is set. Raises InvalidInput where the address cannot be listened on."""
    with _listener(offer.host, offer.port) as listener:
        async with contextlib.aclosing(StorePool()) as pool:
            app = build_app(offer, pool, _now_ms)
            await _serve(_Server(app, lambda: offer.listening(_url(offer.host, listener))), listener, stop)


async def _serve(server: uvicorn.Server, listener: socket.socket, stop: asyncio.Event) -> None:
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([serving, stopped], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, and says when it answers."""

    def __init__(self, app: Guard, answering: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                # Forwarded addresses and schemes are not believed: nothing here depends on them.
                proxy_headers=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=LEAVE_WITHIN_S,
            )
        )
        self._answering = answering

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As it is, and a word to whoever waits for it."""
        await super().startup(sockets)
        self._answering()


def _listener(host: str, port: int, mend: str = _MEND) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server((str(address[0]), port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a host name"
        raise InvalidInput(f"the API cannot listen on {host} port {port}: {why}", mend) from error


def _url(host: str, listener: socket.socket) -> str:
    named = f"[{host}]" if ":" in host else host
    return f"http://{named}:{listener.getsockname()[1]}"


def _now_ms() -> int:
    return int(time.time() * 1000)


# alone -----------------------------------------------------------------------------------------------------
def run_api(settings: Settings) -> int:
    """The API alone, until SIGTERM or SIGINT. Returns the exit code.

    Raises InvalidSetting where the store is one that only a single process may open, InvalidInput where the address is taken;
    StoreUnavailable.
    """
    dsn = settings.named_store()
    if not dsn.startswith("clickhouse"):
        raise InvalidSetting(
            "pms api reads the store of other processes, and an embedded store is open in one process only",
            "name a ClickHouse server (PMS_STORE=clickhouse://...); with an embedded store `pms up` serves the API itself",
        )
    store = open_store(dsn)
    try:
        asyncio.run(_until_signal(settings, store))
    finally:
        store.close()
    return 0


async def _until_signal(settings: Settings, store: Store) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    notes = ("manifests without signatures are accepted",) if settings.allow_unsigned else ()
    offer = ApiOffer(
        store=store,
        host=settings.api_host,
        port=settings.api_port,
        readiness=lambda: Readiness(notes=notes),
        metrics=lambda: b"",
        listening=lambda url: log.info("API and page at %s", url),
        wall_time=settings.time_source != "header",
    )
    await serve_api(offer, stop)
