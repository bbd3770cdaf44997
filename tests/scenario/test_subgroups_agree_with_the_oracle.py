"""Prevalence, gaps of subgroups and funnels of sites against the independent, row-by-row reading of the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.oracle import replay, replay_incidents
from tests.oracle.streams import HOUR_MS, START_MS, generate
from tests.oracle.times import format_time
from tests.property.deciding import monitor
from tests.scenario.agreement import incidents_of_oracle, incidents_of_service, p_differences, status_differences
from tests.scenario.replaying import of_kind, replayed

pytestmark = pytest.mark.slow  # the oracle reads every row again at every look

Amend = Callable[[dict[str, Any]], None]
PREVALENCE = {"type": "prevalence"}
P = {"investigate": {"p": 0.2}, "pause": {"p": 0.05}}


def exactly(method: str, level: float) -> dict[str, Any]:
    return {"interval": {"method": method, "level": level}}


PREVALENCES = [
    monitor("prev", PREVALENCE, P, window="w6h", by=["site"]),
    monitor("prev.day", PREVALENCE, P | {"investigate": {"ci_lower_above": 0.2}}, window="w1d", by=["vendor"]),
    monitor("prev.mature", PREVALENCE | {"require_mature": True}, P, window="w6h", by=["age"], min_n=10),
    monitor("prev.exact", PREVALENCE, P, window="w6h", **exactly("clopper_pearson", 0.9)),
]
GAP = {"type": "subgroup_gap"}
BELOW = {"investigate": {"ci_upper_below": 0.0}, "pause": {"p": 0.2}}
GAPS = [
    monitor("gap", GAP | {"to": "overall"}, BELOW, window="w6h", by=["site"], min_n=1),
    monitor("gap.spec", GAP | {"event": "specificity"}, BELOW, window="w1d", by=["age"]),
    monitor("gap.npv", GAP | {"event": "npv"}, P, window="w1d", by=["vendor"], min_n=2, **exactly("clopper_pearson", 0.9)),
    monitor("base", GAP | {"to": "baseline"}, P, window="w6h", by=["site"], min_n=1),
    monitor("base.spec", GAP | {"to": "baseline", "event": "specificity"}, P, window="w1d", by=["vendor"]),
    monitor("base.ppv", GAP | {"to": "baseline", "event": "ppv"}, BELOW, window="w6h", by=["site"], min_n=2),
]
FUNNEL = {"type": "site_outlier"}
ALERTS = {"numerator": "alerts", "denominator": "inferences"}
SITES = [
    monitor("sites", FUNNEL, P, window="w1d", by=["ward"], min_n=1),
    monitor("sites.spec", FUNNEL | {"event": "specificity"}, P, window="w6h", by=["ward"], min_n=2),
    monitor("sites.ppv", FUNNEL | {"event": "ppv"}, P, window="w6h", by=["age"], min_n=1),
    monitor("sites.alerts", FUNNEL | ALERTS, P, window="w6h", by=["ward"], min_n=2),
    monitor("sites.burden", FUNNEL | ALERTS | {"denominator": "encounters"}, P, window="w1d", by=["ward"], min_n=2),
]
EVER = [monitor("prev.ever", PREVALENCE, P, window="cumulative", by=["vendor"], min_n=2)]


def validated(document: dict[str, Any]) -> None:
    """Shares known by cases, by an interval, and of one stratum by neither; in March they are lower than in other months."""
    own = {"site": {"site-1": {"value": 0.2, "ci95": [0.15, 0.25]}}, "vendor": {"Alpha": {"value": 0.25}}}
    march = [1.0, 1.0, 0.9, *[1.0] * 9]
    document["baselines"]["metrics"] = [
        {"id": "prevalence", "overall": {"value": 0.3, "n": 500}, "strata": own, "month_factor": march}
    ]


def flagged(document: dict[str, Any]) -> None:
    """Shares known by the cases of their own kind, by the interval of one stratum, and as they are."""
    document["baselines"]["metrics"] = [
        {
            "id": "sensitivity",
            "overall": {"value": 0.8, "ci95": [0.7, 0.9], "n_pos": 200},
            "strata": {"site": {"site-1": {"value": 0.6, "ci95": [0.5, 0.7]}}},
            "month_factor": [1.0, 1.0, 0.9, *[1.0] * 9],
        },
        {"id": "specificity", "overall": {"value": 0.9, "n_neg": 300}},
        {"id": "ppv", "overall": {"value": 0.8}},
    ]


def wards(document: dict[str, Any]) -> None:
    """An axis of ten levels."""
    edges = [0, 10, 20, 35, 45, 50, 70, 78, 100, 300]
    names = [f"ward-{number}" for number in range(9)]
    document["strata"]["axes"].append({"id": "ward", "source": "context.age_years", "bins": edges, "labels": names})


def stated(document: dict[str, Any]) -> None:
    """A prevalence that is no metric."""
    document["baselines"]["prevalence"] = {"value": 0.25, "ci95": [0.22, 0.28]}


def some_unverified(line: bytes) -> bytes:
    """The line; what became of the cases of one device is known by chance only."""
    try:
        event: Any = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict) or event.get("schema") != "pms.outcome" or event.get("device_id") != "dev-4":
        return line
    return json.dumps(event | {"verification": "incidental"}).encode()


def agree(watched: list[dict[str, Any]], seed: int, below_min: str, amend: Amend, hours: int = 20) -> set[str | None]:
    """The reasons of the service's status lines, once all that it says is known to be what the oracle says."""
    found = generate(seed, inferences=8 * hours, hours=hours, below_min=below_min, watched=watched, amend=amend)
    until = format_time(START_MS + (hours + 8) * HOUR_MS)
    lines = [some_unverified(line) for line in found.lines]
    ours, oracle = replayed(found.manifests, lines, until), replay(found.manifests, lines, until)
    assert status_differences(ours, oracle) == []
    assert p_differences(ours, oracle) == []
    status = of_kind(ours, "status")
    told = {line["monitor_id"] for line in status if "value" in line["estimate"] or line.get("last_conclusive")}
    assert told == {one["id"] for one in watched}, "what says nothing compares nothing"
    incidents = incidents_of_service(ours)
    assert incidents
    assert incidents == incidents_of_oracle(replay_incidents(found.manifests, lines, until))
    return {line["reason"] for line in status}


@pytest.mark.parametrize(("seed", "below_min", "amend"), [(3, "accumulate", validated), (2, "pool_to_parent", stated)])
def test_prevalence_is_the_oracles(seed: int, below_min: str, amend: Amend) -> None:
    reasons = agree(PREVALENCES, seed, below_min, amend)
    assert {"below_minimum_n", "verification_bias"} <= reasons


@pytest.mark.parametrize(("seed", "below_min"), [(6, "accumulate"), (2, "pool_to_parent")])
def test_gaps_are_the_oracles(seed: int, below_min: str) -> None:
    reasons = agree(GAPS, seed, below_min, flagged)
    assert {"below_minimum_n", "verification_bias"} <= reasons


def test_funnels_are_the_oracles() -> None:
    assert "below_minimum_n" in agree(SITES, 2, "pool_to_parent", wards)


def test_what_is_told_since_the_first_event_is_the_oracles() -> None:
    agree(EVER, 1, "pool_to_parent", validated, hours=5)
