"""The log in memory has Kafka's shape, and feeds a sink as the bulk consumer does."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from streams.partitioned_log import LogConsumer, PartitionedLog
from streams.producer import Message
from streams.sink import LOG_START, STOPPED, Record
from surveillance.events.partitioning import partition_of

TOPIC = "pms.telemetry"
DEVICES = [f"device-{number}" for number in range(12)]


class _Noting:
    """A sink that notes what it is told."""

    def __init__(self, wanted: Mapping[int, int]) -> None:
        self.wanted = wanted
        self.lists: list[tuple[int, list[int]]] = []
        self.flushed_after: list[int] = []

    def assign(self, partitions: Collection[int]) -> Mapping[int, int]:
        assert sorted(partitions) == sorted(self.wanted)
        return self.wanted

    def fold(self, partition: int, records: Sequence[Record]) -> None:
        assert {record.partition for record in records} == {partition}
        self.lists.append((partition, [record.offset for record in records]))

    def flush_due(self) -> bool:
        return False

    def flush(self, deadline_s: float | None) -> Mapping[int, int]:
        self.flushed_after.append(len(self.lists))
        return {}

    def gap(self, partition: int, wanted: int, log_start: int, log_end: int) -> None:
        raise AssertionError("nothing leaves this log")

    def revoke(self, partitions: Collection[int]) -> None:
        raise AssertionError("nobody else takes a partition")

    def folded(self, partition: int) -> list[int]:
        return [offset for number, offsets in self.lists if number == partition for offset in offsets]


def log_of(partitions: int, messages: Sequence[Message] = ()) -> PartitionedLog:
    log = PartitionedLog({TOPIC: partitions})
    log.send_all(messages)
    return log


def numbered(count: int, partition: int = 0) -> list[Message]:
    return [Message(TOPIC, None, str(number).encode(), partition) for number in range(count)]


def test_a_record_stands_in_the_partition_of_its_key_with_offsets_from_zero() -> None:
    log = log_of(3, [Message(TOPIC, device.encode(), b"{}") for device in DEVICES * 2])
    for partition in range(3):
        records = log.read(TOPIC, partition, 0)
        assert [record.offset for record in records] == list(range(len(records)))
        keys = [record.key.decode() for record in records if record.key]
        assert keys == [device for device in DEVICES * 2 if partition_of(device, 3) == partition]


def test_a_message_that_names_its_partition_goes_there() -> None:
    log = log_of(3, numbered(2, partition=2))
    assert [len(log.read(TOPIC, partition, 0)) for partition in range(3)] == [0, 0, 2]


def test_a_consumer_folds_everything_once_in_order_and_flushes_afterwards() -> None:
    count = LogConsumer.FETCH_RECORDS + 7
    sink = _Noting({0: LOG_START, 1: LOG_START})
    log = log_of(2, numbered(count) + numbered(3, partition=1))
    consumer = LogConsumer(log, TOPIC, sink)
    consumer.drain()
    assert (sink.folded(0), sink.folded(1)) == (list(range(count)), [0, 1, 2])
    assert max(len(offsets) for _, offsets in sink.lists) == LogConsumer.FETCH_RECORDS
    assert sink.flushed_after == [len(sink.lists)]
    log.send_all(numbered(1))
    consumer.drain()
    assert sink.lists[-1] == (0, [count])


def test_a_consumer_goes_on_at_the_offset_that_the_sink_wants() -> None:
    sink = _Noting({0: 4})
    LogConsumer(log_of(1, numbered(6)), TOPIC, sink).drain()
    assert sink.folded(0) == [4, 5]


def test_a_partition_that_must_not_move_gets_nothing() -> None:
    sink = _Noting({0: STOPPED, 1: LOG_START})
    LogConsumer(log_of(2, numbered(3) + numbered(2, partition=1)), TOPIC, sink).drain()
    assert (sink.folded(0), sink.folded(1)) == ([], [0, 1])
