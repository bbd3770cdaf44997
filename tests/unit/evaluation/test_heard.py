"""What rows of heartbeats say is told once to every reader, whatever order, batches and repetitions the rows come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.evaluation.beat_log import BeatLog
from surveillance.evaluation.heard import Facts, Heard
from surveillance.evaluation.mirror import PaneMirror
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.panes.statistics import BEAT_SLOTS, BEATS, BEATS_LENGTH, Beats
from surveillance.times import MINUTE_MS

PANE_MS = BEAT_SLOTS * MINUTE_MS


def row(device: int, gateway: str, pane: int, columns: set[int], *, version: int = 1, partition: int = 0) -> PaneRow:
    counts = np.zeros(BEATS_LENGTH, np.int64)
    counts[list(columns)] = 1
    key = PaneKey("t", "m", partition, BEATS, f"device=d{device}&gateway={gateway}", pane * PANE_MS)
    return PaneRow(key, version, counts)


def beat(slot: int, *, at_start: bool = False) -> int:
    return (Beats.AT_START if at_start else Beats.INSIDE) * BEAT_SLOTS + slot


def told(heard: Heard, facts: list[Facts]) -> list[tuple[str, str, int, int]]:
    found = []
    for part in facts:
        for group, pane_ms, column in zip(*(one.tolist() for one in part), strict=True):
            device, gateway = heard.of_group[group].tolist()
            found.append((heard.devices[device], heard.gateways[gateway], pane_ms // PANE_MS, column))
    return found


@st.composite
def growing_rows(draw: st.DrawFn) -> list[PaneRow]:
    """Rows of a few keys, each later version with all columns of the earlier ones; then in any order, some of them twice."""
    rows = []
    for device, gateway, pane in draw(
        st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.integers(0, 2)), min_size=1, max_size=5, unique=True)
    ):
        known: set[int] = set()
        for version, more in enumerate(draw(st.lists(st.sets(st.integers(0, BEATS_LENGTH - 1), max_size=4), max_size=3))):
            known = known | more
            rows.append(row(device, gateway, pane, known, version=version, partition=device))
    return draw(st.permutations(rows + draw(st.lists(st.sampled_from(rows), max_size=4)) if rows else rows))


@given(growing_rows(), st.integers(1, 4), st.integers(0, 8))
def test_every_reader_is_told_each_fact_once_from_whenever_it_reads(rows, batch, joins):
    heard = Heard()
    first, second = heard.subscribe(), None
    for number, begin in enumerate(range(0, len(rows), batch)):
        if number == joins:
            second = heard.subscribe()
        heard.take(rows[begin : begin + batch])
    second = heard.subscribe() if second is None else second
    expected = set()
    for one in rows:
        device, gateway = (part.split("=")[1] for part in one.key.group.split("&"))
        expected |= {(device, gateway, one.key.pane_ms // PANE_MS, column) for column in np.flatnonzero(one.counts).tolist()}
    for reader in (first, second):
        assert sorted(told(heard, reader)) == sorted(expected)
    assert heard.largest_version == {
        one.key.partition: max(other.version for other in rows if other.key.partition == one.key.partition) for one in rows
    }
    assert len(heard) == len({(one.key.group, one.key.pane_ms) for one in rows})


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("together", [True, False])
def test_of_two_gateways_that_tell_of_the_same_beat_the_greater_name_counts_whichever_came_first(names, together):
    heard = Heard()
    log = BeatLog(heard, MINUTE_MS)
    rows = [row(0, name, 0, {beat(7)}) for name in names]
    for batch in [rows] if together else [[one] for one in rows]:
        heard.take(batch)
        log.update(None)
    assert heard.gateways[log.beaten(np.array([8])).gateway[0, 0]] == "b"


def test_the_gateway_of_a_device_is_that_of_its_newest_beat_and_an_older_one_told_later_changes_nothing():
    heard = Heard()
    log = BeatLog(heard, MINUTE_MS)
    for gateway, slot, expected in (("a", 5, "a"), ("b", 9, "b"), ("a", 8, "b"), ("a", 10, "a")):
        heard.take([row(0, gateway, 0, {beat(slot)})])
        log.update(None)
        assert heard.gateways[log.beaten(np.array([20])).gateway[0, 0]] == expected
    through = log.beaten(np.array([5, 6, 8, 9, 10, 11])).gateway[0].tolist()
    assert [heard.gateways[at] for at in through[1:]] == ["a", "a", "a", "b", "a"], "of a tick, by the beats up to it"


def test_a_beat_at_the_very_start_of_a_slot_is_heard_there_and_one_inside_it_from_the_next_on():
    heard = Heard()
    log = BeatLog(heard, MINUTE_MS)
    heard.take([row(0, "a", 0, {beat(3, at_start=True)}), row(1, "a", 0, {beat(3)})])
    log.update(None)
    assert log.beaten(np.array([2, 3, 4, 6])).missed.tolist() == [[-1, 0, 1, 3], [-1, -1, 0, 2]]


def test_a_beat_that_is_told_late_is_news_of_a_tick_that_was_judged_and_one_told_again_is_none():
    heard = Heard()
    log = BeatLog(heard, MINUTE_MS)
    heard.take([row(0, "a", 0, {beat(3)}), row(1, "a", 0, {beat(9)})])
    log.update(None)
    log.forget_before(10)
    heard.take([row(0, "a", 0, {beat(3), beat(6)}, version=2)])
    assert log.update(10)
    heard.take([row(0, "a", 0, {beat(3), beat(6)}, version=3)])
    assert not log.update(10)


def test_a_gateway_of_a_greater_name_that_tells_late_of_the_newest_beat_is_news_and_one_that_tells_of_an_older_beat_is_none():
    heard = Heard()
    log = BeatLog(heard, MINUTE_MS)
    heard.take([row(0, "b", 0, {beat(6)})])
    log.update(None)
    log.forget_before(10)
    heard.take([row(0, "c", 0, {beat(5)})])
    assert not log.update(10)
    heard.take([row(0, "a", 0, {beat(6)})])
    assert not log.update(10)
    heard.take([row(0, "c", 0, {beat(5), beat(6)}, version=2)])
    assert log.update(10)
    assert heard.gateways[log.beaten(np.array([10])).gateway[0, 0]] == "c"


def test_a_row_that_says_nothing_names_its_device_and_no_beat():
    heard = Heard()
    log = BeatLog(heard, MINUTE_MS)
    assert log.beaten(np.array([3])).missed.shape == (0, 1)
    heard.take([row(0, "a", 0, set())])
    assert not log.update(None)
    assert log.beaten(np.array([3])).missed.tolist() == [[-1]]


def test_heartbeats_make_a_tenant_known_and_are_counted_among_the_rows():
    mirror = PaneMirror()
    mirror.apply([row(0, "a", 0, {beat(1)}), row(0, "a", 0, {beat(1), beat(2)}, version=2), row(0, "a", 1, {beat(0)})])
    assert mirror.tenants("m") == ["t"]
    assert len(mirror) == 2
