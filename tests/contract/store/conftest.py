"""The store under test: each test of the suite runs on every implementation."""

from __future__ import annotations

import os

import pytest

from surveillance.store.protocol import Store

KINDS = ["memory", "chdb", "http"] + (["server"] if os.environ.get("PMS_TEST_CLICKHOUSE_DSN") else [])


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
