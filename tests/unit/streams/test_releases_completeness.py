"""Up to which moment registrations are known: never later than the moment at which the end of the log was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest
from aiokafka.structs import TopicPartition

from streams import releases as module
from streams.releases import Releases

ONE, TWO = TopicPartition("releases", 0), TopicPartition("releases", 1)


class MockClock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def time(self) -> float:
        return self.now_s


class MockConsumer:
    """Reads up to `positions`; the log ends at `ends`, and saying so takes a minute."""

    def __init__(self, clock: MockClock, positions: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> None:
        self._clock, self._positions, self._ends = clock, positions, ends

    def assignment(self) -> Iterable[TopicPartition]:
        return set(self._positions)

    async def position(self, tp: TopicPartition) -> int:
        self._clock.now_s += 60.0
        return self._positions[tp]

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self._clock.now_s += 60.0
        return {tp: self._ends[tp] for tp in tps}


def read_up_to(monkeypatch: pytest.MonkeyPatch, positions: tuple[int, int], ends: tuple[int, int]) -> int | None:
    clock = MockClock()
    monkeypatch.setattr(module, "time", clock)
    releases = Releases("127.0.0.1:1", "releases", lambda _document, _ms: None)
    consumer = MockConsumer(clock, dict(zip((ONE, TWO), positions, strict=True)), dict(zip((ONE, TWO), ends, strict=True)))
    releases._reader = releases._prober = cast(Any, consumer)
    return asyncio.run(releases._read_up_to())


def test_the_moment_is_the_one_before_the_end_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_up_to(monkeypatch, (3, 0), (3, 0)) == 1_000_000


@pytest.mark.parametrize("positions", [(2, 0), (3, 1), (4, 0)])
def test_one_partition_before_its_end_or_beyond_it_is_enough_to_know_nothing(
    monkeypatch: pytest.MonkeyPatch, positions: tuple[int, int]
) -> None:
    assert read_up_to(monkeypatch, positions, (3, 2 if positions == (3, 1) else 0)) is None
