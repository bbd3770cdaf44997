"""The panes in memory: bounded, and whatever left memory is read back before it is touched."""

from __future__ import annotations

import numpy as np
import pytest

from surveillance.errors import StoreUnavailable
from surveillance.ingest.pane_table import Delta, PaneTable
from surveillance.panes.rows import PaneKey, PaneRow


def key(pane_ms):
    return PaneKey("t", "sha256:0", 0, "use.v1", "", pane_ms)


def delta(pane_ms, offset, count=1):
    return Delta(key(pane_ms), offset, np.array([count]))


class Stored:
    """Rows that were written, and what was asked for."""

    def __init__(self):
        self.rows, self.asked, self.away = {}, [], False

    def load(self, keys):
        if self.away:
            raise StoreUnavailable("away")
        self.asked.append([one.pane_ms for one in keys])
        return [self.rows[one] for one in keys if one in self.rows]

    def write(self, table):
        changed = table.changed()
        self.rows |= {row.key: row for row in changed}
        table.mark_stored(changed)
        return changed


def apply(table, *deltas):
    table.fetch(one.key for one in deltas)
    table.apply(deltas)


def test_beyond_the_limit_the_oldest_stored_panes_leave_and_are_read_back():
    stored = Stored()
    table = PaneTable(stored.load, limit=10)
    for at in range(11):
        apply(table, delta(at, at))
    stored.write(table)
    assert len(table) == 5
    apply(table, delta(0, 20))
    assert stored.asked == [[0]]
    (row,) = table.changed()
    assert (row.version, row.counts.tolist()) == (20, [2])


def test_what_is_not_stored_does_not_leave():
    table = PaneTable(Stored().load, limit=3)
    apply(table, *[delta(at, at) for at in range(9)])
    table.mark_stored([])
    assert len(table) == 9


def test_a_row_changed_while_it_was_written_is_written_again():
    table = PaneTable(lambda keys: [])
    apply(table, delta(0, 1))
    written = table.changed()
    apply(table, delta(0, 2))
    table.mark_stored(written)
    assert [row.version for row in table.changed()] == [2]


def test_copies_are_given_out():
    table = PaneTable(lambda keys: [])
    apply(table, delta(0, 1))
    table.changed()[0].counts[:] = 99
    assert table.changed()[0].counts.tolist() == [1]


def test_rows_that_an_evaluator_waits_for_do_not_leave():
    stored = Stored()
    table = PaneTable(stored.load, limit=4)
    table.take_touched()
    apply(table, *[delta(at, at) for at in range(9)])
    stored.write(table)
    assert len(table.take_touched()) == 9
    assert table.take_touched() == []
    stored.write(table)
    assert len(table) == 2


def test_new_panes_ask_the_store_nothing():
    stored = Stored()
    table = PaneTable(stored.load, rows=[PaneRow(key(100), 5, np.array([1]))], rows_since_ms=50)
    apply(table, delta(50, 6), delta(100, 6), delta(200, 6))
    assert stored.asked == []
    apply(table, delta(49, 7))
    assert stored.asked == [[49]]


def test_a_fetch_that_fails_changes_nothing():
    stored = Stored()
    stored.away = True
    table = PaneTable(stored.load, rows_since_ms=50)
    with pytest.raises(StoreUnavailable):
        table.fetch([key(0), key(60)])
    assert len(table) == 0


def test_the_stored_version_grows_with_what_is_read_back():
    table = PaneTable(lambda keys: [PaneRow(keys[0], 40, np.array([3]))], rows_since_ms=50, stored_version=10)
    table.fetch([key(0)])
    assert table.stored_version == 40
