"""When the log no longer has what we want next, what is folded is written before the state is read anew."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest
from aiokafka.errors import OffsetOutOfRangeError
from prometheus_client import CollectorRegistry

from streams.bulk_consumer import BulkConsumer, Phase
from streams.faust_app import WorkerSettings, build_app
from streams.metrics import Metrics
from streams.sink import PartitionSink
from streams.sink_lane import SinkLane
from streams.worker_status import WorkerStatus
from surveillance.errors import StoreUnavailable


class MockSink:
    """Counts flushes, which the store takes or not."""

    def __init__(self, *, available: bool) -> None:
        self.flushes, self._available = 0, available

    def flush(self, deadline_s: float | None) -> Mapping[int, int]:
        self.flushes += 1
        if not self._available:
            raise StoreUnavailable("away")
        return {}


def reloaded(sink: MockSink, *, unfolded: frozenset[int] = frozenset()) -> Phase:
    """The phase of a consumer that has folded something and then hears that its offset is gone."""

    async def run() -> Phase:
        lane = SinkLane()
        app = build_app(
            WorkerSettings("127.0.0.1:1", "t"), cast(PartitionSink, sink), lane, Metrics(CollectorRegistry()), WorkerStatus()
        )
        consumer = cast(BulkConsumer, app.consumer)
        consumer._phase, consumer._dirty, consumer._unfolded = Phase.FOLDING, True, set(unfolded)
        error: Any = OffsetOutOfRangeError({})
        try:
            await consumer._reload(error)
        finally:
            lane.close(5.0)
            consumer._thread.close_unused()
        return consumer._phase

    return asyncio.run(run())


def test_what_is_folded_is_flushed_first() -> None:
    sink = MockSink(available=True)
    assert reloaded(sink) is Phase.LOADING
    assert sink.flushes == 1


def test_while_the_store_is_down_the_state_is_kept() -> None:
    sink = MockSink(available=False)
    assert reloaded(sink) is Phase.FOLDING
    assert sink.flushes == 1


@pytest.mark.parametrize("available", [True, False])
def test_a_list_folded_in_part_is_not_flushed_but_folded_again(available: bool) -> None:
    sink = MockSink(available=available)
    assert reloaded(sink, unfolded=frozenset({0})) is Phase.LOADING
    assert sink.flushes == 0
