"""Arrow batches of 500 inferences, 8 features and 5 axes: to panes in memory, and from Kafka to panes in chDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from benchmarks.filled_topic import fill, fresh_topics, now_ms
from benchmarks.fleet import BATCH, Fleet, fleet_plan
from benchmarks.result import Claim, Contender, Options, Result, ratio
from benchmarks.rounds import cpu_seconds, interleaved, rate
from benchmarks.throughput import ingest, per_core, raced, stages
from streams.producer import Message
from streams.topics import TopicNames
from surveillance.events.batch import EventBatch
from surveillance.events.decode import decode
from surveillance.events.limits import DecodeLimits
from surveillance.ingest.owned import LogPartition, OwnedPartition
from surveillance.panes.statistics import SPAN
from surveillance.registry import ALWAYS_MS, Registration, Registry
from surveillance.store.memory import MemoryStore

_EVENTS = 200_000
_FETCH = 40
"""Records in one fetched list: 4 MB and more."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def arrow_batch(bootstrap: str, options: Options) -> Result:
    """Floor = the same streams to numpy columns, nothing checked, nothing counted."""
    at_ms = now_ms()
    events = options.scaled(_EVENTS, 64 * BATCH)
    messages = list(Fleet("arrow", at_ms).arrow_batches("", events))
    count, lists = len(messages) * BATCH, _lists(messages, at_ms)
    values = interleaved(
        {
            "floor": rate(count, lambda: _to_numpy(messages)),
            "decode": rate(count, lambda: [_decoded(some) for some in lists]),
            "fold": lambda: count / _folded_in(lists),
        },
        options.rounds,
    )
    contenders = {
        "floor": Contender("events/s/core", values["floor"], "IPC stream to numpy columns"),
        "decode": Contender("events/s/core", values["decode"], "checked columns and identifiers of the product"),
        "fold": Contender("events/s/core", values["fold"], "to panes in memory, duplicates and join included, nothing written"),
    }
    with fresh_topics(bootstrap) as prefix:
        topic = TopicNames.under(prefix).telemetry
        filled = fill(bootstrap, prefix, iter([Message(topic, m.key, m.value, m.partition, m.headers) for m in messages]))
        reader = ingest(filled, count)
        rounds = raced({"ingest": reader}, options.rounds)["ingest"]
    contenders["ingest"] = per_core(reader, rounds)
    claims = [
        Claim("events/s/core, decoded and folded", contenders["fold"].median, 2e6),
        Claim("of the floor, decoded and folded", ratio(contenders["fold"], contenders["floor"]), 0.25),
    ]
    what = "Arrow batches of 500, 8 features, 5 axes"
    return Result("arrow-batch", what, options.scale, contenders, claims, f"Kafka to chDB: {stages(rounds)}")


def _to_numpy(messages: Sequence[Message]) -> None:
    for message in messages:
        with pa.ipc.open_stream(message.value) as stream:
            for batch in stream:
                for column in batch.columns:
                    codes = column.indices if pa.types.is_dictionary(column.type) else column
                    codes.to_numpy(zero_copy_only=False)


def _lists(messages: Sequence[Message], at_ms: int) -> list[list[_Fetched]]:
    fetched = [_Fetched(number, at_ms, one.key, one.value, one.headers) for number, one in enumerate(messages)]
    return [fetched[start : start + _FETCH] for start in range(0, len(fetched), _FETCH)]


def _decoded(records: Sequence[_Fetched]) -> EventBatch:
    limits = DecodeLimits()
    return decode(
        records, partition=0, limits=limits, forbidden=frozenset({"patient_name"}), time_source="append", header_key=None
    )


def _folded_in(lists: Sequence[Sequence[_Fetched]]) -> float:
    """Processor seconds of decoding and folding; one partition holds all devices."""
    registry = Registry([Registration(fleet_plan(), ALWAYS_MS)])
    owned = OwnedPartition(LogPartition("log", "topic", 0, 1), MemoryStore(), registry)
    seconds = cpu_seconds(lambda: [owned.take(_decoded(records)) for records in lists])
    counted = sum(int(row.counts[0]) for row in owned.fold.table.changed() if row.key.statistic.startswith(SPAN))
    assert counted == sum(map(len, lists)) * BATCH, "not every event was counted"
    return seconds
