from __future__ import annotations

import itertools
import threading

import numpy as np

from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.store.protocol import Progress, Store
from tests.contract.store.rows import HOSTILE, T0, as_panes, pane


def test_what_was_written_is_read_back_sorted_by_key(store: Store, log_id: str) -> None:
    rows = [
        pane("site=b", pane_ms=T0 + 1, counts=(1, 2, 3)),
        pane("site=a", pane_ms=T0 + 2, counts=()),
        pane("site=a", pane_ms=T0, partition=1, counts=(-5,)),
        pane("", statistic="score.v1", counts=range(300)),
        pane("site=a", digest="sha256:l", counts=(2**62, -(2**62))),
    ]
    store.write_panes(log_id, rows)
    assert as_panes(store.read_panes(log_id)) == sorted(as_panes(rows))


def test_an_equal_version_again_changes_nothing(store: Store, log_id: str) -> None:
    rows = [pane(f"site={i}", version=7, counts=(i, i)) for i in range(20)]
    store.write_panes(log_id, rows)
    store.write_panes(log_id, rows)
    assert as_panes(store.read_panes(log_id)) == sorted(as_panes(rows))


def test_an_older_version_never_wins_whatever_the_order_of_writes(store: Store, log_id: str) -> None:
    for order, versions in enumerate(itertools.permutations((3, 9, 5))):
        group = f"order={order}"
        for version in versions:
            store.write_panes(log_id, [pane(group, version=version, counts=(version,))])
    assert [(row.version, row.counts.tolist()) for row in store.read_panes(log_id)] == [(9, [9])] * 6


def test_two_versions_of_a_key_in_one_write_leave_the_newer(store: Store, log_id: str) -> None:
    store.write_panes(log_id, [pane(version=8, counts=(8,)), pane(version=6, counts=(6,))])
    assert as_panes(store.read_panes(log_id)) == as_panes([pane(version=8, counts=(8,))])


def test_every_read_sees_every_acknowledged_write(store: Store, log_id: str) -> None:
    for version in range(30):
        store.write_panes(log_id, [pane(version=version, counts=(version,))])
        assert store.read_panes(log_id)[0].version == version
        assert store.max_pane_version(log_id, 0) == version
        store.write_progress(log_id, Progress(0, version, T0, T0 + version))
        assert store.read_progress(log_id)[0].offset == version


def test_conditions_combine(store: Store, log_id: str) -> None:
    rows = [
        pane(f"site={p}", partition=p, pane_ms=T0 + 60_000 * slot, version=10 * p + slot) for p in range(3) for slot in range(4)
    ]
    store.write_panes(log_id, rows)
    keys = [row.key for row in rows]

    def versions(**conditions: object) -> list[int]:
        return [row.version for row in store.read_panes(log_id, **conditions)]  # type: ignore[arg-type]

    assert versions(partition=1) == [10, 11, 12, 13]
    assert versions(since_ms=T0 + 120_000) == [2, 3, 12, 13, 22, 23]
    assert versions(keys=[keys[5], keys[0], keys[5]]) == [0, 11]
    assert versions(above={0: 1, 1: 12, 2: 99}) == [2, 3, 13]
    assert versions(above={0: 3, 2: 22}) == [10, 11, 12, 13, 23]
    assert versions(above={}) == [row.version for row in rows]
    assert versions(partition=1, above={1: 10}, since_ms=T0 + 120_000, keys=keys[:7]) == [12]
    assert versions(keys=[]) == []
    assert versions(keys=[keys[0]._replace(group="site=nowhere")]) == []


def test_a_condition_never_brings_an_older_row_back(store: Store, log_id: str) -> None:
    store.write_panes(log_id, [pane(version=5, counts=(5,))])
    store.write_panes(log_id, [pane(version=9, counts=(9,))])
    for conditions in ({"above": {0: 4}}, {"above": {0: 8}}, {"partition": 0}, {"since_ms": T0}, {"keys": [pane().key]}):
        assert [row.version for row in store.read_panes(log_id, **conditions)] == [9]  # type: ignore[arg-type]
    assert store.read_panes(log_id, above={0: 9}) == []


def test_the_largest_version_is_of_one_partition_and_minus_one_where_there_is_none(store: Store, log_id: str) -> None:
    assert store.max_pane_version(log_id, 0) == -1
    store.write_panes(
        log_id, [pane("a", partition=0, version=0), pane("b", partition=1, version=41), pane("c", partition=1, version=17)]
    )
    assert [store.max_pane_version(log_id, partition) for partition in range(3)] == [0, 41, -1]


def test_version_zero_is_above_the_version_of_a_partition_never_seen(store: Store, log_id: str) -> None:
    store.write_panes(log_id, [pane(version=0)])
    assert len(store.read_panes(log_id, above={0: -1})) == 1
    assert len(store.read_panes(log_id, above={0: 0})) == 0


def test_a_recreated_topic_does_not_meet_the_versions_of_the_old_one(store: Store, log_id: str) -> None:
    store.write_panes(log_id, [pane(version=900)])
    store.write_panes(log_id + "/epoch-2", [pane(version=1, counts=(4,))])
    assert [row.version for row in store.read_panes(log_id + "/epoch-2")] == [1]
    assert store.max_pane_version(log_id + "/epoch-2", 0) == 1


