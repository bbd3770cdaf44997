"""Clients of one ClickHouse engine, server or embedded, and its errors in the product's words.

A chDB client belongs to one thread at a time, and its engine must not be used after a fork; so clients are lent from a
pool and a forked process is refused. Values reach SQL as bound parameters only.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, Error, OperationalError

from surveillance.errors import InvalidInput, StoreError, StoreUnavailable
from surveillance.store.chdb_directory import ONE_PROCESS
from surveillance.store.dsn import ChdbTarget, ServerTarget

_SETTINGS: Mapping[str, Any] = {
    # Acknowledged means written: no server-side buffering, and no window in which an equal insert is dropped.
    "async_insert": 0,
    "insert_deduplicate": 0,
    # Years of history may arrive in one flush; rows are deduplicated when read, not when inserted.
    "max_partitions_per_insert_block": 0,
    "optimize_on_insert": 0,
    "output_format_arrow_low_cardinality_as_dictionary": 1,
    # Payloads are bytes, which need not be text.
    "output_format_arrow_string_as_string": 0,
}

_REPLICATED_SETTINGS: Mapping[str, Any] = {
    # A sequentially consistent read sees quorum inserts only while they are not made in parallel.
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
}

# What the engine says when the same request may succeed later: time, memory, disk, merges behind, replicas, keeper, shutdown.
_PASSING = frozenset(
    (
        "ABORTED",
        "ALL_CONNECTION_TRIES_FAILED",
        "ALL_REPLICAS_ARE_STALE",
        "ATTEMPT_TO_READ_AFTER_EOF",
        "AUTHENTICATION_FAILED",
        "CANNOT_ALLOCATE_MEMORY",
        "CANNOT_OPEN_FILE",
        "CANNOT_READ_FROM_FILE_DESCRIPTOR",
        "CANNOT_READ_FROM_SOCKET",
        "CANNOT_SCHEDULE_TASK",
        "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
        "CANNOT_WRITE_TO_SOCKET",
        "DNS_ERROR",
        "KEEPER_EXCEPTION",
        "MEMORY_LIMIT_EXCEEDED",
        "NETWORK_ERROR",
        "NOT_ENOUGH_SPACE",
        "NO_ACTIVE_REPLICAS",
        "NO_FREE_CONNECTION",
        "NO_ZOOKEEPER",
        "QUERY_WAS_CANCELLED",
        "QUOTA_EXCEEDED",
        "REPLICA_IS_NOT_IN_QUORUM",
        "SERVER_OVERLOADED",
        "SOCKET_TIMEOUT",
        "TABLE_IS_READ_ONLY",
        "TIMEOUT_EXCEEDED",
        "TOO_FEW_LIVE_REPLICAS",
        "TOO_MANY_PARTS",
        "TOO_MANY_SIMULTANEOUS_QUERIES",
        "TOO_SLOW",
        "UNEXPECTED_END_OF_FILE",
        "UNEXPECTED_ZOOKEEPER_ERROR",
        "UNKNOWN_STATUS_OF_INSERT",
        "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    )
)


class Connection:
    """A pool of clients of one target. Every method raises StoreUnavailable when a repeat may help, else StoreError."""

    def __init__(self, target: ChdbTarget | ServerTarget) -> None:
        self._target = target
        self.place = described(target)
        self._settings = dict(_SETTINGS)
        self._idle: list[Client] = []
        self._lock = threading.Lock()
        self._closed = False
        self._pid = os.getpid()
        with self.client() as client:
            self.version = str(client.server_version)

    def require_quorum(self) -> None:
        """From now on every write is acknowledged by a majority of replicas, and every read sees all such writes."""
        with self._lock:
            self._settings |= _REPLICATED_SETTINGS
            stale, self._idle = self._idle, []
        for client in stale:
            client.close()

    def insert(self, table: str, columns: Any) -> None:
        """Insert an Arrow table; acknowledged when this returns."""
        with self.client() as client:
            client.insert_arrow(table, columns)

    def select(self, sql: str, parameters: Mapping[str, Any]) -> Any:
        """The answer as an Arrow table; low-cardinality text as dictionaries."""
        with self.client() as client:
            return client.query_arrow(sql, parameters=dict(parameters))

    def command(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        with self.client() as client:
            client.command(sql, parameters=dict(parameters or {}))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client for this thread alone, until the block ends."""
        if os.getpid() != self._pid:
            raise StoreError("a store cannot be used in a forked process; open it after the fork")
        client = self._borrow()
        try:
            yield client
        except ClickHouseError as error:
            raise translated(self.place, error) from error
        except OSError as error:  # an embedded insert passes through a temporary file
            raise StoreUnavailable(f"the store at {self.place} cannot write: {error}") from error
        finally:
            self._give_back(client)

    def _borrow(self) -> Client:
        with self._lock:
            if self._closed:
                raise StoreError(f"the store at {self.place} is closed")
            if self._idle:
                return self._idle.pop()
            settings = dict(self._settings)
        return connect(self._target, settings)

    def _give_back(self, client: Client) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(client)
                return
        client.close()


