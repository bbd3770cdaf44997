"""Cumulative monitors of events judged as the live service does it: on rows that come late, and again after a restart."""

from __future__ import annotations

from collections.abc import Iterable

from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator, Judged
from surveillance.panes.rows import PaneRow
from surveillance.registry import Registry
from surveillance.times import HOUR_MS, MINUTE_MS, to_text
from tests.oracle.streams import START_MS
from tests.property.deciding import inference, monitor
from tests.unit.evaluation.test_folding_again import newest, rows_of
from tests.unit.evaluation.test_periods_again import report

HOURS = 14
REPORTED_AT_H = (1.0, 1.02, 10.0, 13.0)
"""Two reports after few uses, which the test signals; by the third there were so many uses that it does so no more."""
SPRT = {"type": "maxsprt_poisson", "expected_per_10k": 1000.0, "T": 50.0}
ROLE = {"suspected_device_role": "contributed"}
WATCHED = [
    monitor(
        "test", SPRT, {"investigate": {"llr": 1.0}}, persistence={"k": 1, "of": 40, "clear_after": 1, "cooldown": "PT0S"}
    ),
    monitor("count", {"type": "event_count"}, {"investigate": {"ge": 3}}, by=["site"]),
]  # fmt: skip


def at_hour(hour: float) -> int:
    return round(hour * HOUR_MS)


def lines_of(hours: float) -> list[bytes]:
    uses = [(at_hour(n / 4), inference(n, at_hour(n / 4), site_id="a")) for n in range(4 * HOURS)]
    reports = [(at_hour(at), report(at, at_hour(at), **ROLE)) for at in REPORTED_AT_H]
    return [line for at_ms, line in sorted([*uses, *reports]) if at_ms < at_hour(hours)]


def moment(hours: float) -> Moment:
    now_ms = START_MS + at_hour(hours)
    return Moment(now_ms, now_ms, now_ms)


def judged_at_once(registry: Registry, rows: list[PaneRow], hours: float) -> list[Evidence]:
    evaluator = Evaluator(registry)
    evaluator.take(rows)
    return list(evaluator.judge(moment(hours)).evidence)


def restarted(registry: Registry, before: Evaluator, read: Iterable[PaneRow], then: Moment) -> Evaluator:
    """An evaluator that knows what another one had decided by a moment, on these rows."""
    offsets = {0: max(row.version for row in read)}
    known = Judged(then.watermark_ms, then.partition_ms, then.complete_ms, offsets)
    return Evaluator(registry, before.incidents(), judged={next(iter(registry.all())).digest: known})


def test_after_a_restart_the_panes_that_were_decided_are_not_decided_again(registry: Registry, rows: list[PaneRow]) -> None:
    """Persistence that reaches back over a signal would open the incident that had resolved once more."""
    before, read, then = Evaluator(registry), rows_of(registry, lines_of(10.5)), moment(10.5)
    before.take(read)
    decisions = [one.line for hours in (2, 10.5) for one in before.judge(moment(hours)).decisions]
    assert [(one["monitor_id"], one["state"]) for one in decisions] == [
        ("test", "open"), ("test", "resolved"), ("count", "open"),
    ]  # fmt: skip
    after = restarted(registry, before, read, then)
    after.take(rows)
    found = after.judge(then)
    assert (found.evidence, found.decisions) == ((), ())
    fresh = after.judge(moment(12)).evidence
    assert {one.monitor_id for one in fresh} == {"test", "count"}
    assert all(one.end_ms > then.watermark_ms for one in fresh)


def test_what_comes_after_a_pane_leaves_its_revision_alone(registry: Registry, rows: list[PaneRow]) -> None:
    until_then = {one.key: one.revision for one in judged_at_once(registry, rows_of(registry, lines_of(10.5)), 10.5)}
    afterwards = {one.key: one.revision for one in judged_at_once(registry, rows, 10.5)}
    assert until_then
    assert afterwards == until_then
    assert len({tuple(one.items()) for one in afterwards.values()}) > 3


def test_a_late_report_tells_its_pane_and_the_later_ones_again_at_a_new_revision(registry: Registry, rows: list[PaneRow]) -> None:
    at_ms = at_hour(5) + 7 * MINUTE_MS
    late = report("late", at_ms, ingest_time=to_text(START_MS + at_hour(10)), **ROLE)
    evaluator = Evaluator(registry)
    evaluator.take(rows)
    before = {one.key: one for one in evaluator.judge(moment(HOURS)).evidence}
    revised = rows_of(registry, [*lines_of(HOURS), late])
    evaluator.take(revised)
    again = evaluator.judge(moment(HOURS)._replace(final=True)).evidence
    assert min(one.end_ms for one in again) == START_MS + at_hour(5) + 10 * MINUTE_MS
    both = [one for one in again if one.key in before]
    assert both
    assert all(one.revision_number > before[one.key].revision_number for one in both)
    told = {key: one.body() for key, one in before.items()} | newest(list(again))
    expected = newest(judged_at_once(registry, revised, HOURS))
    assert {key: told[key] for key in expected} == expected
