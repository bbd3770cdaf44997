"""`pms replay` against the independent, row-by-row reading of the contract in tests/oracle, on hostile streams.

The streams hold duplicates, late, early, revised and unreadable events, other modes, unknown releases, wrong identities, silent
devices and a revision that comes into force in mid-stream; the manifests hold every built monitor type.
"""

from __future__ import annotations

import pytest

from tests.oracle import replay, replay_incidents
from tests.oracle.streams import CALM, Hostility, Scenario, generate, monitors
from tests.scenario.agreement import incidents_of_oracle, incidents_of_service, status_differences, summary_differences
from tests.scenario.replaying import Line, replayed

pytestmark = pytest.mark.slow  # the oracle reads every row again at every look

IN_WINDOWS = frozenset(
    {"drift.px", "dq.missing", "identity", "schema", "sens", "spec", "ppv", "brier", "oe", "burden", "dup", "labels"}
)
CHARTS_AND_BEATS = frozenset({"cusum.miss", "cusum.false", "npv", "identity.total", "silent"})
"""Judged at every pane or beat, so on short streams only: the oracle folds from the first label at every look."""
ARRIVAL_ONLY = Hostility(**{**vars(CALM), "duplicate": 0.4, "late": 0.2, "delayed": 0.3, "silence": 0.6})


@pytest.mark.parametrize(
    ("seed", "below_min", "trouble"),
    [
        (1, "accumulate", Hostility()),
        (3, "pool_to_parent", Hostility()),
        (8, "accumulate", ARRIVAL_ONLY),
    ],
)
def test_status_and_ledger_are_the_oracles(seed: int, below_min: str, trouble: Hostility) -> None:
    found = generate(seed, inferences=60, hours=25, trouble=trouble, below_min=below_min)
    scenario = Scenario(found.manifests, found.lines, "2026-03-03T04:00:00Z")
    lines = _replayed(scenario)
    oracle = replay(scenario.manifests, scenario.lines, scenario.until)
    assert summary_differences(lines, oracle) == {}
    assert status_differences(lines, oracle) == []


@pytest.mark.parametrize(
    ("seed", "below_min", "kinds", "hours"),
    [
        (5, "pool_to_parent", IN_WINDOWS, 26),
        (2, "accumulate", IN_WINDOWS, 26),
        (6, "accumulate", CHARTS_AND_BEATS, 10),
    ],
)
def test_incidents_are_the_oracles(seed: int, below_min: str, kinds: frozenset[str], hours: int) -> None:
    watched = [one for one in monitors() if one["id"] in kinds]
    found = generate(seed, inferences=60, hours=hours, below_min=below_min, watched=watched)
    scenario = Scenario(found.manifests, found.lines, None)
    ours = incidents_of_service(_replayed(scenario))
    theirs = incidents_of_oracle(replay_incidents(scenario.manifests, scenario.lines, scenario.until))
    assert ours, "a scenario without incidents compares nothing"
    assert ours == theirs


def test_what_arrives_after_until_is_not_read_and_silence_up_to_it_is_seen() -> None:
    scenario = generate(7, inferences=60, hours=12)
    early = Scenario(scenario.manifests, scenario.lines, "2026-03-02T06:00:00Z")
    lines = _replayed(early)
    oracle = replay(early.manifests, early.lines, early.until)
    assert lines[-1]["watermark"] == "2026-03-02T06:00:00Z"
    assert 0 < lines[-1]["events"] < len(scenario.lines)
    assert summary_differences(lines, oracle) == {}
    assert status_differences(lines, oracle) == []


def _replayed(scenario: Scenario) -> list[Line]:
    return replayed(scenario.manifests, scenario.lines, scenario.until)
