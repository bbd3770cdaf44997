"""Judging as the live service does it: again and again, over partitions of which one may stand still, on rows that come late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from streams.replay import Replay
from surveillance.evaluation.judging import Moment
from surveillance.evaluation.verdict import Verdict
from surveillance.incidents.evaluator import Evaluator
from surveillance.panes.rows import PaneRow
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.times import HOUR_MS, MINUTE_MS
from tests.oracle.streams import CALM, START_MS, generate, monitors

IDS = ("identity", "identity.total", "dq.missing.abs", "silent", "cusum.false", "spec", "labels")
NOW_MS = START_MS + 6 * HOUR_MS


def _stream() -> tuple[Registry, list[PaneRow]]:
    """The registry and every row that six hours of a calm fleet leave in the store, in order of their last record."""
    found = generate(1, inferences=200, hours=6, trouble=CALM, watched=[one for one in monitors() if one["id"] in IDS])
    registry = Registry(registration_of(document, "test") for document in found.manifests)
    store = MemoryStore()
    list(Replay(registry, store).run(found.lines))
    return registry, sorted(store.read_panes("replay"), key=lambda row: row.version)


@pytest.fixture(scope="module")
def stream() -> tuple[Registry, list[PaneRow]]:
    return _stream()


def _moment(complete_ms: int = NOW_MS, now_ms: int = NOW_MS) -> Moment:
    return Moment(now_ms, now_ms, complete_ms, final=True)


def _evaluator(stream: tuple[Registry, list[PaneRow]]) -> Evaluator:
    evaluator = Evaluator(stream[0])
    evaluator.take(stream[1])
    return evaluator


def test_nothing_is_judged_twice_while_nothing_changes(stream: tuple[Registry, list[PaneRow]]) -> None:
    evaluator = _evaluator(stream)
    assert evaluator.judge(_moment()).evidence
    again = evaluator.judge(_moment())
    assert (again.evidence, again.decisions) == ((), ())


def test_while_a_partition_is_missing_no_window_is_met_but_it_may_be_breached(stream: tuple[Registry, list[PaneRow]]) -> None:
    complete_ms = START_MS + 2 * HOUR_MS
    partial = [one for one in _evaluator(stream).judge(_moment(complete_ms)).evidence if one.partial]
    whole = {(one.key, one.verdict) for one in _evaluator(stream).judge(_moment()).evidence}
    assert partial
    assert all(one.end_ms > complete_ms and one.verdict is not Verdict.MET for one in partial)
    assert any(one.verdict is Verdict.BREACHED for one in partial)
    assert {(one.key, one.verdict) for one in partial if one.verdict is Verdict.BREACHED} <= whole
    assert {verdict for key, verdict in whole if key in {one.key for one in partial}} > {Verdict.MET}


def test_partial_windows_are_judged_again_when_the_partition_comes_in_even_without_rows(
    stream: tuple[Registry, list[PaneRow]],
) -> None:
    complete_ms = START_MS + 2 * HOUR_MS
    evaluator = _evaluator(stream)
    partial = {one.key for one in evaluator.judge(_moment(complete_ms)).evidence if one.partial}
    again = evaluator.judge(_moment())
    assert {one.key for one in again.evidence} == partial
    assert not any(one.partial for one in again.evidence)
    assert evaluator.status() == _status_of_one_judgement(stream)


def _status_of_one_judgement(stream: tuple[Registry, list[PaneRow]]) -> list[dict[str, Any]]:
    evaluator = _evaluator(stream)
    evaluator.judge(_moment())
    return evaluator.status()


def test_a_late_row_makes_only_the_windows_due_that_hold_it(stream: tuple[Registry, list[PaneRow]]) -> None:
    registry, rows = stream
    both_fields = "identity.v1:identity_mismatch:model_digest,threshold_config_digest"
    late = next(row for row in rows if row.key.statistic == both_fields and row.key.pane_ms == START_MS + HOUR_MS)
    evaluator = Evaluator(registry)
    evaluator.take([row for row in rows if row is not late])
    evaluator.judge(_moment())
    evaluator.take([late])
    due = evaluator.judge(_moment()).evidence
    assert [(one.monitor_id, one.end_ms) for one in due] == [("identity", START_MS + 2 * HOUR_MS)]


def test_how_often_the_rows_are_looked_at_does_not_change_the_status(stream: tuple[Registry, list[PaneRow]]) -> None:
    registry, rows = stream
    often = Evaluator(registry)
    for first in range(0, len(rows), 50):
        often.take(rows[first : first + 50])
        often.judge(_moment(now_ms=START_MS + first * 6 * HOUR_MS // len(rows) // MINUTE_MS * MINUTE_MS))
    often.judge(_moment())
    assert often.status() == _status_of_one_judgement(stream)


def test_rows_of_what_stands_beside_a_number_alone_make_its_windows_due_at_a_new_revision(
    stream: tuple[Registry, list[PaneRow]],
) -> None:
    changed = max((row for row in stream[1] if row.key.statistic == "label_free.v1"), key=lambda row: row.counts.sum())
    evaluator = _evaluator(stream)
    before = {one.key: one for one in evaluator.judge(_moment()).evidence}
    evaluator.take([replace(changed, version=changed.version + 1_000, counts=2 * changed.counts)])
    again = evaluator.judge(_moment()).evidence
    assert again
    assert {one.monitor_id for one in again} == {"spec"}
    for one in again:
        assert one.revision_number > before[one.key].revision_number
        assert (one.outcome, one.verdict, one.levels) == tuple(
            getattr(before[one.key], name) for name in ("outcome", "verdict", "levels")
        )
    assert any(one.beside != before[one.key].beside for one in again)
