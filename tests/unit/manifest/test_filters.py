"""What no event can match is told: fields that a kind does not have, and values that a field never has."""

from __future__ import annotations

from typing import Any

import pytest

from surveillance.errors import Problem
from surveillance.manifest.lint import lint
from surveillance.manifest.metrics_safety import DEVICE_MAY_BE_CAUSE, EventFilter
from surveillance.panes.safety import counted_by, safety_statistic

MONITOR = "surveillance.monitors[3]"


def metric(kind: str, where: dict[str, Any]) -> dict[str, Any]:
    more: dict[str, Any] = {
        "event_count": {},
        "maxsprt_poisson": {"expected_per_10k": 1, "T": 10},
        "trend_test": {"baseline_frequency_per_1000": 1},
        "run_rule": {},
    }[kind]
    return {"type": kind, "filter": where} | more


LIMITS = {"event_count": {"ge": 1}, "maxsprt_poisson": {"llr": 3}, "trend_test": {"p": 0.05}, "run_rule": {"hit": True}}


def faults(edited: Any, where: dict[str, Any], kind: str = "event_count") -> list[Problem]:
    watching = {"id": "ae", "hazard_id": "HZ-1", "playbook": "PB", "limits": {"investigate": LIMITS[kind]}}
    found = lint(edited(MONITOR, watching | {"metric": metric(kind, where)}))
    assert [problem for problem in found if problem.severity == "error"] == []
    return [problem for problem in found if problem.path.startswith(f"{MONITOR}.metric.filter.")]


@pytest.mark.parametrize("kind", list(LIMITS))
def test_a_misspelt_field_is_named_with_the_monitor_the_nearest_and_all_there_are(edited: Any, kind: str) -> None:
    (found,) = faults(edited, {"seriousnes": "death"}, kind)
    assert found.path == f"{MONITOR}.metric.filter.seriousnes"
    assert 'monitor "ae": adverse_event events have no field "seriousnes"' in found.message
    assert 'did you mean "seriousness"?' in found.message
    assert "expectedness, ext.*, gateway_id, imdrf.A" in found.message


def test_a_misspelt_value_is_named_with_the_nearest_and_all_there_are(edited: Any) -> None:
    (found,) = faults(edited, {"suspected_device_role": ["caused", "contribted"]})
    assert found.path == f"{MONITOR}.metric.filter.suspected_device_role"
    assert '"suspected_device_role" is never "contribted", so it never matches' in found.message
    assert 'did you mean "contributed"? It is one of caused, contributed, none, unknown' in found.message


def test_where_no_value_is_left_no_event_matches(edited: Any) -> None:
    (found,) = faults(edited, {"expectedness": "unexpcted"})
    assert "so no event ever matches" in found.message


@pytest.mark.parametrize(
    "where",
    [
        {"malfunction": "yes"}, {"malfunction": 2}, {"seriousness": True}, {"imdrf.H": "A01"}, {"context.sex": "F"},
        {"linked_inference_ids": "i-1"}, {"ext": "x"}, {"mode": "shadow"}, {"kind": "inference", "score": "high"},
        {"kind": "inference", "context": "F"}, {"kind": "outcome", "label": 2}, {"kind": "outcome", "seriousness": "death"},
    ],
)  # fmt: skip
def test_what_can_never_match_is_told(edited: Any, where: dict[str, Any]) -> None:
    assert len(faults(edited, where)) == 1


@pytest.mark.parametrize(
    "where",
    [
        {}, {"malfunction": [True, 1, "true"]}, {"seriousness": ["death", "none"]}, {"imdrf.A": "A01"}, {"ext.ward": "B"},
        {"site_id": ["s-1"], "country": "DE"}, {"mode": ["active", "canary"]}, {"kind": "inference", "context.sex": "F"},
        {"kind": "inference", "features.rhythm": "sinus"}, {"kind": "outcome", "label": [0, 1]},
        {"kind": "feedback", "severity": [3, "high"]}, {"kind": "heartbeat", "fallback_mode": [True, "local"]},
    ],
)  # fmt: skip
def test_what_can_match_is_left_alone(edited: Any, where: dict[str, Any]) -> None:
    assert faults(edited, where) == []


def test_the_default_of_a_sequential_test_can_match(edited: Any) -> None:
    kept = counted_by(safety_statistic("inferences", DEVICE_MAY_BE_CAUSE).partition(":")[2])
    assert faults(edited, dict(kept.where)) == []
    assert EventFilter().where == {}


@pytest.mark.parametrize("source", ["site_id", "context.sex", "features.rhythm", "ext.ward", "device_context.vendor", "region"])
def test_an_axis_may_read_any_field_of_an_inference(edited: Any, source: str) -> None:
    found = lint(edited("strata.axes[0].source", source))
    assert not [problem for problem in found if problem.path == "strata.axes[0].source"]


@pytest.mark.parametrize("field", ["cert_days_left", "uptime_s", "buffer_depth", "ext.free_disk"])
def test_a_lowest_value_may_be_any_number_of_a_heartbeat(edited: Any, field: str) -> None:
    watching = {"id": "low", "hazard_id": "HZ-1", "playbook": "PB", "limits": {"investigate": {"below": 1}}}
    found = lint(edited(MONITOR, watching | {"metric": {"type": "min_value", "field": field}}))
    assert not [problem for problem in found if problem.path.startswith(MONITOR)]
