"""An evaluator that is killed, refused or doubled anywhere ends where one that is left alone ends."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.store.memory import MemoryStore
from tests.property.evaluating import (
    CutSender,
    Knife,
    Outcome,
    Process,
    digests,
    everything_is_delivered,
    outcome_of,
    portions,
    text,
    undisturbed,
)
from tests.property.folding import Died


@lru_cache
def alone() -> tuple[Outcome, int]:
    return undisturbed()


def test_the_day_holds_what_may_go_wrong() -> None:
    found, calls = alone()
    states = Counter((line["monitor_id"], line["state"]) for line in found.lines)
    assert states["abstained", "resolved"] >= 3
    assert states["abstained", "open"] > states["abstained", "resolved"], "it escalates"
    assert states["silent", "open"] == 2, "two silences, two incidents"
    assert {line["action"] for line in found.triggers} == {"pause_rollout", "rollback_request"}
    assert everything_is_delivered(found)
    assert len(portions()) >= 3
    assert calls > 30


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("away", [False, True], ids=["killed", "refused"])
def test_wherever_an_evaluator_dies_or_is_refused_the_next_one_leaves_what_one_alone_leaves(away: bool, after: bool) -> None:
    expected, calls = alone()
    for at in range(1, calls + 1):
        store, knife = MemoryStore(), Knife(at, after, away)
        sender = CutSender(knife)
        process = Process(store, sender, knife)
        for portion in portions():
            portion.store(store)
            process.live()
        found = outcome_of(store, sender)
        assert found.status == expected.status, at
        assert list(map(text, found.lines)) == list(map(text, expected.lines)), at
        assert list(map(text, found.triggers)) == list(map(text, expected.triggers)), at
        assert everything_is_delivered(found), at


@settings(max_examples=20)
@given(st.integers(1, 400), st.booleans(), st.integers(0, 2))
def test_an_evaluator_that_comes_back_later_loses_nothing_and_doubles_no_incident(at: int, after: bool, missed: int) -> None:
    """It is down for some portions after its death, so that it decides at other moments than one alone would have."""
    expected, calls = alone()
    store, knife = MemoryStore(), Knife(1 + at % calls, after)
    sender = CutSender(knife)
    process, down = Process(store, sender, knife), 0
    for portion in portions():
        portion.store(store)
        if down:
            down -= 1
            continue
        before = knife.calls
        process.live()
        if before < (knife.at or 0) <= knife.calls:
            down = missed
    process.live()
    found = outcome_of(store, sender)
    assert found.status == expected.status
    assert shapes(found) == shapes(expected)
    assert everything_is_delivered(found)


def shapes(found: Outcome) -> dict[str, list[tuple[str, str]]]:
    """The states that each incident went through."""
    stories: dict[str, list[tuple[str, str]]] = {}
    for line in found.lines:
        stories.setdefault(line["incident_id"], []).append((line["state"], line["level"]))
    return stories


OWNERS = st.sampled_from(["all", "first", "second", "none"])


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.sampled_from(["store", "a", "b", "kill a", "kill b", "within a", "within b"]), OWNERS), max_size=30),
    st.data(),
)
def test_two_evaluators_whatever_each_owns_and_whenever_each_steps_leave_one_truth(
    moves: list[tuple[str, str]], data: st.DataObject
) -> None:
    expected, _ = alone()
    store, broker = MemoryStore(), CutSender(Knife())
    knives = {name: Knife() for name in "ab"}
    both = {name: Process(store, broker, knives[name]) for name in "ab"}
    left = list(portions())
    owned = {"all": None, "first": digests()[:1], "second": digests()[1:], "none": []}
    for move, owner in moves:
        if move == "store":
            if left:
                left.pop(0).store(store)
            continue
        name = move[-1]
        process, knife = both[name], knives[name]
        process.owned = owned[owner]
        if move != name:
            knife.at, knife.after = knife.calls + data.draw(st.integers(1, 16)), data.draw(st.booleans())
            knife.meanwhile = both["ab".replace(name, "")].live if move.startswith("within") else None
        process.live()
        knife.at = None
    for portion in left:
        portion.store(store)
        both["a"].owned = None
        both["a"].live()
    for process in both.values():
        process.owned = None
        process.live()
    found = outcome_of(store, broker)
    assert found.status == expected.status
    assert shapes(found) == shapes(expected)
    assert {line["trigger_id"] for line in found.triggers} == {line["trigger_id"] for line in expected.triggers}
    assert everything_is_delivered(found)


@pytest.mark.parametrize("owned_before", [None, []], ids=["both own all", "the other takes over"])
@pytest.mark.parametrize("later", [False, True], ids=["at the same moment", "at a later moment"])
def test_what_one_stored_and_never_delivered_the_other_delivers(owned_before: list[str] | None, later: bool) -> None:
    """The first one dies for good, wherever in its second step; the other has been running all the time."""
    for at in range(1, 15):
        store, knife, broker = MemoryStore(), Knife(), CutSender(Knife())
        dying, other = Process(store, broker, knife), Process(store, broker, Knife(), owned_before)
        first, second, *rest = portions()
        first.store(store)
        dying.live()
        other.live()
        second.store(store)
        knife.at = knife.calls + at
        with suppress(Died):
            dying.step()
        if later:
            rest.pop(0).store(store)
        other.owned = None
        other.live()
        found = outcome_of(store, broker)
        assert {line["kind"] for line in found.delivered} == {"incident"}
        assert everything_is_delivered(found), at


def test_one_that_was_overtaken_decides_every_later_window_on_the_others_incident() -> None:
    """It finds line after line written by the other; an escalation that only it has judged asks for its rollback all the same."""
    expected, _ = alone()
    store, broker = MemoryStore(), CutSender(Knife())
    overtaken, other = Process(store, broker, Knife()), Process(store, broker, Knife())
    overtaken.live()
    first, *rest = portions()
    first.store(store)
    other.live()
    for portion in rest:
        portion.store(store)
        overtaken.live()
    found = outcome_of(store, broker)
    assert shapes(found) == shapes(expected)
    assert {line["trigger_id"] for line in found.triggers} == {line["trigger_id"] for line in expected.triggers}
    assert everything_is_delivered(found)
