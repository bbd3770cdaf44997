"""Periods judged as the live service does it: month by month, on rows that come late, and again after a restart."""

from __future__ import annotations

from typing import Any

import pytest

from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator, Judged
from surveillance.panes.rows import PaneRow
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.times import DAY_MS, HOUR_MS, to_text
from tests.oracle.streams import START_MS
from tests.property.deciding import event, inference, monitor, release
from tests.unit.evaluation.test_folding_again import newest, rows_of

DAYS = 10
REPORTS = (0, 1, 2, 3, 4, 5, 0, 0, 0, 0)
"""Of each day at site a; site b has none."""
WATCHED = [
    monitor("trend", {"type": "trend_test", "counts": "all", "baseline_frequency_per_1000": 50.0}, {"investigate": {"p": 0.1}}),
    monitor("rise", {"type": "run_rule", "period": "P1D"}, {"investigate": {"hit": True}}, by=["site"]),
    monitor("mean", {"type": "run_rule", "period": "P1D", "rule": 1, "feature": "px", "mean": 0.0, "sd": 0.1},
            {"investigate": {"hit": True}}),
]  # fmt: skip


def at_site(day: int, site: str) -> list[bytes]:
    """Four inferences in a day, and the reports of it."""
    px = {"px": float(day == 3)}
    found = [inference(f"{site}{day}-{at}", day * DAY_MS + at * HOUR_MS, site_id=site, features=px) for at in range(4)]
    return found + [report(f"{day}-{n}", day * DAY_MS + 4 * HOUR_MS + n) for n in range(REPORTS[day] if site == "a" else 0)]


def report(number: object, at_ms: int, **fields: Any) -> bytes:
    time = to_text(START_MS + at_ms)
    own = {
        "ae_id": str(number), "reported_at": time, "awareness_at": time, "seriousness": "none", "public_health_threat": False,
        "suspected_device_role": "none", "linked_inference_ids": [], "imdrf": {}, "narrative_ref": None, "country": "DE",
        "udi": None, "site_id": "a",
    }  # fmt: skip
    return event("adverse_event", number, at_ms, **(own | fields))


def lines_of(days: int) -> list[bytes]:
    return [line for day in range(days) for site in "ab" for line in at_site(day, site)]


def moment(days: float, complete_days: float | None = None) -> Moment:
    now_ms = START_MS + round(days * DAY_MS)
    return Moment(now_ms, now_ms, now_ms if complete_days is None else START_MS + round(complete_days * DAY_MS))


def registry_of(*watched: dict[str, Any]) -> Registry:
    return Registry([registration_of(release(*watched), "test")])


def judged_at_once(registry: Registry, rows: list[PaneRow], days: float) -> list[Evidence]:
    evaluator = Evaluator(registry)
    evaluator.take(rows)
    return list(evaluator.judge(moment(days)).evidence)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return registry_of(*WATCHED)


@pytest.fixture(scope="module")
def rows(registry: Registry) -> list[PaneRow]:
    return rows_of(registry, lines_of(DAYS))


def days_of(told: list[Evidence], monitor_id: str) -> list[float]:
    return [(one.end_ms - START_MS) / DAY_MS for one in told if one.monitor_id == monitor_id]


@pytest.mark.parametrize("late_days", [(), (0,), (5,), (2, 7), (0, 1, 9)])
def test_rows_that_come_late_lead_to_the_same_evidence(registry: Registry, rows: list[PaneRow], late_days: tuple[int, ...]):
    late = [row for row in rows if (row.key.pane_ms - START_MS) // DAY_MS in late_days]
    evaluator, told = Evaluator(registry), []
    for day in range(1, DAYS + 1):
        evaluator.take([row for row in rows if row not in late and row.key.pane_ms < START_MS + day * DAY_MS])
        told += evaluator.judge(moment(day)).evidence
    evaluator.take(late)
    told += evaluator.judge(moment(31)).evidence
    expected = judged_at_once(registry, rows, 31)
    assert newest(told) == newest(expected)
    assert {one.monitor_id for one in expected if one.verdict.value == "breached"} == {one["id"] for one in WATCHED}


def test_a_late_report_judges_its_period_and_the_later_ones_again_at_a_new_revision(registry: Registry, rows: list[PaneRow]):
    late = report("late", 4 * DAY_MS + 23 * HOUR_MS, ingest_time=to_text(START_MS + 5 * DAY_MS + HOUR_MS))
    evaluator = Evaluator(registry)
    evaluator.take(rows)
    before = {one.key: one.revision_number for one in evaluator.judge(moment(6)).evidence}
    evaluator.take(rows_of(registry, [*lines_of(DAYS), late]))
    again = list(evaluator.judge(moment(6)).evidence)
    assert days_of(again, "rise") == [5.0, 5.0, 6.0, 6.0]
    assert all(one.revision_number > before[one.key] for one in again)


def test_what_comes_after_a_period_leaves_its_revision_alone(registry: Registry, rows: list[PaneRow]):
    until_then = {one.key: one.revision for one in judged_at_once(registry, rows_of(registry, lines_of(6)), 6)}
    afterwards = {one.key: one.revision for one in judged_at_once(registry, rows, 6)}
    assert until_then
    assert afterwards == until_then


def test_an_earlier_first_event_makes_the_periods_before_it_due(registry: Registry, rows: list[PaneRow]):
    evaluator = Evaluator(registry)
    evaluator.take([row for row in rows if row.key.pane_ms >= START_MS + 4 * DAY_MS])
    assert days_of(list(evaluator.judge(moment(6)).evidence), "mean") == [5.0, 6.0]
    evaluator.take(rows)
    assert days_of(list(evaluator.judge(moment(6)).evidence), "mean") == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_while_a_partition_is_missing_no_period_is_met_and_each_is_judged_again_when_it_comes_in(
    registry: Registry, rows: list[PaneRow]
):
    evaluator = Evaluator(registry)
    evaluator.take(rows)
    partial = [one for one in evaluator.judge(moment(6, complete_days=3)).evidence if one.partial]
    assert set(days_of(partial, "rise")) == {4.0, 5.0, 6.0}
    assert {one.verdict.value for one in partial} == {"breached", "inconclusive"}
    again = list(evaluator.judge(moment(6)).evidence)
    assert {one.key for one in again} == {one.key for one in partial}
    assert newest(again).items() <= newest(judged_at_once(registry, rows, 6)).items()


def test_after_a_restart_the_periods_that_were_decided_are_not_decided_again():
    """Persistence that reaches back over a hit would open the incident that had resolved once more."""
    persistence = {"k": 1, "of": 3, "clear_after": 1, "cooldown": "PT0S"}
    registry = registry_of(WATCHED[2] | {"persistence": persistence})
    before = Evaluator(registry)
    read = rows_of(registry, lines_of(5))
    before.take(read)
    decisions = before.judge(moment(5)).decisions
    assert [one.line["state"] for one in decisions] == ["open", "resolved"]
    then, digest = moment(5), next(iter(registry.all())).digest
    offsets = {0: max(row.version for row in read)}
    known = Judged(then.watermark_ms, then.partition_ms, then.complete_ms, offsets)
    after = Evaluator(registry, before.incidents(), judged={digest: known})
    after.take(rows_of(registry, lines_of(6)))
    found = after.judge(moment(5.5))
    assert (found.evidence, found.decisions) == ((), ())
    assert days_of(list(after.judge(moment(6)).evidence), "mean") == [6.0]
