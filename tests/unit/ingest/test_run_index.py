"""The index of sorted runs against a dictionary, whatever was inserted together, merged and expired."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.ingest.run_index import RunIndex

DTYPE = np.dtype([("key", "<u8"), ("at_ms", "<i8"), ("value", "<i8")])
BATCHES = st.lists(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 50)), max_size=8), max_size=20)


def records(rows, start):
    found = np.zeros(len(rows), DTYPE)
    for at, (key, at_ms) in enumerate(rows):
        found[at] = (key, at_ms, start + at)
    return found


def filled(batches, *, newest):
    index, flat = RunIndex(DTYPE, newest=newest), []
    for rows in batches:
        index.insert(records(rows, len(flat)))
        flat += [(key, at_ms, len(flat) + at) for at, (key, at_ms) in enumerate(rows)]
    return index, flat


@pytest.mark.parametrize("newest", [True, False])
@given(BATCHES)
def test_of_entries_with_one_key_the_first_or_the_last_is_found(newest, batches):
    index, flat = filled(batches, newest=newest)
    expected = {}
    for key, at_ms, value in flat:
        if newest or key not in expected:
            expected[key] = (at_ms, value)
    keys = np.arange(15, dtype=np.uint64)
    found, rows = index.find(keys)
    assert {
        int(key): (int(row["at_ms"]), int(row["value"])) for key, row in zip(keys[found], rows[found], strict=True)
    } == expected
    assert not rows[~found]["value"].any(), "zeros where there is nothing"


@pytest.mark.parametrize("newest", [True, False])
@given(BATCHES, st.integers(0, 60))
def test_what_is_expired_is_not_found_however_runs_were_merged(newest, batches, before_ms):
    index, _ = filled(batches, newest=newest)
    index.expire(before_ms)
    found, rows = index.find(np.arange(15, dtype=np.uint64))
    assert (rows["at_ms"][found] >= before_ms).all()


def test_an_expired_entry_does_not_hide_a_later_one():
    index = RunIndex(DTYPE, newest=False)
    index.insert(records([(7, 10)], 0))
    index.expire(20)
    index.insert(records([(7, 30)], 1))
    found, rows = index.find(np.array([7], np.uint64))
    assert found.tolist() == [True]
    assert rows["at_ms"].tolist() == [30]


def test_memory_is_given_back_and_runs_stay_few():
    index = RunIndex(DTYPE, newest=True)
    for at in range(2_000):
        index.insert(records([(at * 5 + key, at) for key in range(5)], at * 5))
    assert len(index._runs) <= 8
    assert index.nbytes == len(index) * DTYPE.itemsize
    index.expire(1_990)
    assert len(index) <= 10_000
    index.expire(2_001)
    assert len(index) == 0
