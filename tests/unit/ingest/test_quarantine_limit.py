"""The limit of quarantine."""

from __future__ import annotations

from surveillance.ingest.quarantine_limit import QuarantinePolicy, QuarantineState

POLICY = QuarantinePolicy(consecutive=20, ratio=0.5, window=100)


def told(*fetches):
    state = QuarantineState(POLICY)
    return [state.exceeded_by(valid, invalid) for valid, invalid in fetches]


def test_so_many_invalid_events_in_a_row_stop_the_partition():
    assert told((0, 10), (0, 9), (0, 1)) == [None, None, (20, 20)]


def test_a_valid_event_begins_the_row_anew():
    assert told((0, 19), (1, 0), (0, 19)) == [None, None, None]


def test_ticks_alone_neither_break_the_row_nor_fill_memory():
    state = QuarantineState(POLICY)
    state.exceeded_by(0, 19)
    for _ in range(1000):
        state.exceeded_by(0, 0)
    assert len(state._recent) == 1
    assert state.exceeded_by(0, 1) == (20, 20)


def test_more_than_the_ratio_of_the_last_events_stops_it_and_the_ratio_itself_does_not():
    assert told(*[(5, 5)] * 10)[-1] is None
    assert told(*[(5, 5)] * 9, (4, 6))[-1] == (51, 100)


def test_no_ratio_is_judged_before_the_window_is_full():
    assert told((1, 50))[-1] is None


def test_old_fetches_leave_the_window():
    assert told(*[(1, 9)] * 5, *[(10, 0)] * 20)[-1] is None
