"""The clock of several partitions (semantics.md, "Time"), and what keeps a partition out of it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surveillance.arrays import NOT_SENT_MS
from surveillance.evaluation.global_clock import STALLED_AFTER_MS, LogShape, left_out, moment_of
from surveillance.incidents.incident import Incident
from surveillance.incidents.system import SystemIncidents, conditions_of
from surveillance.store.protocol import Progress
from surveillance.times import MINUTE_MS

T = 1_800_000_000_000
LOG = LogShape(3, started_ms=T - 60 * MINUTE_MS)
HEADER_TIME = LogShape(3, started_ms=None)


def at(*partitions: tuple[int, int] | None, stopped: Mapping[int, str] | None = None) -> dict[int, Progress]:
    """(watermark, partition time) of each partition in minutes from T; None = no progress."""
    why = stopped or {}
    return {
        number: Progress(number, 10, T + one[0] * MINUTE_MS, T + one[1] * MINUTE_MS, why.get(number, ""))
        for number, one in enumerate(partitions)
        if one is not None
    }


def minutes(progress: Mapping[int, Progress], log: LogShape = LOG, reached: int | None = None) -> tuple[int, int, int] | None:
    """Watermark, partition time and completeness in minutes from T."""
    moment = moment_of(progress, log, NOT_SENT_MS if reached is None else T + reached * MINUTE_MS)
    if moment is None:
        return None
    watermark, newest, complete = ((one - T) // MINUTE_MS for one in moment[:3])
    return watermark, newest, complete if moment.complete_ms != NOT_SENT_MS else NOT_SENT_MS


def test_the_slowest_partition_that_moves_holds_the_watermark() -> None:
    assert minutes(at((5, 7), (3, 6), (4, 9))) == (3, 9, 3)


def test_a_partition_just_under_ten_minutes_behind_still_holds_it_and_at_ten_it_is_left_out() -> None:
    late = at((5, 10), (3, 6), (-2, 1))
    assert minutes(late) == (-2, 10, -2)
    assert left_out(late, LOG) == {}
    later = at((5, 11), (3, 6), (-2, 1))
    assert minutes(later) == (3, 11, -2)
    assert set(left_out(later, LOG)) == {2}


def test_a_stopped_partition_is_left_out_at_once_and_completes_nothing() -> None:
    assert minutes(at((5, 7), (3, 6), (1, 7), stopped={2: "ledger_gap: x"})) == (3, 7, 1)


def test_a_partition_without_progress_holds_everything_until_it_is_ten_minutes_silent() -> None:
    young = LogShape(3, started_ms=T)
    assert minutes(at((5, 9), (3, 6), None), young) is None
    assert minutes(at((5, 10), (3, 6), None), young) == (3, 10, NOT_SENT_MS)


def test_a_partition_that_comes_back_holds_the_watermark_from_where_it_is_and_never_takes_it_back() -> None:
    assert minutes(at((30, 31), (29, 30), (25, 26)), reached=29) == (29, 31, 25)
    assert minutes(at((32, 33), (31, 32), (30, 31)), reached=29) == (30, 33, 30)


def test_nobody_is_left_out_in_header_time() -> None:
    assert minutes(at((50, 50), (40, 40), None), HEADER_TIME) is None
    assert minutes(at((50, 50), (40, 40), (1, 1)), HEADER_TIME) == (1, 50, 1)
    assert minutes(at((50, 50), (40, 40), (1, 9), stopped={2: "ledger_gap: x"}), HEADER_TIME) == (1, 50, 1)


def test_without_any_partition_that_moves_the_watermark_stays_and_silence_goes_on() -> None:
    every = dict.fromkeys(range(3), "quarantine_limit: x")
    assert minutes(at((5, 7), (3, 6), (1, 12), stopped=every), reached=4) == (4, 12, 1)


PARTITION = st.none() | st.tuples(st.integers(0, 40), st.integers(0, 5), st.booleans())


@given(st.lists(st.lists(PARTITION, min_size=3, max_size=3), max_size=8), st.sampled_from([LOG, HEADER_TIME]))
def test_the_watermark_never_goes_back_and_what_is_complete_never_exceeds_a_partition(
    history: list[list[tuple[int, int, bool] | None]], log: LogShape
) -> None:
    reached = NOT_SENT_MS
    known: dict[int, Progress] = {}
    for partitions in history:
        for number, one in enumerate(partitions):
            if one is not None:
                newest = max(T + one[0] * MINUTE_MS, known[number].partition_ms if number in known else 0)
                mark = max(newest - one[1] * MINUTE_MS, known[number].watermark_ms if number in known else 0)
                known[number] = Progress(number, 1, mark, newest, "ledger_gap: x" if one[2] else "")
        moment = moment_of(known, log, reached)
        if moment is None:
            assert reached == NOT_SENT_MS
            continue
        assert moment.watermark_ms >= reached
        assert moment.partition_ms == max(one.partition_ms for one in known.values())
        assert moment.complete_ms == (min(one.watermark_ms for one in known.values()) if len(known) == 3 else NOT_SENT_MS)
        moving = [number for number in range(3) if number not in left_out(known, log)]
        if moment.watermark_ms > reached:
            assert moment.watermark_ms == min(known[number].watermark_ms for number in moving)
        reached = moment.watermark_ms


# incidents of the service itself ------------------------------------------------------------------------------
STALLED, GAP, LIMIT = "system.partition_stalled", "system.ledger_gap", "system.quarantine_limit"


def found(progress: Mapping[int, Progress], log: LogShape = LOG) -> set[tuple[str, str]]:
    """(monitor, partition) of what is the matter."""
    return {(monitor, dict(scope)["partition"]) for monitor, scope in conditions_of(progress, log)}


@pytest.mark.parametrize("log", [LOG, HEADER_TIME], ids=["append time", "header time"])
@pytest.mark.parametrize(("why", "monitor"), [("ledger_gap: 3 to 5", GAP), ("quarantine_limit: 9 of 9", LIMIT)])
def test_a_partition_that_stopped_is_reported_with_its_reason_whatever_makes_the_time(
    log: LogShape, why: str, monitor: str
) -> None:
    assert found(at((1, 1), (1, 1), (1, 1), stopped={1: why}), log) == {(STALLED, "1"), (monitor, "1")}


def test_a_partition_far_behind_is_stalled_but_not_where_the_publisher_makes_the_time() -> None:
    assert STALLED_AFTER_MS == 10 * MINUTE_MS
    behind = at((20, 20), (20, 20), (10, 10))
    assert found(behind) == {(STALLED, "2")}
    assert found(behind, HEADER_TIME) == set()


def test_it_opens_once_resolves_when_the_partition_moves_again_and_is_a_new_one_the_next_time() -> None:
    one, resolved = SystemIncidents([]), []
    stopped, moving = at((1, 1), (1, 1), stopped={1: "ledger_gap: x"}), at((1, 1), (1, 1))
    log = LogShape(2, T)
    opened = [decision.incident for decision in one.step(conditions_of(stopped, log), T)]
    assert {incident.monitor_id for incident in opened} == {STALLED, GAP}
    assert one.step(conditions_of(stopped, log), T + 1) == []
    resolved = [decision.incident for decision in one.step(conditions_of(moving, log), T + 2)]
    assert {(incident.incident_id, incident.state) for incident in resolved} == {(i.incident_id, "resolved") for i in opened}
    again = SystemIncidents([Incident.from_text(incident.to_text()) for incident in resolved])
    assert again.step(conditions_of(moving, log), T + 3) == []
    later = again.step(conditions_of(stopped, log), T + 4)
    assert {decision.incident.ordinal for decision in later} == {1}
    assert not {decision.incident.incident_id for decision in later} & {incident.incident_id for incident in opened}