def test_ten_thousand_groups_of_a_pane_come_back_exactly(store: Store, log_id: str) -> None:
    counts = np.arange(10_000 * 12).reshape(10_000, 12)
    rows = [pane(f"age={i % 9}&site=s{i:05d}", version=i, counts=counts[i]) for i in range(10_000)]
    store.write_panes(log_id, rows)
    expected = sorted(as_panes(rows))
    assert as_panes(store.read_panes(log_id)) == expected
    assert as_panes(store.read_panes(log_id, keys=[row.key for row in rows])) == expected


def test_keys_longer_than_one_parameter_of_a_server_are_asked_in_parts(store: Store, log_id: str) -> None:
    rows = [pane(f"site={i:03d}&" + "'\\n" * 300, version=i, digest="sha256:" + f"{i % 40:064x}") for i in range(400)]
    store.write_panes(log_id, rows)
    assert as_panes(store.read_panes(log_id, keys=[row.key for row in rows])) == sorted(as_panes(rows))


def test_hostile_text_survives_in_keys_and_conditions(store: Store, log_id: str) -> None:
    row = PaneRow(PaneKey(HOSTILE, HOSTILE + "d", 0, HOSTILE + "s", HOSTILE + "g", T0), 1, np.array([3]))
    store.write_panes(log_id + HOSTILE, [row])
    assert as_panes(store.read_panes(log_id + HOSTILE, keys=[row.key])) == as_panes([row])
    assert store.read_panes(log_id) == []


def test_keys_are_sorted_by_code_point(store: Store, log_id: str) -> None:
    groups = ["z", "Z", "é", "zz", "", "🫀", "a b", "\uffff"]
    store.write_panes(log_id, [pane(group) for group in groups])
    assert [row.key.group for row in store.read_panes(log_id)] == sorted(groups)


def test_counts_belong_to_the_caller(store: Store, log_id: str) -> None:
    rows = [pane("a", counts=(1, 2)), pane("b", counts=(3, 4))]
    store.write_panes(log_id, rows)
    rows[0].counts[:] = 99
    first, second = store.read_panes(log_id)
    first.counts[:] += 50
    assert second.counts.tolist() == [3, 4]
    assert [row.counts.tolist() for row in store.read_panes(log_id)] == [[1, 2], [3, 4]]


def test_empty_inputs_are_no_mistakes(store: Store, log_id: str) -> None:
    store.write_panes(log_id, [])
    assert list(store.read_panes(log_id)) == []
    assert dict(store.read_progress(log_id)) == {}


def test_progress_never_goes_back(store: Store, log_id: str) -> None:
    first, second = Progress(0, 10, T0, T0 + 5), Progress(0, 11, T0 - 5, T0 + 1)
    for progress in (first, second, first, Progress(0, 11, T0 + 9, T0), Progress(0, -1, 0, T0 + 99)):
        store.write_progress(log_id, progress)
    assert dict(store.read_progress(log_id)) == {0: second}


def test_a_tick_moves_partition_time_at_an_equal_offset(store: Store, log_id: str) -> None:
    store.write_progress(log_id, Progress(0, 4, T0, -1))
    store.write_progress(log_id, Progress(0, 4, T0, T0 + 60_000))
    store.write_progress(log_id, Progress(0, 4, T0, T0 + 30_000))
    store.write_progress(log_id, Progress(2, -1, -(2**63), -(2**63)))
    assert dict(store.read_progress(log_id)) == {0: Progress(0, 4, T0, T0 + 60_000), 2: Progress(2, -1, -(2**63), -(2**63))}


def test_a_partition_is_stopped_and_started_again_in_place(store: Store, log_id: str) -> None:
    for stopped in ("", "quarantine_limit", HOSTILE, ""):
        store.write_progress(log_id, Progress(3, 8, T0, T0, stopped))
        assert store.read_progress(log_id)[3].stopped == stopped


def test_two_writers_and_a_reader_at_once_see_only_whole_rows_that_never_go_back(store: Store, log_id: str) -> None:
    """Two owners overlap after a rebalance: both write the same rows, at their own pace, while an evaluator polls."""
    versions, groups = 25, 40
    failures: list[BaseException] = []
    writing = threading.Semaphore(0)

    def write() -> None:
        try:
            for version in range(versions):
                store.write_panes(
                    log_id, [pane(f"g={g:02d}", version=version, counts=(version, g, version * g)) for g in range(groups)]
                )
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)
        finally:
            writing.release()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    seen: dict[str, int] = {}
    finished = 0
    while finished < 2:
        finished += writing.acquire(blocking=False)
        for row in store.read_panes(log_id):
            group = int(row.key.group[2:])
            assert row.counts.tolist() == [row.version, group, row.version * group]
            assert row.version >= seen.get(row.key.group, 0)
            seen[row.key.group] = row.version
    for thread in threads:
        thread.join()
    assert failures == []
    assert {row.version for row in store.read_panes(log_id)} == {versions - 1}
    assert len(store.read_panes(log_id)) == groups


def test_progress_of_several_partitions_is_written_in_one_call(store: Store, log_id: str) -> None:
    written = [Progress(partition, 10 + partition, T0, T0 + partition) for partition in (2, 0, 5)]
    store.write_progress(log_id, *written)
    store.write_progress(log_id, Progress(0, 3, T0, T0), Progress(5, 16, T0, T0 + 9))
    assert store.read_progress(log_id) == {0: written[1], 2: written[0], 5: Progress(5, 16, T0, T0 + 9)}
