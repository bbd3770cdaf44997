"""Calibration monitors against the independent, row-by-row reading of the contract, on a hostile stream."""

from __future__ import annotations

import pytest

from tests.oracle import replay
from tests.oracle.streams import Hostility, Scenario, generate
from tests.property.deciding import monitor
from tests.scenario.agreement import status_differences, summary_differences
from tests.scenario.replaying import of_kind, replayed

pytestmark = pytest.mark.slow  # the oracle reads every row again at every look

Z = {"type": "spiegelhalter"}
MONITORS = [
    monitor("z", Z, {"investigate": {"p": 0.05}}, window="w6h", by=["site"]),
    monitor("z.day", Z, {"investigate": {"ci_lower_above": 0.0}, "pause": {"p": 0.001}}, window="w1d", by=["vendor"]),
    monitor("intercept", {"type": "calibration_intercept"}, {"investigate": {"outside": [-0.2, 0.2]}}, window="w1d", by=["site"]),
]


@pytest.mark.parametrize(("seed", "below_min"), [(1, "accumulate"), (3, "pool_to_parent")])
def test_status_lines_are_the_oracles(seed: int, below_min: str) -> None:
    found = generate(seed, inferences=150, hours=20, trouble=Hostility(), below_min=below_min, watched=MONITORS)
    scenario = Scenario(found.manifests, found.lines, "2026-03-03T04:00:00Z")
    lines = replayed(scenario.manifests, scenario.lines, scenario.until)
    oracle = replay(scenario.manifests, scenario.lines, scenario.until)
    assert summary_differences(lines, oracle) == {}
    assert status_differences(lines, oracle) == []
    told = {line["monitor_id"] for line in of_kind(lines, "status") if "value" in line["estimate"] or line.get("last_conclusive")}
    assert told == {one["id"] for one in MONITORS}, "what says nothing compares nothing"
