from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from surveillance.store import raw_table
from surveillance.store.protocol import RawRows, Store
from tests.contract.store.rows import HOSTILE, T0, as_rows, quarantined, raw_rows

ALL = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def read(
    store: Store, log_id: str, partition: int = 0, *, last_offset: int = 10**12, since_ms: int = 0, kinds: list[int] | None = None
) -> list[tuple[object, ...]]:
    chunks = store.read_raw(log_id, partition, last_offset=last_offset, since_ms=since_ms, kinds=ALL if kinds is None else kinds)
    return [row for chunk in chunks for row in as_rows(chunk)]


def without_payload(rows: RawRows) -> list[tuple[object, ...]]:
    return as_rows(
        raw_rows(
            [*zip(rows.offset.tolist(), rows.index.tolist(), strict=True)], partition=rows.partition, payload=[b""] * len(rows)
        )
    )


def test_what_was_written_is_read_back_without_payload(store: Store, log_id: str) -> None:
    rows = raw_rows([(0, 0), (1, 0), (1, 1), (5, 0)])
    store.write_raw(log_id, rows)
    assert read(store, log_id) == without_payload(rows)


def test_rows_come_in_order_of_offset_and_index_whatever_the_order_of_writes(store: Store, log_id: str) -> None:
    late, early = raw_rows([(7, 0), (7, 1)]), raw_rows([(2, 0), (3, 0), (7, 2)])
    store.write_raw(log_id, late)
    store.write_raw(log_id, early)
    assert [(row[1], row[2]) for row in read(store, log_id)] == [(2, 0), (3, 0), (7, 0), (7, 1), (7, 2)]


def test_writing_rows_again_changes_nothing(store: Store, log_id: str) -> None:
    rows = raw_rows([(offset, 0) for offset in range(50)])
    store.write_raw(log_id, rows)
    once = read(store, log_id)
    store.write_raw(log_id, rows)
    store.write_raw(log_id, raw_rows([(offset, 0) for offset in range(40, 60)]))
    assert read(store, log_id)[:50] == once
    assert len(read(store, log_id)) == 60


def test_the_row_written_last_replaces_its_position(store: Store, log_id: str) -> None:
    store.write_raw(log_id, raw_rows([(1, 0), (2, 0)]))
    store.write_raw(log_id, raw_rows([(2, 0)], disposition=np.array([1], dtype=np.uint8)))
    found = [chunk.disposition.tolist() for chunk in store.read_raw(log_id, 0, last_offset=9, since_ms=0, kinds=ALL)]
    assert found == [[0, 1]]


def test_a_read_ends_at_the_last_offset_and_begins_at_the_given_time(store: Store, log_id: str) -> None:
    store.write_raw(log_id, raw_rows([(offset, 0) for offset in range(10)]))
    assert [row[1] for row in read(store, log_id, last_offset=6, since_ms=T0 + 3_000)] == [3, 4, 5, 6]


def test_only_the_asked_kinds_are_read(store: Store, log_id: str) -> None:
    store.write_raw(log_id, raw_rows([(0, index) for index in range(9)]))
    assert [row[2] for row in read(store, log_id, kinds=[1])] == [1, 4, 7]
    assert read(store, log_id, kinds=[]) == []


def test_partitions_and_logs_do_not_see_each_other(store: Store, log_id: str) -> None:
    store.write_raw(log_id, raw_rows([(1, 0)], partition=1))
    store.write_raw(log_id + "/epoch-2", raw_rows([(2, 0)], partition=1))
    assert read(store, log_id, 0) == []
    assert [row[1] for row in read(store, log_id, 1)] == [1]
    assert len(store.find_raw(log_id, 1, event=raw_rows([(2, 0)]).event, before=10**9)) == 0


def test_without_ids_the_rest_of_a_row_is_read_all_the_same(store: Store, log_id: str) -> None:
    store.write_raw(log_id, raw_rows([(3, 0), (4, 0)]))
    (chunk,) = store.read_raw(log_id, 0, last_offset=9, since_ms=0, kinds=ALL, ids=False)
    assert as_rows(chunk) == as_rows(raw_rows([(3, 0), (4, 0)], event_id=["", ""], subject_id=["", ""], payload=[b"", b""]))


def test_chunks_never_split_an_offset_and_lose_nothing(store: Store, log_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_table, "_CHUNK_ROWS", 10)
    rows = raw_rows([(offset, index) for offset in range(9) for index in range(7)])
    store.write_raw(log_id, rows)
    chunks = list(store.read_raw(log_id, 0, last_offset=10**9, since_ms=0, kinds=ALL))
    assert [row for chunk in chunks for row in as_rows(chunk)] == without_payload(rows)
    borders = [{int(chunk.offset[0]), int(chunk.offset[-1])} for chunk in chunks]
    assert all(not left & right for left, right in itertools.pairwise(borders))


def test_rows_are_found_by_the_hash_of_their_event_with_payload(store: Store, log_id: str) -> None:
    rows = raw_rows([(offset, 0) for offset in range(100)])
    store.write_raw(log_id, rows)
    found = store.find_raw(log_id, 0, event=rows.event[[70, 3, 40]], before=60)
    assert as_rows(found) == as_rows(raw_rows([(3, 0), (40, 0)]))


def test_rows_are_found_by_the_hash_of_their_subject(store: Store, log_id: str) -> None:
    rows = raw_rows([(offset, index) for offset in range(20) for index in range(2)])
    store.write_raw(log_id, rows)
    found = store.find_raw(log_id, 0, subject=rows.subject[[10]], before=10**9)
    assert [*zip(found.offset.tolist(), found.index.tolist(), strict=True)] == [(5, 0), (5, 1)]


