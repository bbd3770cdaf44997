"""The story of the demo: the fleet's telemetry in slices of simulated time, each published, folded and judged before the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from streams.demo_progress import DemoProgress
from streams.producer import Message
from streams.publish import JSON_HEADER
from streams.simulated_fleet.arrivals import fleet_days
from streams.simulated_fleet.cases import DAYS, START_MS
from streams.simulated_fleet.disorder import Arrival
from streams.simulated_fleet.events import Installed
from streams.ticks import INGEST_TIME_HEADER, tick
from surveillance.events.partitioning import partition_of
from surveillance.incidents.lines import Line
from surveillance.store.protocol import Store
from surveillance.times import DAY_MS, HOUR_MS, to_text

T = TypeVar("T")
PARTITIONS = 3
SLICE_MS = 6 * HOUR_MS
"""How much simulated time passes between two judgements. It is shorter than the silence that the manifest puts up with:
a consumer of Kafka may be through with a slice in one partition before it begins it in another."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What arrives in a slice of time that ends at `end_ms`; ticks say that it is over in every partition."""

    end_ms: int
    events: int
    messages: Sequence[Message]

    @property
    def ticks(self) -> Sequence[Message]:
        """The last of the messages, one for each partition."""
        return self.messages[-PARTITIONS:]


class Stage(Protocol):
    """Where the story is played. `topic` is the telemetry's."""

    @property
    def topic(self) -> str: ...
    @property
    def store(self) -> Store: ...

    async def advance(self, part: Slice) -> Sequence[Line]:
        """Publishes a slice, has it folded and judged, and returns the lines that were decided."""


async def tell(
    slices: Iterator[Slice], stage: Stage, show: Callable[[Line], None], progress: DemoProgress, stop: asyncio.Event
) -> bool:
    """Play the slices, showing lines as they are decided. False where `stop` was set before the end."""
    while (part := await asyncio.to_thread(next, slices, None)) is not None:
        decided = await unless(stop, stage.advance(part))
        if decided is None:
            return False
        for line in decided:
            progress.clear()
            show(line)
        progress.report(part.end_ms - START_MS, part.events)
    return True


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None, and `work` cancelled, where `stop` is set first."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()


def slices_of(installed: Installed, topic: str, days: int = DAYS) -> Iterator[Slice]:
    """The fleet's telemetry as messages to a topic of PARTITIONS partitions."""
    for number, arrivals in enumerate(fleet_days(installed, days=days)):
        start_ms = START_MS + number * DAY_MS
        first = 0
        for end_ms in range(start_ms + SLICE_MS, start_ms + DAY_MS + 1, SLICE_MS):
            past = sum(arrival.at_ms < end_ms for arrival in arrivals)
            ticks = [tick(topic, partition, to_text(end_ms)) for partition in range(PARTITIONS)]
            yield Slice(end_ms, past - first, [*(_message(one, topic) for one in arrivals[first:past]), *ticks])
            first = past


def _message(arrival: Arrival, topic: str) -> Message:
    headers = (JSON_HEADER, (INGEST_TIME_HEADER, str(arrival.at_ms).encode()))
    return Message(topic, arrival.device_id.encode(), arrival.line, partition_of(arrival.device_id, PARTITIONS), headers)
