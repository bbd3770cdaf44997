"""Contenders that read a topic, as rates: events per second of processor time, and of the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.child_process import in_child
from benchmarks.filled_topic import FilledTopic
from benchmarks.result import Contender

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """A module with `contend`, what it is told, and how many events it reads."""

    module: str
    arguments: Mapping[str, Any]
    events: int

    def read(self) -> Figures:
        """Its figures, from a process of its own."""
        return in_child(self.module, **self.arguments)


def floor(topic: FilledTopic, events: int, *, batches: bool) -> Reader:
    """The client and msgspec alone."""
    told = {"bootstrap": topic.bootstrap, "topic": topic.topic, "records": topic.records, "batches": batches}
    return Reader("benchmarks.contend_floor", told, events)


def ingest(topic: FilledTopic, events: int) -> Reader:
    """The product into chDB."""
    told = {"bootstrap": topic.bootstrap, "prefix": topic.prefix, "records": topic.records}
    return Reader("benchmarks.contend_ingest", told, events)


def idle_agent(topic: FilledTopic, records: int) -> Reader:
    """The Faust agent that does nothing, on the first `records` records."""
    told = {"bootstrap": topic.bootstrap, "topic": topic.topic, "records": records}
    return Reader("benchmarks.contend_faust_agent", told, records)


def raced(readers: Mapping[str, Reader], rounds: int) -> dict[str, list[Figures]]:
    """Figures of each reader, one per round; the order turns by one each round."""
    names = list(readers)
    found: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            found[name].append(readers[name].read())
    return found


def per_core(reader: Reader, rounds: Sequence[Figures]) -> Contender:
    """Events per second of processor time, all threads of the process together. The clock's rate stands in the note."""
    clock = sorted(reader.events / one["seconds"] for one in rounds)[len(rounds) // 2]
    return Contender(
        "events/s/core", [reader.events / one["cpu_seconds"] for one in rounds], f"{clock:,.0f} events/s by the clock"
    )


def stages(rounds: Sequence[Figures]) -> str:
    """Where the product's time went, by the clock, in the round of median length."""
    one = sorted(rounds, key=lambda figures: float(figures["seconds"]))[len(rounds) // 2]
    return f"folding {one['fold_seconds']:.1f} s and flushing {one['flush_seconds']:.1f} s of {one['seconds']:.1f} s"
