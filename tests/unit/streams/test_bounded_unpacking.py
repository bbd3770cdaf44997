"""What a packed batch may unpack to: within the bound it comes whole, beyond it or broken it is refused, in every codec."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cramjam
import pytest
from aiokafka.consumer import fetcher
from aiokafka.record import default_records
from hypothesis import given
from hypothesis import strategies as st

from streams import bounded_unpacking
from streams.bounded_unpacking import BoundedBatch, BoundedRecords, UnpackingRefused, install

Codec = Callable[[bytes], bytes]


def java_snappy(data: bytes) -> bytes:
    """The framing of Java's client: magic, version, compatible version, then sized blocks."""
    blocks = [bytes(cramjam.snappy.compress_raw(data[i : i + 100])) for i in range(0, len(data), 100)]
    framed = b"".join(struct.pack(">i", len(block)) + block for block in blocks)
    return b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1) + framed


PACK: dict[str, tuple[Codec, Codec]] = {
    "gzip": (gzip.compress, bounded_unpacking._gunzip),
    "snappy": (lambda data: bytes(cramjam.snappy.compress_raw(data)), bounded_unpacking._unsnap),
    "snappy as Java frames it": (java_snappy, bounded_unpacking._unsnap),
    "lz4": (lambda data: bytes(cramjam.lz4.compress(data)), bounded_unpacking._unlz4),
    "zstd": (lambda data: bytes(cramjam.zstd.compress(data)), bounded_unpacking._unzstd),
}


@pytest.fixture(autouse=True)
def bound(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(bounded_unpacking, "BATCH_LIMIT_BYTES", 1000)
    return 1000


@pytest.mark.parametrize("codec", PACK)
@pytest.mark.parametrize(("size", "refused"), [(0, False), (1, False), (1000, False), (1001, True), (100_000, True)])
def test_the_bound_is_exact(codec: str, size: int, refused: bool) -> None:
    pack, unpack = PACK[codec]
    packed = pack(bytes(size))
    if refused:
        with pytest.raises(UnpackingRefused):
            unpack(packed)
    else:
        assert unpack(packed) == bytes(size)


@pytest.mark.parametrize("codec", PACK)
@given(data=st.binary(max_size=900), place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_broken_batch_is_refused_or_unpacks_to_something_bounded_and_never_raises_anything_else(
    codec: str, data: bytes, place: float, flip: int
) -> None:
    pack, unpack = PACK[codec]
    packed = bytearray(pack(data))
    packed[int(place * len(packed))] ^= flip
    for broken in (bytes(packed), bytes(packed[: int(place * len(packed))])):
        with suppress(UnpackingRefused):
            assert len(unpack(broken)) <= 1000


def test_installing_twice_changes_nothing() -> None:
    install()
    once = (fetcher.MemoryRecords, default_records.gzip_decode)
    install()
    assert (fetcher.MemoryRecords, default_records.gzip_decode) == once
    assert fetcher.MemoryRecords is BoundedRecords


class MockBatch:
    """A batch of aiokafka that unpacks to `size` bytes."""

    compression_type = 1
    base_offset, next_offset = 5, 8
    max_timestamp, timestamp_type = 1000, 1
    is_control_batch = False

    def __init__(self, size: int) -> None:
        self._size = size

    def __iter__(self) -> Any:
        bounded_unpacking._within_limit(bytes(self._size))
        return iter(["record"])


def test_a_refused_batch_keeps_a_place_for_each_of_its_offsets_with_the_batchs_time() -> None:
    refused = list(BoundedBatch(MockBatch(2000), b""))
    assert [record.offset for record in refused] == [5, 6, 7]
    assert {(record.timestamp, record.timestamp_type, record.key, record.value) for record in refused} == {(1000, 1, None, None)}
    assert {record.headers for record in refused} == {(("pms-refused", b"decompression_limit"),)}


def test_a_batch_within_the_bound_is_the_batch_itself() -> None:
    batch = BoundedBatch(MockBatch(10), b"")
    assert list(batch) == ["record"]
    assert batch.base_offset == 5
    assert not batch.is_control_batch
