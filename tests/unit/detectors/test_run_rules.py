"""Nelson's rules, each on the shortest series that it hits and on one that just misses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.run_rules import needs_centre, points_needed, run_rule_hits

ALTERNATING = [0.5 if at % 2 else -0.5 for at in range(14)]
HITS = [
    (1, [3.01], [3.0]),
    (2, [0.1] * 9, [0.1] * 8 + [0.0]),
    (3, [1, 2, 3, 4, 5, 6], [1, 2, 3, 3, 5, 6]),
    (4, ALTERNATING, [*ALTERNATING[:7], ALTERNATING[6], *ALTERNATING[8:]]),
    (5, [2.1, 0, 2.1], [2.1, 0, -2.1]),
    (6, [1.1, 1.1, 0, 1.1, 1.1], [1.1, 1.1, 0, -1.1, 1.1]),
    (7, [0.9] * 15, [0.9] * 14 + [1.0]),
    (8, [1.1, -1.1] * 4, [1.1] * 8),
]


@pytest.mark.parametrize(("rule", "hit", "miss"), HITS)
def test_each_rule_hits_its_own_pattern_and_not_the_one_beside_it(rule, hit, miss):
    assert run_rule_hits(hit, rule)[-1]
    assert not run_rule_hits(miss, rule)[-1]
    assert not run_rule_hits(hit[:-1], rule).any()
    assert points_needed(rule) == len(hit)


def test_a_tie_breaks_the_run_of_rule_three_and_a_fall_is_no_hit():
    assert run_rule_hits([1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10], 3).tolist() == [False] * 10 + [True]
    assert not run_rule_hits([6, 5, 4, 3, 2, 1], 3).any()


def test_a_point_that_is_no_number_breaks_every_pattern():
    for rule, hit, _ in HITS:
        assert not run_rule_hits([*hit[:-1], np.nan, hit[-1]], rule)[-1] or points_needed(rule) == 1


def test_there_are_eight_rules():
    with pytest.raises(KeyError):
        run_rule_hits([1.0], 9)


@given(st.lists(st.floats(-5, 5), max_size=40), st.integers(1, 8), st.floats(-3, 3))
def test_rules_that_need_no_centre_do_not_move_with_it(points, rule, shift):
    moved = np.round(np.array(points), 3)
    if not needs_centre(rule):
        assert (run_rule_hits(moved, rule) == run_rule_hits(np.round(moved + round(shift, 3), 3), rule)).all()


@given(st.lists(st.floats(allow_nan=True), max_size=40), st.integers(1, 8))
def test_a_hit_rests_on_its_own_points_alone(points, rule):
    hits = run_rule_hits(points, rule)
    assert len(hits) == len(points)
    for at in np.flatnonzero(hits).tolist():
        assert run_rule_hits(points[at + 1 - points_needed(rule) : at + 1], rule)[-1]
