"""Charts of labels judged as the live service does it: on rows that come later, and again after a restart."""

from __future__ import annotations

from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator
from surveillance.panes.rows import PaneRow
from surveillance.registry import Registry
from surveillance.times import HOUR_MS, MINUTE_MS
from tests.oracle.streams import START_MS
from tests.property.deciding import inference, monitor, outcome
from tests.unit.evaluation.test_events_again import restarted
from tests.unit.evaluation.test_folding_again import rows_of

HOURS = 12
WATCHED = [
    monitor(
        "misses",
        {"type": "bernoulli_cusum", "event": "miss", "p0": 0.1, "p1": 0.3},
        {"investigate": {"h": 1.5}},
        window="per_label",
    )
]


def lines_of(hours: float) -> list[bytes]:
    """An inference every ten minutes, its label an hour later; those of the third hour are missed positives."""
    found = []
    for n in range(6 * HOURS):
        at_ms = n * 10 * MINUTE_MS
        missed = 3 <= at_ms / HOUR_MS < 4
        found.append((at_ms, inference(n, at_ms, 0.1 if missed else 0.9)))
        found.append((at_ms + HOUR_MS, outcome(n, 1, at_ms + HOUR_MS, of=n)))
    return [line for at_ms, line in sorted(found) if at_ms < hours * HOUR_MS]


def moment(hours: float) -> Moment:
    now_ms = START_MS + round(hours * HOUR_MS)
    return Moment(now_ms, now_ms, now_ms)


def test_after_a_restart_the_panes_that_were_decided_are_not_decided_again(registry: Registry, rows: list[PaneRow]) -> None:
    before, read, then = Evaluator(registry), rows_of(registry, lines_of(8)), moment(8)
    before.take(read)
    decided = before.judge(then)
    assert [one.line["state"] for one in decided.decisions][:1] == ["open"], "the chart signals"
    after = restarted(registry, before, read, then)
    after.take(rows)
    assert (after.judge(then).evidence, after.judge(then).decisions) == ((), ())
    fresh = after.judge(moment(HOURS)).evidence
    assert fresh
    assert all(one.end_ms > then.watermark_ms for one in fresh)


def test_labels_of_later_panes_leave_the_revision_of_a_pane_alone(registry: Registry, rows: list[PaneRow]) -> None:
    told = []
    for read in (rows_of(registry, lines_of(8)), rows):
        evaluator = Evaluator(registry)
        evaluator.take(read)
        told.append({one.key: one.revision for one in evaluator.judge(moment(7)).evidence})
    assert told[0]
    assert told[0] == told[1]
