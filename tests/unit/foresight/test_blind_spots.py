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
    assert spots(described) == {"hazards[1]": 'blind spot: no monitor has hazard_id "HZ-2"'}


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
    found = spots(described)
    assert set(found) == {"strata.axes[0]", "surveillance.monitors[0]"}
    assert "at sex M" in found["surveillance.monitors[0]"]
    assert 'level "M" of axis "sex"' in found["strata.axes[0]"]


SEX = {"axes": [{"id": "sex", "source": "context.sex", "values": ["F", "M"]}]}
TWO_AXES = {"axes": [*SEX["axes"], {"id": "site", "source": "site_id"}]}


def test_an_axis_along_which_no_monitor_looks() -> None:
    described = document([WATCHED, WATCHED | {"id": "trial", "by": ["sex"], "dry_run": True}], a_day=2000.0)
    described["strata"] = SEX
    found = spots(described)
    assert set(found) == {"strata.axes[0]"}
    assert 'no monitor has axis "sex" in `by`' in found["strata.axes[0]"]


def test_an_axis_whose_levels_the_manifest_does_not_name_is_one_of_them() -> None:
    described = document([WATCHED], a_day=2000.0)
    described["strata"] = {"axes": [{"id": "vendor", "source": "device_context.vendor"}]}
    assert set(spots(described)) == {"strata.axes[0]"}


def test_levels_are_seen_where_a_monitor_looks_at_them_with_another_axis() -> None:
    described = document([WATCHED | {"by": ["sex*site"]}], a_day=8000.0, sites=2)
    described["strata"] = TWO_AXES
    assert spots(described) == {}


def test_a_level_that_one_monitor_sees_is_seen() -> None:
    slow = WATCHED | {"id": "slow", "by": ["sex"], "min_n": 100_000}
    described = document([WATCHED | {"by": ["sex"]}, slow], a_day=2000.0)
    described["strata"] = SEX
    assert set(spots(described)) == {"surveillance.monitors[1]"}


def test_a_type_of_which_nothing_is_foretold_leaves_no_level_blind() -> None:
    waits = monitor("quantile", "day", {"above": 900.0}, q=0.95, field="latency_ms", by=["sex"])
    described = document([WATCHED, waits], a_day=2000.0)
    described["strata"] = SEX
    assert spots(described) == {}


MISSING = monitor("missing_rate", "hour", {"abs": 0.04}, feature="px", min_n=50_000)
ACCUMULATING = {"below_min": "accumulate"}


@pytest.mark.parametrize(
    ("described", "strata", "told"),
    [
        (WATCHED | {"min_n": 100_000}, {}, ("needs 100,000 cases", "5,606 come in the 28 days")),
        (MISSING, ACCUMULATING, ("needs 50,000 cases", "come in the 28 days")),
        (MISSING, {}, ("needs 50,000 cases", "62.4 come in the 1 hour")),
    ],
)
def test_a_minimum_sample_that_28_days_do_not_bring_is_told_with_what_they_bring(
    described: Document, strata: Document, told: tuple[str, str]
) -> None:
    found = spots(document([described], a_day=1500.0 if described is MISSING else 2000.0, strata=strata))
    message = found["surveillance.monitors[0]"]
    assert "this monitor never opens an incident: a look needs" in message
    assert all(part in message for part in told)


def test_a_chart_whose_windows_are_too_small_to_fold_sees_nothing() -> None:
    chart = {"id": "slow", "metric": {"type": "cusum", "of": "score_mean"}, "window": "day", "limits": {"investigate": {"h": 5}}}
    assert spots(document([chart], a_day=500.0)) == {}
    assert "needs 501 cases" in spots(document([chart | {"min_n": 501}], a_day=500.0))["surveillance.monitors[0]"]


def test_a_rule_that_only_supports_others_is_no_late_monitor_but_leaves_its_hazard_blind() -> None:
    rule = {"id": "run", "metric": {"type": "run_rule", "rule": 3}, "limits": {"investigate": {"hit": True}}}
    found = spots(document([rule], a_day=2000.0))
    assert set(found) == {"hazards[0]"}


@pytest.mark.parametrize("rule", [{"effect": 0.3, "within": "P90D"}, {"effect": 0.1, "within": "P300D"}])
def test_the_stated_harm_and_time_decide(rule: Document) -> None:
    described = document([WATCHED], a_day=120.0)
    assert spots(described)
    described["surveillance"]["coverage_rules"] = {"every_subgroup_metric_detectable": rule}
    assert spots(described) == {}
