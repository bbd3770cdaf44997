"""Monitors that read earlier windows: in whatever order rows come, they end where one ends that had them all at once."""

from __future__ import annotations

import numpy as np
import pytest

from streams.replay import Replay
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator
from surveillance.panes.rows import PaneRow
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.times import HOUR_MS, to_text
from tests.oracle.streams import START_MS
from tests.property.deciding import inference, monitor, release

HOURS = 9
CHART = {"of": "feature_mean", "feature": "px"}
WATCHED = [
    monitor("hour", {"type": "cusum"} | CHART, {"investigate": {"h": 2}}, window="w1h", by=["site"]),
    monitor("sliding", {"type": "cusum", "tail": "upper"} | CHART, {"investigate": {"h": 2}}, window="w6h"),
    monitor("smooth", {"type": "ewma"} | CHART, {"investigate": {"h": 0.5}}, window="w1h", min_n=4),
    monitor("rate", {"type": "cusum", "of": "rate", "numerator": "alerts", "denominator": "encounters"},
            {"investigate": {"h": 2}}, window="w1h"),
    monitor("same", {"type": "variance_ratio", "feature": "px"}, {"pause": {"identical_windows": 3}}, window="w1h", by=["site"]),
]  # fmt: skip


def lines_of(hours: range) -> list[bytes]:
    """Two sites, one frozen; hour 4 is empty."""
    rng = np.random.default_rng(7)
    drawn = rng.normal(0.3, 1.0, (HOURS, 8)).round(6)
    found = []
    for hour in hours:
        for at in range(8 if hour != 4 else 0):
            for site, px in (("a", [-2.0, -0.5, 0.0, 0.5, 2.0][at % 5]), ("b", float(drawn[hour, at]))):
                at_ms = hour * HOUR_MS + at * 400_000 + (site == "b")
                score = 0.2 + 0.1 * (at % 5)
                found.append(inference(f"{site}{hour}-{at}", at_ms, score, site_id=site, features={"px": px}))
    return found


def rows_of(registry: Registry, lines: list[bytes]) -> list[PaneRow]:
    """Every row that these lines leave in the store."""
    store = MemoryStore()
    list(Replay(registry, store).run(lines))
    return sorted(store.read_panes("replay"), key=lambda row: (row.key.pane_ms, row.version, row.key))


@pytest.fixture(scope="module")
def stream() -> tuple[Registry, list[PaneRow]]:
    registry = Registry([registration_of(release(*WATCHED), "test")])
    return registry, rows_of(registry, lines_of(range(HOURS)))


def moment(hour: int, *, final: bool = False) -> Moment:
    now_ms = START_MS + hour * HOUR_MS
    return Moment(now_ms, now_ms, now_ms, final=final)


def newest(told: list[Evidence]) -> dict[str, str]:
    return {one.key: one.body() for one in told}


def at_once(registry: Registry, rows: list[PaneRow]) -> dict[str, str]:
    evaluator = Evaluator(registry)
    evaluator.take(rows)
    return newest(list(evaluator.judge(moment(HOURS, final=True)).evidence))


@pytest.mark.parametrize("late_hours", [(), (0,), (2,), (3, 6), (0, 1, 5)])
def test_rows_that_come_late_lead_to_the_same_evidence(stream, late_hours):
    registry, rows = stream
    late = [
        row for row in rows if (row.key.pane_ms - START_MS) // HOUR_MS in late_hours and not row.key.statistic.startswith("span")
    ]
    evaluator, told = Evaluator(registry), []
    waiting = [row for row in rows if row not in late]
    for hour in range(1, HOURS + 1):
        evaluator.take([row for row in waiting if row.key.pane_ms < START_MS + hour * HOUR_MS])
        told += evaluator.judge(moment(hour)).evidence
        if hour == 7:
            evaluator.take(late)
    told += evaluator.judge(moment(HOURS, final=True)).evidence
    found, expected = newest(told), at_once(registry, rows)
    assert {key: found[key] for key in expected} == expected
    judged = {one.monitor_id for one in told if one.verdict.value != "inconclusive"}
    assert judged == {one["id"] for one in WATCHED}


def test_late_events_give_other_revisions_wherever_they_give_other_evidence(stream):
    registry, rows = stream
    late = inference("late", 3 * HOUR_MS + 7, site_id="a", features={"px": 3.0}, ingest_time=to_text(START_MS + HOURS * HOUR_MS))
    revised = rows_of(registry, [*lines_of(range(HOURS)), late])
    evaluator = Evaluator(registry)
    evaluator.take(rows)
    before = {(one.key, one.revision_number): one.body() for one in evaluator.judge(moment(HOURS)).evidence}
    evaluator.take(revised)
    again = evaluator.judge(moment(HOURS, final=True)).evidence
    after = {(one.key, one.revision_number): one.body() for one in again}
    assert all(before[key] == after[key] for key in before.keys() & after.keys())
    expected = at_once(registry, revised)
    told = {key: body for (key, _), body in before.items()} | newest(list(again))
    assert {key: told[key] for key in expected} == expected
    reissued = [one.end_ms for one in again if one.monitor_id == "hour" and dict(one.scope) == {"site": "a"}]
    assert reissued == [START_MS + hour * HOUR_MS for hour in (4, 6, 7, 8, 9)], "every end from the revised window on"
