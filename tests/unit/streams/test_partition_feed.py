"""What is admitted of a partition is a gapless prefix, whatever lists come."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streams.partition_feed import PartitionFeed
from tests.unit.streams.records import LogRecord, records


def offsets_of(admitted: Sequence[LogRecord] | None) -> list[int] | None:
    return None if admitted is None else [record.offset for record in admitted]


# Offsets of a log that lacks some (transaction markers, aborted transactions), and what arrives: a fetched list by its
# place in the log, or a rebalance after which the store says where to begin.
LOGS = st.sets(st.integers(0, 60), min_size=1).map(sorted)
ARRIVALS = st.lists(
    st.one_of(
        st.tuples(st.just("list"), st.integers(0, 59), st.integers(1, 12)),
        st.tuples(st.just("rebalance"), st.integers(0, 60), st.integers(1, 1)),
    ),
    max_size=40,
)


@given(LOGS, ARRIVALS)
def test_whatever_lists_repeats_gaps_and_epochs_come_the_admitted_ones_are_a_gapless_prefix(
    log: list[int], arrivals: list[tuple[str, int, int]]
) -> None:
    feed, begin, sought = PartitionFeed(), 0, False
    admitted: list[int] = []
    feed.begin({0: begin})
    for what, place, length in arrivals:
        if what == "rebalance":
            assert admitted == _prefix(log, begin, len(admitted))
            feed.forget()
            begin, admitted, sought = place, [], False
            feed.begin({0: begin})
            continue
        # After it was told to seek, the broker gives what stands there; else any list may come.
        start = bisect_left(log, feed.next_offset[0]) if sought else place % len(log)
        fetched = records(log[start : start + length])
        found = feed.admit(0, fetched)
        sought = found is None
        if found:
            feed.advance(0, found)
            admitted += [record.offset for record in found]
    assert admitted == _prefix(log, begin, len(admitted))


def _prefix(log: list[int], begin: int, length: int) -> list[int]:
    start = bisect_left(log, begin)
    return log[start : start + length]


@given(LOGS, st.integers(0, 60), st.integers(1, 12))
def test_a_consumer_that_seeks_when_told_gets_the_whole_log(log: list[int], begin: int, length: int) -> None:
    feed, admitted = PartitionFeed(), []
    feed.begin({0: begin})
    for _ in range(2 * len(log)):
        start = bisect_left(log, feed.next_offset[0])
        found = feed.admit(0, records(log[start : start + length]))
        if found:
            feed.advance(0, found)
            admitted += [record.offset for record in found]
    assert admitted == log[bisect_left(log, begin) :]


def test_the_part_of_a_list_that_is_folded_already_is_left_out() -> None:
    feed = PartitionFeed()
    feed.begin({0: 5})
    assert offsets_of(feed.admit(0, records([3, 4, 5, 6]))) == [5, 6]
    assert offsets_of(feed.admit(0, records([3, 4]))) == []


def test_a_list_beyond_the_prefix_is_refused_and_admitted_only_when_a_seek_shows_the_same_gap() -> None:
    feed = PartitionFeed()
    feed.begin({0: 5})
    assert feed.admit(0, records([8, 9])) is None
    assert feed.admit(0, records([7, 8, 9])) is None  # another gap: the first one was none of the log
    assert offsets_of(feed.admit(0, records([7, 8, 9]))) == [7, 8, 9]


def test_a_gap_seen_before_the_prefix_moved_proves_nothing_after() -> None:
    feed = PartitionFeed()
    feed.begin({0: 5})
    assert feed.admit(0, records([8])) is None
    feed.advance(0, records([5]))
    assert feed.admit(0, records([8])) is None


def test_nothing_is_admitted_of_a_partition_that_is_not_ours_or_stopped_or_of_an_epoch_that_is_over() -> None:
    feed = PartitionFeed()
    feed.begin({0: 0, 1: 0})
    feed.stop(1)
    assert [offsets_of(feed.admit(p, records([0, 1]))) for p in (0, 1, 2)] == [[0, 1], [], []]
    epoch = feed.epoch
    assert feed.forget() > epoch
    assert offsets_of(feed.admit(0, records([0, 1]))) == []
    assert feed.next_offset == {}
