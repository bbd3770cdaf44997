"""Volume against hour-of-week expectation against the independent, row-by-row reading of the contract, on a hostile stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.oracle import replay, replay_incidents
from tests.oracle.streams import generate
from tests.property.deciding import monitor
from tests.scenario.agreement import incidents_of_oracle, incidents_of_service, p_differences, status_differences
from tests.scenario.replaying import of_kind, replayed

pytestmark = pytest.mark.slow  # the oracle reads every row again at every look

Document = dict[str, Any]
VOLUME = {"type": "volume_vs_expected"}
UNTIL = "2026-03-03T06:00:00Z"
OVERALL = [
    monitor("both", VOLUME, {"investigate": {"p": 0.2}, "pause": {"p": 0.01}}, window="w1h"),
    monitor("few", VOLUME | {"tail": "lower"}, {"investigate": {"p": 0.2}}, window="w6h"),
    monitor("many", VOLUME | {"tail": "upper", "dispersion": 1.0}, {"investigate": {"p": 0.2}}, window="w1d"),
    monitor("ever", VOLUME, {"investigate": {"p": 0.1}}, window="cumulative"),
    monitor("needs", VOLUME, {"investigate": {"p": 0.1}}, window="w1h", min_n=2),
    monitor("no.key", VOLUME, {"investigate": {"p": 0.1}}, window="w6h", by=["site"]),
]
BY_SITE = [
    monitor("site", VOLUME, {"investigate": {"p": 0.2}}, window="w1h", by=["site"]),
    monitor("site.wide", VOLUME | {"tail": "lower"}, {"investigate": {"p": 0.3}}, window="w6h", by=["site"]),
    monitor("vendor", VOLUME, {"investigate": {"p": 0.2}}, window="w6h", by=["vendor"]),
    monitor("overall", VOLUME, {"investigate": {"p": 0.2}}, window="w6h"),
]


def week(a_day: float) -> list[float]:
    """No two hours alike, and one of each night in which nothing is expected."""
    return [0.0 if hour % 24 == 3 else round(a_day / 24 * (0.5 + hour % 24 / 24) * (1 + hour / 500), 3) for hour in range(168)]


def of_the_fleet(document: Document) -> None:
    """March has a factor of its own."""
    months = [1.0, 1.0, 0.8, *[1.0] * 9]
    volume = {"per": "overall", "hour_of_week": {"all": week(60)}, "month_factor": months, "dispersion": 1.6}
    document["baselines"]["operational"]["expected_volume"] = volume


def of_two_sites(document: Document) -> None:
    """Of the others nothing is known."""
    volume = {"per": "site", "hour_of_week": {"site-1": week(20), "site-2": week(35)}}
    document["baselines"]["operational"]["expected_volume"] = volume


@pytest.mark.parametrize(
    ("seed", "amend", "watched", "below_min"),
    [
        (1, of_the_fleet, OVERALL, "accumulate"),
        (2, of_the_fleet, OVERALL, "pool_to_parent"),
        (1, of_two_sites, BY_SITE, "accumulate"),
        (3, of_two_sites, BY_SITE, "pool_to_parent"),
    ],
)
def test_status_and_incidents_of_volume_are_the_oracles(
    seed: int, amend: Callable[[Document], None], watched: list[Document], below_min: str
) -> None:
    found = generate(seed, inferences=70, hours=27, below_min=below_min, watched=watched, amend=amend)
    lines, oracle = replayed(found.manifests, found.lines, UNTIL), replay(found.manifests, found.lines, UNTIL)
    assert status_differences(lines, oracle) == []
    assert p_differences(lines, oracle) == []
    assert {line["verdict"] for line in of_kind(lines, "status")} >= {"met", "inconclusive"}
    assert "unknown_reference" in {line["reason"] for line in of_kind(lines, "status")}
    ours = incidents_of_service(lines)
    assert len(ours) > 3
    assert ours == incidents_of_oracle(replay_incidents(found.manifests, found.lines, UNTIL))
