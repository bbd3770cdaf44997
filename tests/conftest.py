"""Stores for every test.

chDB allows one directory per process, so all tests share one store and keep their data apart by `log_id` and `tenant`.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Iterator

import pytest

from surveillance.store import open_store
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from tests.standins.clickhouse_http_over_chdb import ClickHouseStandIn

_RUN = uuid.uuid4().hex[:12]
_NUMBERS = itertools.count(1)


@pytest.fixture
def log_id() -> str:
    """A log that no other test, of this run or another, writes to."""
    return f"test-{_RUN}/pms.telemetry/{next(_NUMBERS)}"


@pytest.fixture
def tenant() -> str:
    """A tenant that no other test, of this run or another, writes to."""
    return f"tenant-{_RUN}-{next(_NUMBERS)}"


@pytest.fixture
def memory_store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(scope="session")
def chdb_dsn(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The one chDB directory of this process; a test that needs its own directory runs a subprocess."""
    pytest.importorskip("chdb", reason="chDB is not installed")
    return f"chdb://{tmp_path_factory.mktemp('chdb')}"


@pytest.fixture(scope="session")
def chdb_store(chdb_dsn: str) -> Iterator[Store]:
    store = open_store(chdb_dsn)
    yield store
    store.close()


@pytest.fixture(scope="session")
def clickhouse_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStandIn]:
    """ClickHouse's HTTP interface over chDB in a process of its own; a test that breaks it mends it before it ends."""
    pytest.importorskip("chdb", reason="chDB is not installed")
    with ClickHouseStandIn(tmp_path_factory.mktemp("stand-in")) as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def http_store(clickhouse_stand_in: ClickHouseStandIn) -> Iterator[Store]:
    store = open_store(clickhouse_stand_in.dsn())
    yield store
    store.close()


@pytest.fixture(scope="session")
def server_store() -> Iterator[Store]:
    """A real ClickHouse server, where the environment names one."""
    dsn = os.environ.get("PMS_TEST_CLICKHOUSE_DSN")
    if not dsn:
        pytest.skip("no real ClickHouse: PMS_TEST_CLICKHOUSE_DSN is not set")
    store = open_store(dsn)
    yield store
    store.close()
