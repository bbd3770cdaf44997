"""aiokafka unpacks batches through the names we bound, in every codec, and a bomb costs no more than the bound."""

from __future__ import annotations

import tracemalloc

import cramjam
import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

from streams import bounded_unpacking
from streams.bounded_unpacking import BoundedRecords, install
from streams.sink import REFUSED_HEADER

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


@pytest.fixture(autouse=True)
def installed() -> None:
    install()


def packed(codec: str, values: list[bytes], base_offset: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, CODECS[codec], 0, -1, -1, 0, 1 << 40)
    for i, value in enumerate(values):
        builder.append(i, timestamp=1000, key=b"device", value=value, headers=[])
    data = bytearray(builder.build())
    data[:8] = base_offset.to_bytes(8, "big")  # not covered by the checksum, as the broker assigns it
    return bytes(data)


def unpacked(data: bytes) -> list[tuple[int, bytes | None, tuple[tuple[str, bytes], ...]]]:
    records = fetcher.MemoryRecords(data)
    every = PartitionRecords(TopicPartition("t", 0), records, [], 0, None, None, True, READ_COMMITTED)
    return [(record.offset, record.value, record.headers) for record in every]


NAME = b"a name of a header"


def packed_with_a_header(codec: str, name: bytes) -> bytes:
    """Three records, of which the second has a header of this name: no client of ours would write it, any other may."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, 1 << 40)
    for i, headers in enumerate(([], [(NAME.decode(), b"x")], [])):
        builder.append(i, timestamp=1000, key=b"device", value=b"%d" % i, headers=headers)
    plain = bytes(builder.build()).replace(NAME, name)
    body = bytes(getattr(cramjam, codec).compress(plain[61:])) if codec != "none" else plain[61:]
    attributes = CODECS[codec].to_bytes(2, "big")
    checked = attributes + plain[23:61] + body
    return plain[:8] + (len(checked) + 9).to_bytes(4, "big") + plain[12:17] + calc_crc32c(checked).to_bytes(4, "big") + checked


@pytest.mark.parametrize("codec", ["none", "gzip", "zstd"])
def test_a_header_whose_name_is_no_text_stops_no_partition(codec: str) -> None:
    data = packed_with_a_header(codec, b"\xff" * len(NAME)) + packed(codec, [b"next"], base_offset=3)
    readable = "\ufffd" * len(NAME)
    assert unpacked(data) == [(0, b"0", ()), (1, b"1", ((readable, b"x"),)), (2, b"2", ()), (3, b"next", ())]


def test_the_fetcher_uses_our_records() -> None:
    assert fetcher.MemoryRecords is BoundedRecords


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_within_the_bound_is_read_as_it_was_written(codec: str) -> None:
    values = [b"a" * 10, b"", b"b" * 200_000]
    assert unpacked(packed(codec, values)) == [(i, value, ()) for i, value in enumerate(values)]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_batch_beyond_the_bound_is_refused_record_by_record_and_the_next_one_is_read(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_unpacking, "BATCH_LIMIT_BYTES", 100_000)
    bomb = packed(codec, [b"0" * 60_000, b"1" * 60_000])
    after = packed(codec, [b"fine"], base_offset=2)
    refused = ((REFUSED_HEADER, b"decompression_limit"),)
    assert unpacked(bomb + after) == [(0, None, refused), (1, None, refused), (2, b"fine", ())]


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4"])
def test_a_bomb_costs_no_more_memory_than_the_bound(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = 4_000_000
    monkeypatch.setattr(bounded_unpacking, "BATCH_LIMIT_BYTES", bound)
    bomb = packed(codec, [bytes(16 * bound)])
    tracemalloc.start()
    try:
        assert unpacked(bomb)[0][1] is None
        assert tracemalloc.get_traced_memory()[1] < 3 * bound
    finally:
        tracemalloc.stop()


def test_a_fetch_of_many_batches_is_cut_when_it_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_unpacking, "FETCH_LIMIT_BYTES", 100_000)
    data = b"".join(packed("gzip", [bytes(60_000)], base_offset=i) for i in range(10))
    records = PartitionRecords(TopicPartition("t", 0), fetcher.MemoryRecords(data), [], 0, None, None, True, READ_COMMITTED)
    assert [record.offset for record in records] == [0, 1]
    assert records.next_fetch_offset == 2  # the next fetch goes on there
