"""The join of outcomes and actions, case by case, and against any split of the same positions into fetches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.ingest.join import ACTION_BITS, Inferences, JoinIndex, Reports, grade_of
from surveillance.ingest.waiting import WAIT_MS
from surveillance.times import DAY_MS

CODE, REPORT, READ, REFERENCE = ("code", "report", "clinician_read", "reference_standard")


def folded(index, rows):
    """Rows: ("inference", key) | ("outcome", key, label, kind, revision) | ("action", key, word), then broker ms."""
    inferences = [(at, row) for at, row in enumerate(rows) if row[0] == "inference"]
    outcomes = [(at, row) for at, row in enumerate(rows) if row[0] == "outcome"]
    actions = [(at, row) for at, row in enumerate(rows) if row[0] == "action"]

    def column(values, dtype=np.int64):
        return np.array(list(values), dtype)

    count = len(inferences)
    labels, acted = index.fold(
        Inferences(
            row=column(at for at, _ in inferences), key=column((row[1] for _, row in inferences), np.uint64),
            event_ms=column(row[-1] for _, row in inferences), score_micro=np.full(count, 600_000),
            flagged=np.ones(count, np.bool_), field_use=np.ones(count, np.bool_), cell=np.zeros(count, np.int32),
        ),
        Reports(
            row=column(at for at, _ in outcomes), key=column((row[1] for _, row in outcomes), np.uint64),
            grade=np.concatenate([np.zeros(0, np.int64), *(grade_of([row[3]], np.array([row[4]])) for _, row in outcomes)]),
            value=column((row[2] for _, row in outcomes), np.uint8), verified=np.full(len(outcomes), -1),
            treated=np.zeros(len(outcomes), np.int64), when_ms=np.zeros(len(outcomes), np.int64),
        ),
        Reports(
            row=column(at for at, _ in actions), key=column((row[1] for _, row in actions), np.uint64),
            grade=np.zeros(len(actions), np.int64), value=column((ACTION_BITS[row[2]] for _, row in actions), np.uint8),
            verified=np.zeros(len(actions), np.int64), treated=np.zeros(len(actions), np.int64),
            when_ms=column(row[-1] for _, row in actions),
        ),
        broker_ms=column(row[-1] for row in rows), verified_by_default=np.ones(1, np.bool_),
    )  # fmt: skip
    said = [
        (int(label), int(sign), bool(first), int(arrival))
        for label, sign, first, arrival in zip(labels.value, labels.sign, labels.first, labels.arrival_ms, strict=True)
    ]
    done = [(int(new), int(before)) for new, before in zip(acted.value, acted.before, strict=True)]
    return said, done


def test_an_outcome_joins_the_inference_before_it():
    said, _ = folded(JoinIndex(), [("inference", 1, 0), ("outcome", 1, 1, REPORT, 1, 10)])
    assert said == [(1, 1, True, 10)]


def test_an_early_outcome_waits_and_arrives_with_its_inference():
    index = JoinIndex()
    assert folded(index, [("outcome", 1, 1, REPORT, 1, 10)]) == ([], [])
    assert folded(index, [("inference", 1, 99)])[0] == [(1, 1, True, 99)]
    assert len(index.waiting_outcomes) == 0


def test_a_better_label_takes_the_old_one_out_and_keeps_the_time_of_the_first_arrival():
    index = JoinIndex()
    folded(index, [("inference", 1, 0), ("outcome", 1, 1, REPORT, 1, 10)])
    assert folded(index, [("outcome", 1, 0, REFERENCE, 1, 50)])[0] == [(1, -1, False, 10), (0, 1, False, 10)]


def test_kind_goes_before_revision_and_the_first_position_stays_among_equals():
    index = JoinIndex()
    folded(index, [("inference", 1, 0), ("outcome", 1, 1, READ, 1, 10)])
    assert folded(index, [("outcome", 1, 0, REPORT, 9, 20), ("outcome", 1, 0, READ, 1, 30)]) == ([], [])
    assert folded(index, [("outcome", 1, 0, READ, 2, 40)])[0] == [(1, -1, False, 10), (0, 1, False, 10)]


def test_grades_order_kinds_first_and_revisions_beyond_any_number():
    assert grade_of([CODE, REPORT, READ, REFERENCE], np.array([2**40, 5, 1, 0])).tolist() == sorted(
        grade_of([CODE, REPORT, READ, REFERENCE], np.array([2**40, 5, 1, 0])).tolist()
    )


def test_each_word_of_an_alert_is_new_once():
    _, done = folded(
        JoinIndex(), [("inference", 1, 0), *[("action", 1, word, 5) for word in ("delivered", "ack", "ack", "override")]]
    )
    delivered, ack, override = (ACTION_BITS[word] for word in ("delivered", "ack", "override"))
    assert done == [(delivered, 0), (ack, delivered), (0, delivered | ack), (override, delivered | ack)]


def test_a_report_waits_as_long_as_the_bound_says_within_a_fetch_and_across():
    for wait_ms, joins in ((WAIT_MS, True), (WAIT_MS + 1, False)):
        rows = [("outcome", 1, 1, REPORT, 1, 0), ("inference", 1, wait_ms)]
        assert bool(folded(JoinIndex(), rows)[0]) == joins
        index = JoinIndex()
        folded(index, rows[:1])
        assert bool(folded(index, rows[1:])[0]) == joins


def test_reports_that_never_find_their_inference_leave_memory():
    index = JoinIndex()
    for day in range(100):
        folded(index, [("outcome", 1000 + day, 1, REPORT, 1, day * DAY_MS), ("action", 2000 + day, "ack", day * DAY_MS)])
        index.waiting_outcomes.expire(day * DAY_MS)
        index.waiting_actions.expire(day * DAY_MS)
    assert len(index.waiting_outcomes) == len(index.waiting_actions) == 37


def test_a_forgotten_inference_is_forgotten_with_its_labels():
    index = JoinIndex()
    folded(index, [("inference", 1, 0), ("outcome", 1, 1, REPORT, 1, 10), *[("inference", key, 100) for key in range(2, 9)]])
    index.expire(50)
    assert index.knows(np.array([1, 2], np.uint64)).tolist() == [False, True]
    assert not index._labels.find(np.array([1], np.uint64))[0].any()


ROWS = st.lists(
    st.one_of(
        st.tuples(st.just("inference"), st.integers(1, 5), st.integers(0, 9)),
        st.tuples(
            st.just("outcome"), st.integers(1, 5), st.integers(0, 1), st.sampled_from([CODE, REPORT, READ, REFERENCE]),
            st.integers(1, 3), st.integers(0, 9),
        ),
        st.tuples(st.just("action"), st.integers(1, 5), st.sampled_from(["delivered", "ack", "override"]), st.integers(0, 9)),
    ),
    max_size=30,
)  # fmt: skip


@settings(max_examples=100)
@given(ROWS, st.lists(st.integers(0, 30), max_size=5))
def test_any_split_into_fetches_joins_alike(rows, cuts):
    whole, index, said, done = folded(JoinIndex(), rows), JoinIndex(), [], []
    borders = sorted({0, *(min(cut, len(rows)) for cut in cuts), len(rows)})
    for start, end in pairwise(borders):
        labels, actions = folded(index, rows[start:end])
        said, done = said + labels, done + actions
    assert (said, done) == whole
