"""Run rules on points of charts and on events per use against the row-by-row reading of the contract in tests/oracle."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import replay, replay_incidents
from tests.oracle.run_rules import PATTERNS
from tests.oracle.streams import START_MS, generate, manifest
from tests.oracle.times import DAY_MS, format_time
from tests.property.deciding import monitor
from tests.scenario.agreement import incidents_of_oracle, incidents_of_service, status_differences
from tests.scenario.replaying import of_kind, replayed
from tests.scenario.test_safety_agrees_with_the_oracle import HOUR_MS, stream

pytestmark = pytest.mark.slow  # the oracle reads every row again at every look

HIT = {"investigate": {"hit": True}}
UNTIL = "2026-03-03T06:00:00Z"


def rule(name: str, number: int, period: str, **more: Any) -> dict[str, Any]:
    by = {"by": more.pop("by")} if "by" in more else {}
    return monitor(name, {"type": "run_rule", "rule": number, "period": period} | more, HIT, **by)


PX, SCORE = {"of": "feature_mean", "feature": "px"}, {"of": "score_mean", "mean": 0.285, "sd": 0.05}
SHARE = {"of": "rate", "numerator": "alerts", "denominator": "inferences", "mean": 0.25, "sd": 0.12}
OF_CHARTS = [
    rule("far", 1, "PT1H", **SCORE, by=["site"]),
    rule("side", 2, "PT30M", **PX),
    rule("rise", 3, "PT1H", **PX),
    rule("saw", 4, "PT1H", of="score_mean"),
    rule("two", 5, "PT1H", **SHARE),
    rule("four", 6, "PT2H", **SCORE, by=["site", "vendor"]),
    rule("calm", 7, "PT30M", **SCORE | {"sd": 0.5}),
    rule("wild", 8, "PT30M", **SCORE | {"sd": 0.01}),
    rule("baseline", 6, "PT1H", of="rate", numerator="alerts", denominator="encounters", by=["site"]),
    rule("unknown", 1, "PT1H", of="score_mean", by=["site"]),
]


@pytest.mark.parametrize(("seed", "inferences"), [(1, 150), (3, 220)])
def test_rules_on_points_of_charts_are_the_oracles(seed: int, inferences: int) -> None:
    assert {one["metric"]["rule"] for one in OF_CHARTS} == set(PATTERNS)
    found = generate(seed, inferences=inferences, hours=27, watched=OF_CHARTS)
    lines = replayed(found.manifests, found.lines, UNTIL)
    assert status_differences(lines, replay(found.manifests, found.lines, UNTIL)) == []
    ours = incidents_of_service(lines)
    assert len({fact[1] for fact in ours}) > 2
    assert ours == incidents_of_oracle(replay_incidents(found.manifests, found.lines, UNTIL))
    assert of_kind(lines, "trigger") == []


PER_USE = [
    rule("rise", 3, "PT2H"),
    rule("far", 1, "PT1H", mean=0.1, sd=0.1, by=["site"]),
    rule("serious", 5, "PT3H", counts="serious", uses="alerts", mean=0.1, sd=0.2),
    rule("harmless", 2, "PT1H", counts="nonserious", mean=0.3, sd=0.2),
    rule("none", 1, "P1D", filter={"country": "XX"}, mean=0.5, sd=0.1),
    rule("monthly", 3, "month"),
]


@pytest.mark.parametrize(("seed", "days"), [(1, 1), (2, 1), (3, 100)])
def test_rules_on_events_per_use_are_the_oracles(seed: int, days: int) -> None:
    watched = PER_USE if days == 1 else [rule("rise", 3, "P10D"), rule("months", 1, "month", mean=0.1, sd=0.01, by=["site"])]
    documents = [manifest("rm-a", 1, "rel-a", watched=watched) | {"regulatory": {"time_zone": "Europe/Berlin"}}]
    lines, until = stream(seed, days * DAY_MS, 200, 40, 2 * HOUR_MS), format_time(START_MS + days * DAY_MS)
    ours, theirs = replayed(documents, lines, until), replay(documents, lines, until)
    assert len(of_kind(ours, "status")) >= 3
    assert status_differences(ours, theirs) == []
    assert incidents_of_service(ours) == incidents_of_oracle(replay_incidents(documents, lines, until))


def test_each_point_stands_against_the_season_of_its_own_month() -> None:
    """Half of all cases are alerts. What is expected falls in May, so that May alone is far above it."""
    watched = [rule("share", 5, "month", of="rate", numerator="alerts", denominator="inferences")]
    document = manifest("rm-a", 1, "rel-a", watched=watched)
    document["baselines"]["operational"]["alerts_per_100_inferences"] = {"value": 50}
    season = [*[1.0] * 4, 0.5, *[1.0] * 7]
    document["baselines"]["metrics"] = [{"id": "alerts_per_100_inferences", "overall": {"value": 0.5}, "month_factor": season}]
    lines, until = stream(1, 95 * DAY_MS, 400, 1, HOUR_MS), format_time(START_MS + 95 * DAY_MS)
    ours, theirs = replayed([document], lines, until), replay([document], lines, until)
    assert [line["verdict"] for line in of_kind(ours, "status")] == ["met"]
    assert status_differences(ours, theirs) == []
