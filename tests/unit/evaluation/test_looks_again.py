"""Looks that were taken stand: what was decided before a restart is not decided again because later rows have come."""

from __future__ import annotations

from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator, Judged, Judgement
from surveillance.panes.rows import PaneRow
from surveillance.registry import Registry
from surveillance.times import HOUR_MS, MINUTE_MS, to_text
from tests.oracle.streams import START_MS
from tests.property.deciding import event, inference, monitor, outcome
from tests.unit.evaluation.test_folding_again import rows_of

HOURS, THEN_H, LATE_H = 12, 8, 10
BEAT = {"uptime_s": 1, "inferences_since_last": 1, "errors_since_last": 0}
LONG = {"persistence": {"k": 1, "of": 200, "clear_after": 1, "cooldown": "PT0S"}}
"""Persistence that reaches back over the harm of the first hours, which would be decided a second time."""
MISS = {"type": "bernoulli_cusum", "event": "miss", "p0": 0.4, "p1": 0.8}
WATCHED = [
    monitor("chart", MISS, {"investigate": {"h": 2.0}}, window="per_label", **LONG),
    monitor("ever", {"type": "rate", "numerator": "abstained", "denominator": "inferences"},
            {"investigate": {"ci_lower_above": 0.5}}, window="cumulative", **LONG),
    monitor("labels", {"type": "label_arrivals_vs_expected"}, {"investigate": {"p": 0.01}}, window="w1h", **LONG),
    monitor("silent", {"type": "heartbeat_gap"}, {"investigate": {"missed": 3}}, by=["device"], **LONG),
    monitor("full", {"type": "min_value", "field": "buffer_depth"}, {"investigate": {"below": 3}}, **LONG),
]  # fmt: skip


def lines_of(hours: float) -> list[bytes]:
    """All goes wrong in the first two hours, and nothing does after them; an inference of the first is told of in the tenth."""
    late = inference("late", MINUTE_MS, 0.8, ingest_time=to_text(START_MS + LATE_H * HOUR_MS))
    lines = []
    for minute in range(0, int(60 * hours), 5):
        at_ms, harm = minute * MINUTE_MS, minute < 120
        if not 30 <= minute < 75:
            lines.append(event("heartbeat", minute, at_ms, releases=[], **BEAT | {"buffer_depth": 1 if harm else 9}))
        lines.append(inference(minute, at_ms + 1, 0.2 if harm else 0.8, abstained=harm))
        lines.append(outcome(minute, 1, at_ms + 2))
        lines += [late] if minute == 60 * LATE_H else []
    return lines


def moment(hours: float) -> Moment:
    now_ms = START_MS + round(hours * HOUR_MS)
    return Moment(now_ms, now_ms, now_ms, final=True)


def decided(judgement: Judgement) -> list[tuple[str, str]]:
    return sorted((one.line["monitor_id"], one.line["state"]) for one in judgement.decisions)


def test_a_restart_decides_on_no_look_that_was_taken(registry: Registry, rows: list[PaneRow]) -> None:
    going_on, read, then = Evaluator(registry), rows_of(registry, lines_of(THEN_H)), moment(THEN_H)
    going_on.take(read)
    told = [one for hours in (1, 2, THEN_H) for one in decided(going_on.judge(moment(hours)))]
    assert set(told) == {(one["id"], state) for one in WATCHED for state in ("open", "resolved")}
    known = Judged(then.watermark_ms, then.partition_ms, then.complete_ms, {0: max(row.version for row in read)})
    after = Evaluator(registry, going_on.incidents(), judged={next(iter(registry.all())).digest: known})
    for evaluator in (going_on, after):
        evaluator.take(rows)
    for hours in (THEN_H, HOURS):
        assert decided(after.judge(moment(hours))) == decided(going_on.judge(moment(hours))) == []


def test_rows_that_turn_the_newest_look_are_decided_on_after_a_restart(registry: Registry) -> None:
    read, then = rows_of(registry, lines_of(THEN_H)), moment(THEN_H)
    flood = [inference(f"f{n}", THEN_H * HOUR_MS - 10 * MINUTE_MS, abstained=True) for n in range(300)]
    going_on = Evaluator(registry)
    going_on.take(read)
    going_on.judge(then)
    known = Judged(then.watermark_ms, then.partition_ms, then.complete_ms, {0: max(row.version for row in read)})
    after = Evaluator(registry, going_on.incidents(), judged={next(iter(registry.all())).digest: known})
    both = []
    for evaluator in (going_on, after):
        evaluator.take(rows_of(registry, [*lines_of(THEN_H), *flood]))
        both.append(decided(evaluator.judge(then)))
    assert ("ever", "open") in both[0]
    assert both[0] == both[1]
