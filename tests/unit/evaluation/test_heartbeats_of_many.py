"""Heartbeats of many devices at once: what is said of each, and when, whoever else is silent and however often one looks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.evaluation.judging import Moment
from surveillance.evaluation.slot_log import SlotLog
from surveillance.incidents.evaluator import Evaluator, Judgement
from surveillance.panes import statistics
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.panes.statistics import BEAT_SLOTS, Beats
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.times import DAY_MS, MINUTE_MS, to_text
from tests.property.evaluating import monitor, release

Line = dict[str, Any]

START_MS = 20_000 * DAY_MS
TICK_MS = 10 * MINUTE_MS
DEVICES, TICKS = 4, 150
SILENT = {2: range(30, 50)}
"""Device -> intervals without a beat."""


def registry() -> Registry:
    silent = monitor("silent", {"type": "heartbeat_gap"}, {"pause": {"missed": 6}}, by=["device", "gateway"])
    return Registry([registration_of(release(silent), "test")])


def beats(digest: str, device: int, ticks: int) -> list[PaneRow]:
    """Rows of one device after so many intervals, the newest with a version that has grown."""
    rows = []
    for pane in range(-(-ticks // BEAT_SLOTS)):
        counts = np.zeros((len(Beats), BEAT_SLOTS), np.int64)
        heard = [at for at in range(pane * BEAT_SLOTS, min(ticks, (pane + 1) * BEAT_SLOTS)) if at not in SILENT.get(device, ())]
        counts[Beats.INSIDE, [at % BEAT_SLOTS for at in heard]] = counts[Beats.ANY_EVENT, [at % BEAT_SLOTS for at in heard]] = 1
        group = f"device=d{device}&gateway=g{device // 2}"
        key = PaneKey("default", digest, 0, statistics.BEATS, group, START_MS + pane * BEAT_SLOTS * TICK_MS)
        rows.append(PaneRow(key, 1 + ticks, counts.reshape(-1)))
    return rows


def looked_at(every: int) -> tuple[Evaluator, list[Judgement]]:
    """An evaluator that has looked every so many intervals."""
    known = registry()
    digest = known.all()[0].digest
    evaluator = Evaluator(known)
    span = PaneRow(PaneKey("default", digest, 0, statistics.SPAN, "", START_MS), 0, np.ones(1, np.int64))
    evaluator.take([span])
    told = []
    for tick in range(every, TICKS + 1, every):
        evaluator.take([row for device in range(DEVICES) for row in beats(digest, device, tick)])
        at_ms = START_MS + tick * TICK_MS
        told.append(evaluator.judge(Moment(at_ms, at_ms, at_ms, final=True)))
    return evaluator, told


def test_one_silent_device_opens_its_incident_and_the_gateway_that_another_uses_does_not():
    evaluator, _ = looked_at(1)
    assert [(one.scope, one.resolved_at_ms is not None) for one in evaluator.incidents()] == [((("device", "d2"),), True)]


def test_incidents_and_states_are_the_same_however_often_one_looks():
    looks = [looked_at(every) for every in (1, 5, TICKS)]
    lines = [([one.line for judged in told for one in judged.decisions], evaluator.status()) for evaluator, told in looks]
    assert lines[0] == lines[1] == lines[2]
    assert len(lines[0][0]) == 2


def moved(every: int, left_at: int, came_at: int) -> tuple[Evaluator, list[Line]]:
    """A device heard through one gateway until it left, and through another since it came; the evaluator, and its lines."""
    known = registry()
    digest = known.all()[0].digest
    evaluator = Evaluator(known)
    evaluator.take([PaneRow(PaneKey("default", digest, 0, statistics.SPAN, "", START_MS), 0, np.ones(1, np.int64))])
    lines = []
    for tick in range(every, 61, every):
        for gateway, heard in (("a", range(left_at)), ("b", range(came_at, 60))):
            counts = np.zeros((len(Beats), BEAT_SLOTS), np.int64)
            slots = [at for at in heard if at < tick]
            counts[Beats.INSIDE, slots] = counts[Beats.ANY_EVENT, slots] = 1
            key = PaneKey("default", digest, 0, statistics.BEATS, f"device=d0&gateway={gateway}", START_MS)
            evaluator.take([PaneRow(key, tick, counts.reshape(-1))] if slots else [])
        at_ms = START_MS + tick * TICK_MS
        lines += [one.line for one in evaluator.judge(Moment(at_ms, at_ms, at_ms, final=True)).decisions]
    return evaluator, lines


@pytest.mark.parametrize("every", [1, 4, 15])
def test_a_device_that_moves_to_another_gateway_was_silent_at_the_one_it_was_last_heard_through(every):
    _, lines = moved(every, left_at=6, came_at=14)
    told = {(str(line["scope"]), line["state"], line["opened_at"]) for line in lines}
    opened_at = to_text(START_MS + 12 * TICK_MS)
    assert ("{'gateway': 'a'}", "open", opened_at) in told, "it was silent there, whatever it did later"
    assert not any(scope == "{'gateway': 'b'}" for scope, _, _ in told)
    assert ("{'device': 'd0'}", "resolved", opened_at) in told


@pytest.mark.parametrize("every", [1, 4, 15, 60])
def test_the_state_of_a_gateway_that_all_have_left_is_that_of_its_last_tick_however_often_one_looks(every):
    evaluator, _ = moved(every, left_at=12, came_at=12)
    states = {tuple(line["scope"].items()): line for line in evaluator.status()}
    left = states[(("gateway", "a"),)]
    assert (left["verdict"], left["window"]["end"]) == ("met", to_text(START_MS + 12 * TICK_MS))


def test_a_device_that_is_heard_leaves_evidence_once_a_day_and_its_state_is_that_of_the_newest_beat():
    evaluator, told = looked_at(1)
    of_heard = [one for judged in told for one in judged.evidence if one.scope == (("device", "d0"),)]
    assert [one.end_ms for one in of_heard] == [START_MS + DAY_MS]
    states = {tuple(line["scope"].items()): line for line in evaluator.status()}
    assert len(states) == DEVICES + DEVICES // 2
    assert {line["window"]["end"] for line in states.values()} == {to_text(START_MS + TICKS * TICK_MS)}
    assert states[(("device", "d0"),)]["verdict"] == "met"


def newest(pairs: set[tuple[int, int]], device: int, through: int) -> int:
    return max((slot for of, slot in pairs if of == device and slot <= through), default=-1)


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=8), min_size=1, max_size=5),
    st.lists(st.integers(0, 40), min_size=1, max_size=5),
)
def test_the_newest_slot_of_a_device_is_that_of_all_slots_it_was_ever_heard_in(batches, forgotten):
    log, known, reached = SlotLog(), set(), 0
    for batch, forget in zip(batches, sorted(forgotten) + [40] * len(batches), strict=False):
        pairs = np.array(batch, np.int64).reshape(len(batch), 2)
        log.add(pairs[:, 0], pairs[:, 1], 4)
        known |= set(batch)
        asked = np.arange(reached, 42)
        expected = [[newest(known, device, through) for through in asked.tolist()] for device in range(4)]
        assert log.newest(asked, 4).tolist() == expected
        reached = max(reached, forget)
        log.forget_before(reached)