def test_event_and_subject_hashes_together_find_the_union_once(store: Store, log_id: str) -> None:
    rows = raw_rows([(offset, 0) for offset in range(10)])
    store.write_raw(log_id, rows)
    store.write_raw(log_id, rows)
    found = store.find_raw(log_id, 0, event=rows.event[[1, 4]], subject=rows.subject[[4, 8]], before=10**9)
    assert found.offset.tolist() == [1, 4, 8]


def test_a_row_is_not_found_at_its_own_offset_nor_before_the_given_time(store: Store, log_id: str) -> None:
    rows = raw_rows([(offset, 0) for offset in range(10)])
    store.write_raw(log_id, rows)
    assert store.find_raw(log_id, 0, event=rows.event, before=5, since_ms=T0 + 2_000).offset.tolist() == [2, 3, 4]
    assert len(store.find_raw(log_id, 0, event=rows.event[[5]], before=5)) == 0


def test_hashes_longer_than_one_parameter_of_a_server_are_asked_in_parts(store: Store, log_id: str) -> None:
    rows = raw_rows([(offset, 0) for offset in range(12_000)])
    rows = replace(rows, event=rows.event + np.uint64(2**63))
    store.write_raw(log_id, rows)
    assert store.find_raw(log_id, 0, event=rows.event[::-1], before=10**9).offset.tolist() == list(range(12_000))


def test_empty_inputs_are_no_mistakes(store: Store, log_id: str) -> None:
    store.write_raw(log_id, raw_rows([]))
    assert read(store, log_id) == []
    nothing = np.empty(0, dtype=np.uint64)
    for found in (store.find_raw(log_id, 0, before=9), store.find_raw(log_id, 0, event=nothing, subject=nothing, before=9)):
        assert len(found) == 0
        assert found.packed.shape[0] == 0
        assert found.event.dtype == np.uint64


def test_hostile_text_and_extreme_numbers_survive(store: Store, log_id: str) -> None:
    texts = {
        name: [HOSTILE] for name in ("tenant", "device_id", "release_id", "manifest_digest", "event_id", "subject_id", "cell")
    }
    extremes = np.array([[-(2**63), 2**63 - 1, 0]], dtype=np.int64)
    rows = raw_rows(
        [(2**40, 7)], step_ms=0, **texts, event=np.array([2**64 - 1], dtype=np.uint64), packed=extremes, payload=[b"\xff\x00"]
    )
    store.write_raw(log_id, rows)
    assert as_rows(store.find_raw(log_id, 0, event=rows.event, before=2**41)) == as_rows(rows)


def test_rows_of_two_packed_layouts_are_filled_with_zeros(store: Store, log_id: str) -> None:
    store.write_raw(log_id, raw_rows([(0, 0)], packed=np.array([[5, 6]], dtype=np.int64)))
    store.write_raw(log_id, raw_rows([(1, 0)], packed=np.array([[7, 8, 9]], dtype=np.int64)))
    (chunk,) = store.read_raw(log_id, 0, last_offset=9, since_ms=0, kinds=ALL)
    assert chunk.packed.tolist() == [[5, 6, 0], [7, 8, 9]]


def test_a_write_may_span_more_months_than_a_server_allows_by_default(store: Store, log_id: str) -> None:
    rows = raw_rows([(month, 0) for month in range(130)], step_ms=31 * 86_400_000)
    store.write_raw(log_id, rows)
    assert len(read(store, log_id)) == 130


def test_what_the_caller_does_to_its_arrays_later_does_not_reach_the_store(store: Store, log_id: str) -> None:
    rows = raw_rows([(0, 0)])
    store.write_raw(log_id, rows)
    rows.packed[:] = -1
    (chunk,) = store.read_raw(log_id, 0, last_offset=9, since_ms=0, kinds=ALL)
    chunk.packed[:] = -2
    assert read(store, log_id)[0][-1] == (0, 1, 2)


def test_quarantined_events_are_kept_with_their_bytes_or_without(store: Store, log_id: str) -> None:
    rows = [quarantined(2, detail=HOSTILE), quarantined(1, index=3, reason="forbidden_field", payload=None)]
    store.write_quarantine(log_id, rows)
    store.write_quarantine(log_id, rows)
    store.write_quarantine(log_id, [])
    assert list(store.read_quarantine(log_id)) == [rows[1], rows[0]]
    assert list(store.read_quarantine(log_id + "x")) == []


def test_a_limited_read_of_quarantine_gives_the_newest(store: Store, log_id: str) -> None:
    store.write_quarantine(log_id, [quarantined(offset) for offset in range(10)])
    assert [row.offset for row in store.read_quarantine(log_id, limit=3)] == [7, 8, 9]


def test_chunks_of_several_partitions_are_written_in_one_call(store: Store, log_id: str) -> None:
    chunks = [
        raw_rows([(1, 0), (2, 0)], partition=0),
        raw_rows([]),
        raw_rows([(1, 0)], partition=3),
        raw_rows([(3, 0)], partition=0),
    ]
    store.write_raw(log_id, *chunks)
    kept = {one: store.find_raw(log_id, one, event=np.concatenate([chunk.event for chunk in chunks]), before=9) for one in (0, 3)}
    assert kept[0].offset.tolist() == [1, 2, 3]
    assert kept[3].offset.tolist() == [1]
    assert list(kept[0].event_id) == [name for chunk in (chunks[0], chunks[3]) for name in chunk.event_id]
    assert list(kept[3].payload) == list(chunks[2].payload)
