"""Calibration error, e-values of calibration and what incomplete labels are corrected for, against the oracle's rows.

Scores are multiples of .05, each of which has a score bin of its own, so that the service's bins are no approximation.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.oracle import replay, replay_incidents
from tests.oracle.streams import Scenario, generate
from tests.property.deciding import monitor
from tests.scenario.agreement import incidents_of_oracle, incidents_of_service, p_differences, status_differences
from tests.scenario.replaying import Line, of_kind, replayed

pytestmark = pytest.mark.slow  # the oracle reads every row again at every look

OF_BINS = 0.1
"""Relative: bets on calibration tilt by the logit of the bin's middle (READINGS, R93), the oracle's by that of the score."""
UNTIL = "2026-03-03T04:00:00Z"
ERROR, Z = {"type": "calibration_error"}, {"type": "spiegelhalter"}
CORRECTED = {"verification_correction": "begg_greenes"}
HARM = {"investigate": {"p": 0.2}}
PLAIN = [
    monitor("error", ERROR, {"investigate": {"p": 0.1}, "pause": {"e": 1.5}}, window="w6h", by=["site"]),
    monitor("error.day", ERROR, HARM, window="w1d", by=["vendor"]),
    monitor("error.ever", ERROR, {"investigate": {"e": 2}}, window="cumulative"),
    monitor("z.e", Z, {"investigate": {"e": 2}, "pause": {"p": 0.01}}, window="w6h"),
    monitor("brier.p", {"type": "brier"}, HARM, window="w6h", by=["site"]),
    monitor("auroc.p", {"type": "auroc"}, HARM, window="w1d", by=["vendor"]),
]
WEIGHTED = [
    monitor("error", ERROR | CORRECTED, {"investigate": {"p": 0.1}, "pause": {"e": 2}}, window="w6h", by=["site"]),
    monitor("z", Z | CORRECTED, {"investigate": {"p": 0.1}}, window="w6h", by=["site"]),
    monitor("oe", {"type": "observed_expected"} | CORRECTED, {"investigate": {"outside": [0.9, 1.1]}}, window="w1d", by=["site"]),
    monitor("steep", {"type": "calibration_slope"} | CORRECTED, {"investigate": {"outside": [0.9, 1.1]}}, window="w1d"),
    monitor("start", {"type": "calibration_intercept"} | CORRECTED, {"investigate": {"outside": [-0.2, 0.2]}}, window="w6h"),
    monitor("brier.w", {"type": "brier"} | CORRECTED, HARM, window="w6h", by=["site"]),
    monitor("auroc.w", {"type": "auroc"} | CORRECTED, HARM, window="w1d", by=["vendor"]),
]


def validated(document: dict[str, Any]) -> None:
    """One number with the interval it was validated with, one taken as exact."""
    document["baselines"]["metrics"] = [
        {"id": "auroc", "overall": {"value": 0.8, "ci95": [0.76, 0.83]}},
        {"id": "brier", "overall": {"value": 0.14}},
    ]


def on_the_grid(line: bytes) -> bytes:
    """The line with its score moved to the nearest of .05, .10, .. .95."""
    try:
        event: Any = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or not isinstance(event.get("score"), float) or not 0 <= event["score"] <= 1:
        return line
    return json.dumps(event | {"score": min(0.95, max(0.05, round(event["score"] * 20) / 20))}).encode()


def both(watched: list[dict[str, Any]], seed: int, below_min: str) -> tuple[Scenario, list[Line]]:
    """What is sent, and what the service says of it."""
    found = generate(seed, inferences=200, hours=20, below_min=below_min, watched=watched, amend=validated)
    scenario = Scenario(found.manifests, [on_the_grid(line) for line in found.lines], UNTIL)
    return scenario, replayed(scenario.manifests, scenario.lines, scenario.until)


@pytest.mark.parametrize("watched", [PLAIN, WEIGHTED], ids=["plain", "weighted"])
def test_status_is_the_oracles(watched: list[dict[str, Any]]) -> None:
    scenario, ours = both(watched, 1, "accumulate")
    oracle = replay(scenario.manifests, scenario.lines, scenario.until)
    assert status_differences(ours, oracle) == []
    assert p_differences(ours, oracle, e_within=OF_BINS) == []
    told = {line["monitor_id"] for line in of_kind(ours, "status") if "value" in line["estimate"] or line.get("last_conclusive")}
    assert told == {one["id"] for one in watched}, "what says nothing compares nothing"


@pytest.mark.parametrize(("watched", "seed"), [(PLAIN, 2), (WEIGHTED, 3)], ids=["plain", "weighted"])
def test_incidents_are_the_oracles(watched: list[dict[str, Any]], seed: int) -> None:
    scenario, ours = both(watched, seed, "pool_to_parent")
    oracle = replay(scenario.manifests, scenario.lines, scenario.until)
    assert status_differences(ours, oracle) == []
    assert p_differences(ours, oracle, e_within=OF_BINS) == []
    incidents = incidents_of_service(ours)
    assert incidents
    assert incidents == incidents_of_oracle(replay_incidents(scenario.manifests, scenario.lines, scenario.until))
