"""Delays, clocks and lowest values of `pms replay` against the row-by-row reading of the contract in tests/oracle."""

from __future__ import annotations

import pytest

from tests.oracle import replay, replay_incidents
from tests.oracle.streams import Scenario, generate
from tests.scenario.agreement import incidents_of_oracle, incidents_of_service, status_differences
from tests.scenario.operations import operation_monitors
from tests.scenario.replaying import of_kind, replayed

ON_THE_RIGHT_SIDE_OF_LIMITS = frozenset({"clock.device", "clock.gateway", "buffer", "buffer.fleet"})
"""Their verdicts are exact; those of a censored quantile hang on bounds, which bins move a little."""


@pytest.mark.parametrize(("seed", "below_min"), [(1, "accumulate"), (3, "pool_to_parent"), (4, "accumulate")])
def test_status_is_the_oracles(seed: int, below_min: str) -> None:
    found = generate(seed, inferences=60, hours=25, below_min=below_min, watched=operation_monitors())
    lines = replayed(found.manifests, found.lines, "2026-03-03T04:00:00Z")
    told = {line["monitor_id"] for line in of_kind(lines, "status") if line["reason"] is None}
    assert told >= ON_THE_RIGHT_SIDE_OF_LIMITS, "a scenario without numbers compares nothing"
    oracle = replay(found.manifests, found.lines, "2026-03-03T04:00:00Z")
    assert status_differences(lines, oracle) == []


def test_incidents_are_the_oracles() -> None:
    watched = [one for one in operation_monitors() if one["id"] in ON_THE_RIGHT_SIDE_OF_LIMITS]
    found = generate(2, inferences=60, hours=20, watched=watched)
    scenario = Scenario(found.manifests, found.lines, None)
    ours = incidents_of_service(replayed(scenario.manifests, scenario.lines, scenario.until))
    theirs = incidents_of_oracle(replay_incidents(scenario.manifests, scenario.lines, scenario.until))
    assert {fact[1] for fact in ours} >= {"clock.device", "buffer"}
    assert ours == theirs
