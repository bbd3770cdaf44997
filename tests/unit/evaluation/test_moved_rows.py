"""What rows were before they moved to a level that was not there: told by another field, or by those who stayed, or not."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.estimate import Insufficient, Reason
from surveillance.arrays import Int
from surveillance.evaluation.moved_rows import Moved, moved_rows

DIM, BRIGHT = np.array([800, 200, 0]), np.array([0, 200, 800])
"""What the two vendors sent before, in three bins."""
NEW = np.array([100, 400, 100])
NONE = np.zeros(3, np.int64)


def rows(*levels: Int) -> Int:
    return np.array(levels, np.int64)


def moved(before: Int, after: Int, others: list[tuple[Int, Int]]) -> Moved:
    found = moved_rows(before, after, others)
    assert isinstance(found, Moved)
    return found


def test_rows_that_are_a_level_of_another_field_were_what_that_level_was() -> None:
    found = moved(rows(DIM + BRIGHT, NONE), rows(BRIGHT, NEW), [(DIM, NEW)])
    assert found.before.tolist() == [BRIGHT.tolist(), DIM.tolist()]
    assert found.lost.tolist() == [True, False]
    assert not found.rest_changed


def test_what_stayed_as_a_level_of_another_field_tells_what_left() -> None:
    found = moved(rows(DIM + BRIGHT, NONE), rows(BRIGHT, NEW), [(BRIGHT, BRIGHT)])
    assert found.before.tolist() == [BRIGHT.tolist(), DIM.tolist()]


def test_where_nobody_stayed_the_new_level_was_all_there_was() -> None:
    found = moved(rows(DIM, NONE, BRIGHT), rows(NONE, NEW, BRIGHT), [])
    assert found.before.tolist() == [NONE.tolist(), DIM.tolist(), BRIGHT.tolist()]
    assert found.lost.tolist() == [True, False, False]


def test_a_rest_that_is_another_one_has_no_reference_where_no_field_tells() -> None:
    found = moved_rows(rows(DIM + BRIGHT, NONE), rows(BRIGHT, NEW), [(DIM, DIM)])
    assert found == Insufficient(Reason.UNKNOWN_REFERENCE)


def test_a_rest_that_is_as_it_was_says_that_those_who_left_were_like_it() -> None:
    before, after = rows(DIM + BRIGHT, NONE), rows((DIM + BRIGHT) // 2, NEW)
    found = moved(before, after, [])
    assert found.before.tolist() == before.tolist()
    assert found.lost.tolist() == [True, False]
    assert not found.rest_changed


def test_a_rest_that_has_changed_although_its_rows_are_known_is_said_to() -> None:
    assert moved(rows(DIM + BRIGHT, NONE), rows(BRIGHT, NEW), [(BRIGHT, NEW)]).rest_changed


def test_two_levels_that_could_be_the_same_rows_and_differ_tell_nothing() -> None:
    others = [(DIM, NEW), (DIM // 2, NEW)]
    assert isinstance(moved_rows(rows(DIM + BRIGHT, NONE), rows(BRIGHT, NEW), others), Insufficient)


def test_rows_that_never_were_of_the_old_level_are_not_those_that_left_it() -> None:
    before, after = rows(BRIGHT, NONE, DIM), rows(BRIGHT // 2, NEW, DIM)
    assert moved(before, after, [(DIM, NEW)]).before.tolist() == before.tolist()


@pytest.mark.parametrize("after", [rows(NEW, DIM), rows(BRIGHT, DIM)])
def test_levels_that_were_there_before_lose_no_rows_to_each_other(after: Int) -> None:
    before = rows(DIM + BRIGHT, BRIGHT)
    found = moved(before, after, [(DIM, NEW)])
    assert found.before.tolist() == before.tolist()
    assert not found.lost.any()


def test_a_level_that_lost_no_more_rows_than_chance_takes_keeps_its_own_comparison() -> None:
    found = moved(rows(DIM, BRIGHT, NONE), rows(DIM // 2, BRIGHT // 2, np.array([0, 2, 0])), [])
    assert not found.lost.any()


def test_no_row_is_counted_twice_or_left_out() -> None:
    before, after = rows(DIM, BRIGHT, NONE), rows(DIM // 4, BRIGHT // 4, NEW)
    found = moved(before, after, [(DIM - DIM // 2, NEW)])
    assert found.before.sum(axis=0).tolist() == before.sum(axis=0).tolist()
