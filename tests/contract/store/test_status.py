"""The last state of monitors: one row a key, the newest wins, in order of key, apart for each log."""

from __future__ import annotations

from surveillance.store.protocol import StatusRow, Store
from tests.contract.store.rows import HOSTILE


def test_the_largest_revision_wins_whatever_is_written_last(store: Store, log_id: str) -> None:
    store.write_status(log_id, [StatusRow("a", 2, "new")])
    store.write_status(log_id, [StatusRow("a", 1, "old")])
    assert list(store.read_status(log_id)) == [StatusRow("a", 2, "new")]
    store.write_status(log_id, [StatusRow("a", 2, "again")])
    assert list(store.read_status(log_id)) == [StatusRow("a", 2, "again")]


def test_rows_come_in_order_of_their_key_as_bytes(store: Store, log_id: str) -> None:
    keys = ["b", "ä", "a\nz", "a", "a b", HOSTILE, "🫀"]
    store.write_status(log_id, [StatusRow(key, 0, key) for key in keys])
    assert [row.key for row in store.read_status(log_id)] == sorted(keys, key=str.encode)


def test_a_log_knows_nothing_of_another(store: Store, log_id: str) -> None:
    store.write_status(log_id, [])
    store.write_status(log_id + "-other", [StatusRow("a", 0, "x")])
    assert list(store.read_status(log_id)) == []
