"""Sums of windows come out the same whatever was summed before and whichever rows have changed since."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.evaluation.mirror import PaneMirror, TableKey
from surveillance.evaluation.window_sums import WindowSums
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.times import DAY_MS, HOUR_MS, MINUTE_MS, floor_to

START_MS = 20_000 * DAY_MS
DAYS = 3


def row(site: int, pane_ms: int, version: int, count: int, partition: int = 0) -> PaneRow:
    return PaneRow(PaneKey("t", "m", partition, "use.v1", f"site=s{site}", pane_ms), version, np.array([count, 1], np.int64))


def expected(rows: list[PaneRow], groups: list[str], start_ms: int, end_ms: int) -> list[list[int]]:
    newest = {one.key: one.counts for one in rows}
    inside = {key: counts for key, counts in newest.items() if start_ms <= key.pane_ms < end_ms}
    return [
        [sum(int(counts[column]) for key, counts in inside.items() if key.group == group) for column in (0, 1)]
        for group in groups
    ]


@pytest.mark.parametrize("pane_ms", [minutes * MINUTE_MS for minutes in (5, 7, 60, 90, 360, 24 * 60, 25 * 60)])
@given(data=st.data())
def test_a_sum_over_a_window_is_that_of_its_rows_at_their_newest_version(pane_ms, data):
    mirror, rows = PaneMirror(), []
    table = mirror.table(TableKey("t", "m", "use.v1", ("site",)))
    origin, steps = floor_to(START_MS, pane_ms), DAYS * DAY_MS // pane_ms
    for version in range(data.draw(st.integers(1, 6))):
        places = st.tuples(st.integers(0, 2), st.integers(0, steps - 1), st.integers(0, 9), st.integers(0, 1))
        new = [
            row(site, origin + at * pane_ms, version, n, part) for site, at, n, part in data.draw(st.lists(places, max_size=12))
        ]
        rows += {one.key: one for one in reversed(new)}.values()
        mirror.apply(new)
        first = data.draw(st.integers(0, steps - 1))
        start, end = origin + first * pane_ms, origin + data.draw(st.integers(first + 1, steps)) * pane_ms
        assert table.sums(start, end, pane_ms, 2).tolist() == expected(rows, table.groups, start, end)


@pytest.mark.parametrize("columns", [3, 60])
@given(data=st.data())
def test_windows_that_reach_back_add_up_the_groups_asked_for_whether_rows_are_full_or_almost_empty(columns, data):
    mirror = PaneMirror()
    table = mirror.table(TableKey("t", "m", "use.v1", ("site",)))
    places = data.draw(st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 30)), st.integers(0, columns - 1), min_size=1))
    for (site, at), column in places.items():
        counts = np.zeros(columns, np.int64)
        counts[column] = at + 1
        mirror.apply([PaneRow(row(site, START_MS + at * HOUR_MS, 1, 0).key, 1, counts)])
    codes = np.array(data.draw(st.permutations(range(len(table.groups)))), np.int64)[: data.draw(st.integers(1, 4))]
    first, last = sorted(data.draw(st.tuples(st.integers(0, 31), st.integers(0, 31))))
    start, end = START_MS + first * HOUR_MS, START_MS + last * HOUR_MS
    total = np.full((len(codes), columns), 7, np.int64)
    WindowSums(table, HOUR_MS, columns, cumulative=False).add_to(total, codes, start, end)
    assert (total - 7).tolist() == table.sums(start, end, HOUR_MS, columns)[codes].tolist()


def test_a_window_of_a_month_of_narrow_panes_is_read_in_whole_days():
    mirror = PaneMirror()
    table = mirror.table(TableKey("t", "m", "use.v1", ("site",)))
    mirror.apply([row(0, START_MS + at * 5 * MINUTE_MS, 1, 1) for at in range(28 * 288)])
    assert table.sums(START_MS, START_MS + 28 * DAY_MS, 5 * MINUTE_MS, 2).tolist() == [[8064, 8064]]
    assert len(list(table.blocks(START_MS, START_MS + 28 * DAY_MS, 5 * MINUTE_MS))) == 28
    assert len(list(table.blocks(START_MS + HOUR_MS, START_MS + 2 * DAY_MS + 10 * MINUTE_MS, 5 * MINUTE_MS))) == 23 + 1 + 2


@pytest.mark.parametrize("minutes", [5, 7, 25, 60, 90, 25 * 60])
def test_every_pane_of_a_full_window_is_counted_once_whether_panes_fill_an_hour_or_not(minutes):
    pane_ms, panes = minutes * MINUTE_MS, 500
    origin = floor_to(START_MS, pane_ms)
    mirror = PaneMirror()
    table = mirror.table(TableKey("t", "m", "use.v1", ("site",)))
    mirror.apply([row(0, origin + at * pane_ms, 1, 1) for at in range(panes)])
    for first in range(0, panes, 17):
        for last in range(first + 1, panes, 23):
            found = table.sums(origin + first * pane_ms, origin + last * pane_ms, pane_ms, 2)
            assert found.tolist() == [[last - first, last - first]]
