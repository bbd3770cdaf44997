"""What no monitor can see is named with its path: hazards, claims, subgroups."""

from __future__ import annotations

import pytest

from surveillance.foresight.forecast import foresee
from surveillance.manifest.parse import parse_manifest
from tests.unit.foresight.field import DIGEST, Document, document, monitor

FLOOR = {"ci_upper_below": 0.85}
WATCHED = monitor("proportion_vs_floor", "month", FLOOR, event="sensitivity")


def spots(described: Document) -> dict[str, str]:
    return {problem.path: problem.message for problem in foresee(parse_manifest(described), DIGEST).blind_spots}


def test_a_field_that_is_seen_everywhere_has_none() -> None:
    assert spots(document([WATCHED], a_day=2000.0)) == {}


def test_a_hazard_that_no_monitor_watches() -> None:
    described = document([WATCHED], a_day=2000.0, hazards=[{"id": "HZ-1"}, {"id": "HZ-2"}])
    assert spots(described) == {"hazards[1]": 'blind spot: no monitor watches hazard "HZ-2"'}


def test_a_hazard_whose_monitors_only_try_themselves() -> None:
    assert "hazards[0]" in spots(document([WATCHED | {"dry_run": True}], a_day=2000.0))


def test_a_hazard_and_a_claim_whose_monitor_would_need_years() -> None:
    use = {"claims": [{"id": "CL-1"}], "claim_coverage": {"CL-1": ["proportion_vs_floor"]}}
    found = spots(document([WATCHED], a_day=20.0, intended_use=use))
    assert set(found) == {"hazards[0]", "intended_use.claims[0]", "surveillance.monitors[0]"}
    assert "proportion_vs_floor" in found["hazards[0]"]


def test_a_claim_that_no_monitor_covers() -> None:
    use = {"claims": [{"id": "CL-1"}]}
    assert set(spots(document([WATCHED], a_day=2000.0, intended_use=use))) == {"intended_use.claims[0]"}


def test_a_subgroup_too_small_to_be_seen_beside_one_that_is_large_enough() -> None:
    references = {"F": {"n": 48_000, "missing": 0.01}, "M": {"n": 2_000, "missing": 0.01}}
    described = document([WATCHED | {"by": ["sex"]}], a_day=800.0)
    described["strata"] = {"axes": [{"id": "sex", "source": "context.sex", "values": ["F", "M"]}]}
    described["baselines"]["features"] = [described["baselines"]["features"][0] | {"strata": {"sex": references}}]
    (message,) = spots(described).values()
    assert "at sex M" in message


def test_below_its_minimum_sample_a_monitor_sees_nothing() -> None:
    found = spots(document([WATCHED | {"min_n": 100_000}], a_day=2000.0))
    assert "never seen" in found["surveillance.monitors[0]"]


@pytest.mark.parametrize("rule", [{"effect": 0.3, "within": "P90D"}, {"effect": 0.1, "within": "P300D"}])
def test_the_stated_harm_and_time_decide(rule: Document) -> None:
    described = document([WATCHED], a_day=120.0)
    assert spots(described)
    described["surveillance"]["coverage_rules"] = {"every_subgroup_metric_detectable": rule}
    assert spots(described) == {}
