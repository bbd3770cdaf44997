"""A real Kafka broker for the whole test session. Under CI it must be there; elsewhere its absence skips, and says why."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from deploy.kafka import KafkaMissing, kafka_broker


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """Bootstrap address of a broker; tests share it, so each takes a `topic_prefix` of its own."""
    try:
        broker = kafka_broker()
        bootstrap = broker.__enter__()
    except KafkaMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no Kafka here: {missing}")
    try:
        yield bootstrap
    finally:
        broker.__exit__(None, None, None)


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test uses."""
    return f"pms-{uuid.uuid4().hex[:8]}."
