"""Bounds under missing labels hold whatever the missing labels say, and are reached."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import manski
from detectors.estimate import Estimate, Insufficient, Reason

SHARES = {
    "sensitivity": lambda tp, fp, fn, tn: (tp, tp + fn),
    "specificity": lambda tp, fp, fn, tn: (tn, tn + fp),
    "ppv": lambda tp, fp, fn, tn: (tp, tp + fp),
    "npv": lambda tp, fp, fn, tn: (tn, tn + fn),
    "prevalence": lambda tp, fp, fn, tn: (tp + fn, tp + fp + fn + tn),
}
count = st.integers(1, 12)
pending = st.integers(0, 6)


def bounds_of(name: str, tp: int, fp: int, fn: int, tn: int, flagged: int, unflagged: int) -> Estimate:
    found = getattr(manski, name)([tp], [fp], [fn], [tn], flagged=[flagged], unflagged=[unflagged])[0]
    assert isinstance(found, Estimate)
    return found


@pytest.mark.parametrize("name", SHARES)
@given(count, count, count, count, pending, pending)
def test_the_bounds_are_the_smallest_and_largest_share_that_any_completion_gives(
    name: str, tp: int, fp: int, fn: int, tn: int, flagged_pending: int, unflagged_pending: int
) -> None:
    possible = []
    for up, other in itertools.product(range(flagged_pending + 1), range(unflagged_pending + 1)):
        part, whole = SHARES[name](tp + up, fp + flagged_pending - up, fn + other, tn + unflagged_pending - other)
        possible.append(part / whole)
    found = bounds_of(name, tp, fp, fn, tn, tp + fp + flagged_pending, fn + tn + unflagged_pending)
    assert found.lower == pytest.approx(min(possible))
    assert found.upper == pytest.approx(max(possible))


@pytest.mark.parametrize("name", SHARES)
def test_complete_labels_leave_no_room(name: str) -> None:
    found = bounds_of(name, 30, 4, 5, 61, 34, 66)
    assert found.lower == found.value == found.upper


def test_more_labels_than_inferences_is_no_count() -> None:
    found = manski.ppv([30], [5], [0], [0], flagged=[34], unflagged=[0])[0]
    assert found == Insufficient(Reason.DEGENERATE_OUTCOMES, 35)


def test_without_a_labelled_case_the_reason_is_named() -> None:
    nothing = ([0], [0], [0], [0])
    assert manski.sensitivity(*nothing, flagged=[9], unflagged=[9])[0] == Insufficient(Reason.NO_POSITIVES)
    assert manski.specificity(*nothing, flagged=[9], unflagged=[9])[0] == Insufficient(Reason.NO_NEGATIVES)
