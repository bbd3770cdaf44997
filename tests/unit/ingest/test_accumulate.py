"""From coded rows to deltas, against a dictionary; versions that do not depend on what was added together."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.ingest import accumulate
from surveillance.ingest.accumulate import Increments, Rows, compact, deltas
from surveillance.ingest.cells import CellTable, Group
from surveillance.panes.statistics import Statistic

STATISTIC = Statistic("use.v1", 3, 100, ((), ("site",)))
ROW = st.tuples(
    st.integers(0, 2), st.integers(0, 3), st.integers(-250, 450), st.integers(0, 2), st.integers(-5, 5), st.booleans()
)


def cells_of(count):
    table = CellTable()
    table.codes([Group("t", "sha256:0", f"site=s{number % 2}&x={number}") for number in range(count)])
    return table


def folded(rows, *, slices=True):
    """Deltas of (slice, cell, time, column, weight, where) rows; the offset of a row is its place."""
    columns = [np.array([row[at] for row in rows]) for at in range(6)]
    slice_of = np.sort(columns[0]) if slices else np.zeros(len(rows), np.int64)
    coded = Rows(slice_of, np.arange(len(rows)), columns[1].astype(np.int32), columns[2])
    said = [Increments(columns[3], columns[4], columns[5].astype(np.bool_))]
    return list(deltas(STATISTIC, compact(coded, 100), said, cells_of(4), 0)), slice_of


@given(st.lists(ROW, min_size=1, max_size=30))
def test_sums_and_versions_are_those_of_adding_one_row_at_a_time(rows):
    found, slice_of = folded(rows)
    sums, versions = defaultdict(lambda: [0, 0, 0]), {}
    for place, (_, cell, time, column, weight, where) in enumerate(rows):
        for group in ("", f"site=s{cell % 2}"):
            at = (int(slice_of[place]), group, time // 100 * 100)
            if where:
                sums[at][column] += weight
                versions[at] = place
    got_sums, got_versions = defaultdict(lambda: np.zeros(3, np.int64)), {}
    for number, delta in found:
        at = (number, delta.key.group, delta.key.pane_ms)
        got_sums[at] = got_sums[at] + delta.counts
        got_versions[at] = max(got_versions.get(at, -1), delta.offset)
    assert {at: counts.tolist() for at, counts in got_sums.items()} == dict(sums)
    assert got_versions == versions


@pytest.mark.parametrize("most", [2**63, 1])
def test_panes_of_another_century_do_not_overflow_the_codes(most, monkeypatch):
    """The second way of numbering, for times too far apart, gives what the first gives."""
    rows = [(0, 1, 5, 0, 1, True), (0, 0, 10**7, 1, 2, True), (0, 1, 7, 0, 3, True), (1, 1, 5, 0, 1, True)]
    plain = [(number, delta.key, delta.offset, delta.counts.tolist()) for number, delta in folded(rows)[0]]
    monkeypatch.setattr(accumulate, "_MOST_CODES", most)
    assert [(number, delta.key, delta.offset, delta.counts.tolist()) for number, delta in folded(rows)[0]] == plain


def test_times_millions_of_panes_apart_keep_their_panes():
    far = -62_135_596_800_000
    found, _ = folded([(0, 1, far, 0, 1, True), (0, 2, 4 * 10**12, 0, 1, True)])
    assert {delta.key.pane_ms for _, delta in found} == {far // 100 * 100, 4 * 10**12}


def test_blocks_of_bounded_size_add_up(monkeypatch):
    rows = [(0, at % 4, at * 50, at % 3, 1, True) for at in range(40)]
    plain = folded(rows)[0]
    monkeypatch.setattr(accumulate, "_BLOCK", 6)
    split = defaultdict(int)
    for _, delta in folded(rows)[0]:
        split[delta.key] = split[delta.key] + delta.counts
    assert {key: counts.tolist() for key, counts in split.items()} == {delta.key: delta.counts.tolist() for _, delta in plain}


def test_sums_of_large_integers_are_exact_however_they_are_split():
    rng = np.random.default_rng(4)
    weights = rng.integers(10**11, 4 * 10**11, 200_000)
    weights[::7] *= -1
    at = rng.integers(0, 3, len(weights))
    exact = [sum(weights[at == index].tolist()) for index in range(3)]
    assert abs(exact[0]) > 2**53, "floats would round it"
    assert accumulate._integer_sums(at, weights, 3).tolist() == exact
    halves = [accumulate._integer_sums(at[part], weights[part], 3) for part in (slice(0, 777), slice(777, None))]
    assert sum(halves).tolist() == exact
