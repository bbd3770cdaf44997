"""A log in memory with Kafka's shape: topics, partitions, offsets, keys and headers; and what feeds a sink from it.

It has no clock of its own, so it serves header time alone, where the publisher makes the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams.producer import Message
from streams.sink import LOG_START, STOPPED, PartitionSink
from surveillance.events.partitioning import partition_of


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record as a consumer gets it. `timestamp` is 0: nobody may go by it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int = 0


class PartitionedLog:
    """A `Sender`: what is sent to it stands in it."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        """`topics`: name -> number of partitions."""
        self._partitions: dict[str, list[list[LogRecord]]] = {
            name: [[] for _ in range(partitions)] for name, partitions in topics.items()
        }

    def send_all(self, messages: Sequence[Message], within_s: float | None = None) -> None:
        """Append, each message to the partition it names, else to that of its key, else to the first."""
        for message in messages:
            partitions = self._partitions[message.topic]
            number = message.partition
            if number is None:
                number = 0 if message.key is None else partition_of(message.key.decode(), len(partitions))
            records = partitions[number]
            records.append(LogRecord(message.topic, number, len(records), message.key, message.value, message.headers))

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""
        return len(self._partitions[topic])

    def read(self, topic: str, partition: int, offset: int, limit: int | None = None) -> Sequence[LogRecord]:
        """Records from `offset` on, at most `limit`."""
        records = self._partitions[topic][partition]
        return records[offset:] if limit is None else records[offset : offset + limit]


class LogConsumer:
    """Feeds every partition of a topic to a sink, as the bulk consumer does over Kafka. One thread."""

    FETCH_RECORDS = 2_000

    def __init__(self, log: PartitionedLog, topic: str, sink: PartitionSink) -> None:
        self._log, self._topic, self._sink = log, topic, sink
        wanted = sink.assign(range(log.partitions(topic)))
        self._next = {
            partition: 0 if offset == LOG_START else offset for partition, offset in wanted.items() if offset != STOPPED
        }

    def drain(self) -> None:
        """Fold everything the log holds, then flush. Raises what the sink raises."""
        for partition in self._next:
            while records := self._log.read(self._topic, partition, self._next[partition], self.FETCH_RECORDS):
                self._sink.fold(partition, records)
                self._next[partition] = records[-1].offset + 1
        self._sink.flush(None)