def connect(target: ChdbTarget | ServerTarget, settings: Mapping[str, Any]) -> Client:
    """A new client. Raises InvalidInput where the address itself is wrong, StoreUnavailable where it does not answer."""
    place = described(target)
    try:
        return _chdb_client(target, settings) if isinstance(target, ChdbTarget) else _server_client(target, settings)
    except Error as error:
        if error.name in ("AUTHENTICATION_FAILED", "REQUIRED_PASSWORD"):
            raise InvalidInput(
                f"the store at {place} does not accept the user or password", "correct them in the store's address"
            ) from error
        if error.name == "UNKNOWN_DATABASE":
            raise InvalidInput(
                f"the store at {place} has no such database", "create it, or name another in the store's address"
            ) from error
        if isinstance(target, ChdbTarget):
            raise InvalidInput(f"{place} cannot be opened: {_first_line(error)}", ONE_PROCESS) from error
        raise translated(place, error) from error


def described(target: ChdbTarget | ServerTarget) -> str:
    """Where the engine is, without credentials."""
    return f"chdb://{target.directory}" if isinstance(target, ChdbTarget) else f"{target.host}:{target.port}/{target.database}"


def translated(place: str, error: ClickHouseError) -> StoreError:
    """The driver's error as StoreUnavailable where the same request may succeed later, as StoreError otherwise."""
    name = error.name if isinstance(error, Error) else None
    # A plain error without a name: something other than the engine answered, such as a proxy with a 502.
    passing = isinstance(error, OperationalError) or name in _PASSING or (name is None and type(error) is DatabaseError)
    if passing:
        return StoreUnavailable(f"the store at {place} does not answer: {_first_line(error)}")
    return StoreError(f"the store at {place} refused: {_first_line(error)}")


def _chdb_client(target: ChdbTarget, settings: Mapping[str, Any]) -> Client:
    try:
        return clickhouse_connect.get_client(interface="chdb", path=target.directory, settings=dict(settings))
    except ImportError as error:
        raise InvalidInput(
            "an embedded store needs chDB, which is not installed", "pip install chdb, or use a ClickHouse server"
        ) from error


def _server_client(target: ServerTarget, settings: Mapping[str, Any]) -> Client:
    return clickhouse_connect.get_client(
        interface="https" if target.tls else "http",
        host=target.host,
        port=target.port,
        username=target.user,
        password=target.password,
        database=target.database,
        settings=dict(settings),
        connect_timeout=target.connect_timeout_s,
        send_receive_timeout=target.timeout_s,
        query_retries=0,
        autogenerate_session_id=False,
    )


def _first_line(error: Exception) -> str:
    """The message without query strings: they hold bound values, which do not belong in logs."""
    text = re.sub(r"\?\S*=\S*", "", str(error).strip())
    return text.splitlines()[0][:500] if text else type(error).__name__
