"""Monitors on inputs against the independent, row-by-row reading of the contract, on a hostile stream."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import replay, replay_incidents, streams
from tests.oracle.streams import Hostility, Scenario, generate
from tests.property.deciding import monitor
from tests.scenario.agreement import (
    incidents_of_oracle,
    incidents_of_service,
    p_differences,
    status_differences,
    summary_differences,
)
from tests.scenario.replaying import of_kind, replayed

pytestmark = pytest.mark.slow  # the oracle reads every row again at every look

UNTIL = "2026-03-03T04:00:00Z"


def watched(name: str, metric: dict[str, Any], window: str, limits: dict[str, Any], **more: Any) -> dict[str, Any]:
    return monitor(name, metric, limits, window=window, **more)


def px(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "feature": "px"} | more


LOW = {"investigate": {"p": 0.01, "effect_min": 0.02}, "pause": {"e": 3}}
CHART = {"of": "feature_mean", "feature": "px"}
MONITORS = [
    watched("js", px("js"), "w6h", LOW, by=["site"]),
    watched("ks", px("ks"), "w6h", LOW, by=["vendor"]),
    watched("tv", {"type": "tv", "feature": "view"}, "w1d", LOW, by=["age"]),
    watched("wasserstein", px("wasserstein"), "w6h", LOW),
    watched("e", {"type": "psi", "feature": "*", "concentration": 3}, "w6h", {"investigate": {"e": 0.5}}, by=["vendor"]),
    watched("absent", {"type": "absent_rate", "feature": "*"}, "w6h", {"investigate": {"abs": 0.05}}, by=["site"]),
    watched("range", px("out_of_range_rate"), "w6h", {"investigate": {"abs": 0.01}}),
    watched("variance", px("variance_ratio", tail="both"), "w6h", {"investigate": {"p": 0.05}, "pause": {"identical_windows": 2}},
            by=["site"], min_n=2),
    watched("same", px("variance_ratio"), "w1h", {"investigate": {"identical_windows": 2}}, by=["vendor"], min_n=2),
    watched("cusum", {"type": "cusum"} | CHART, "w1h", {"investigate": {"h": 1}}, by=["site"]),
    watched("wide", {"type": "cusum", "dispersion": 2.0, "tail": "lower"} | CHART, "w6h", {"investigate": {"h": 2}}),
    watched("ewma", {"type": "ewma", "of": "score_mean", "mean": 0.25, "sd": 0.1}, "w1h", {"investigate": {"h": 0.5}}, min_n=2),
    watched("rate", {"type": "cusum", "of": "rate", "numerator": "alerts", "denominator": "encounters"}, "w6h",
            {"investigate": {"h": 2}}, by=["site"]),
    watched("mix", {"type": "mix_shift", "axis": "vendor"}, "w6h", {"investigate": {"p": 0.01}, "pause": {"e": 20}}, by=["site"]),
    watched("ood", {"type": "ood_share", "threshold": 0.8}, "w6h", {"investigate": {"ci_lower_above": 0.1}}, by=["site"]),
]  # fmt: skip


@pytest.fixture(scope="module", params=[(1, "accumulate"), (3, "pool_to_parent")])
def scenario(request: pytest.FixtureRequest) -> Scenario:
    seed, below_min = request.param
    baselines = streams._baselines
    with pytest.MonkeyPatch.context() as patch:
        mix = {
            "name": "vendor",
            "kind": "categorical",
            "n": 20000,
            "missing": 0.1,
            "absent": 0.1,
            "probs": {"Alpha": 0.5, "Beta": 0.5},
        }

        def with_mix() -> dict[str, Any]:
            found = baselines()
            return found | {"features": [*found["features"], mix]}

        patch.setattr(streams, "_baselines", with_mix)
        found = generate(seed, inferences=70, hours=20, trouble=Hostility(), below_min=below_min, watched=MONITORS)
    return Scenario(found.manifests, found.lines, UNTIL)


def test_status_lines_and_incidents_are_the_oracles(scenario: Scenario) -> None:
    lines = replayed(scenario.manifests, scenario.lines, scenario.until)
    oracle = replay(scenario.manifests, scenario.lines, scenario.until)
    assert summary_differences(lines, oracle) == {}
    assert status_differences(lines, oracle) == []
    assert p_differences(lines, oracle) == []
    status = of_kind(lines, "status")
    judged = {line["monitor_id"] for line in status if line["verdict"] != "inconclusive" or line.get("last_conclusive")}
    assert judged >= {one["id"] for one in MONITORS} - {"ood", "absent", "range"}, "what says nothing compares nothing"
    ours = incidents_of_service(lines)
    assert len(ours) > 5
    assert ours == incidents_of_oracle(replay_incidents(scenario.manifests, scenario.lines, scenario.until))
