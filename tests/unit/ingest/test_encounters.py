"""Encounters and onsets against one inference at a time, as contract/semantics.md says it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from surveillance.ingest.encounters import EncounterIndex
from surveillance.times import DAY_MS

HOUR_MS = DAY_MS // 24

INFERENCES = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([hours * HOUR_MS for hours in (0, 1, 1, 2, 20, 24, 25, 26, 49)]), st.booleans()),
    max_size=40,
)


def folded(index, rows):
    token, event_ms, alert = (np.array([row[at] for row in rows]) for at in range(3)) if rows else ([], [], [])
    found = index.fold(np.array(token, np.uint64), np.array(event_ms, np.int64), np.array(alert, np.bool_))
    return list(zip(found.opens.tolist(), found.onset.tolist(), strict=True))


def one_by_one(rows):
    """The definition: of the same token's inferences at smaller positions, the last within 24 h before in event time."""
    found = []
    for at, (token, event_ms, alert) in enumerate(rows):
        before = [
            (ms, place) for place, (other, ms, _) in enumerate(rows[:at]) if other == token and 0 <= event_ms - ms <= DAY_MS
        ]
        previous = max(before)[1] if token and before else None
        found.append((previous is None, alert and (previous is None or not rows[previous][2])))
    return found


@given(INFERENCES, st.lists(st.integers(0, 40), max_size=6))
def test_any_split_into_fetches_gives_what_the_definition_says(rows, cuts):
    index, found = EncounterIndex(), []
    borders = sorted({0, *(min(cut, len(rows)) for cut in cuts), len(rows)})
    for start, end in pairwise(borders):
        found += folded(index, rows[start:end])
    assert found == one_by_one(rows)


def test_without_a_token_every_inference_is_an_encounter_and_every_alert_an_onset():
    assert folded(EncounterIndex(), [(0, 0, True), (0, 0, True), (0, 1, False)]) == [(True, True), (True, True), (True, False)]


def test_an_inference_that_happened_later_does_not_precede():
    assert folded(EncounterIndex(), [(5, 2 * HOUR_MS, True), (5, HOUR_MS, True)]) == [(True, True), (True, True)]


def test_24_hours_are_still_the_same_encounter_and_a_millisecond_more_is_a_new_one():
    rows = [(5, 0, False), (5, DAY_MS, True), (5, 2 * DAY_MS + 1, True)]
    assert folded(EncounterIndex(), rows) == [(True, False), (False, True), (True, True)]


def test_what_precedes_nothing_recent_is_forgotten():
    index = EncounterIndex()
    folded(index, [(token, token * HOUR_MS, False) for token in range(1, 100)])
    index.expire(90 * HOUR_MS)
    assert len(index) <= 66
    index.expire(1000 * HOUR_MS)
    assert len(index) == 0


def test_the_previous_inference_is_the_last_in_event_time_also_across_fetches():
    """An alert at two o'clock came first, then one fetch brings one o'clock without alert and three o'clock with one."""
    index = EncounterIndex()
    folded(index, [(5, 2 * HOUR_MS, True)])
    found = folded(index, [(5, HOUR_MS, False), (5, 3 * HOUR_MS, True)])
    assert found == [(True, False), (False, False)], "three o'clock goes on from the alert at two"
