"""Adverse events and trends of `pms replay` against the row-by-row reading of the contract in tests/oracle."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.oracle import replay, replay_incidents
from tests.oracle.streams import START_MS, manifest
from tests.oracle.times import DAY_MS, format_time
from tests.scenario.agreement import incidents_of_oracle, incidents_of_service, status_differences
from tests.scenario.replaying import of_kind, replayed

HOUR_MS = 3_600_000
SERIOUSNESS = ("death", "hospitalisation", "near_miss", "none", "none")
SPRT = {"type": "maxsprt_poisson", "expected_per_10k": 100.0, "T": 50.0, "M": 2}
TREND = {"type": "trend_test", "baseline_frequency_per_1000": 60.0, "looks": 2}


def watched(name: str, metric: dict[str, Any], limits: dict[str, Any], **more: Any) -> dict[str, Any]:
    every = {"investigate": None, "pause": None, "rollback_or_field_safety": None} | limits
    return {"id": name, "hazard_id": "HZ-1", "metric": metric, "playbook": "PB-1", "limits": every} | more


COUNTS = [
    watched("ae", SPRT, {"investigate": {"llr": 2.0}, "pause": {"llr": 4.0}}),
    watched("ae.site", SPRT | {"T": 2.0}, {"investigate": {"llr": 2.0}, "pause": {"exhausted": True}}, by=["site"]),
    watched("deaths", {"type": "event_count", "filter": {"seriousness": ["death"]}}, {"pause": {"ge": 1}}),
    watched("hourly", {"type": "event_count", "filter": {"kind": "adverse_event"}}, {"investigate": {"ge": 2}}, window="w1h"),
    watched("hourly.two", {"type": "event_count", "filter": {}}, {"investigate": {"ge": 2}}, window="w1h", min_n=2),
    watched("site", {"type": "event_count", "filter": {}}, {"investigate": {"ge": 2}}, window="w1h", by=["site"]),
    watched("never", {"type": "event_count", "filter": {"country": "XX"}}, {"investigate": {"ge": 1}}, window="w6h"),
]
MONTHS = [
    watched("trend", TREND, {"investigate": {"p": 0.2}}),
    watched("trend.all", TREND | {"counts": "all", "looks": 1}, {"investigate": {"p": 0.001}}, by=["site"]),
    watched("trend.serious", TREND | {"counts": "serious", "uses": "alerts"}, {"investigate": {"p": 0.2}}),
]


def stream(seed: int, span_ms: int, inferences: int, reports: int, latest_ms: int) -> list[bytes]:
    """Inferences of two sites and reports of which some are late, repeated, drilled or of no concern to the device."""
    rng = random.Random(seed)
    sent: list[tuple[int, dict[str, Any]]] = []
    for number in range(inferences + reports):
        at_ms = START_MS + rng.randrange(span_ms)
        arrives_ms = at_ms + (rng.randrange(latest_ms) if rng.random() < 0.3 else 0)
        envelope = {
            "schema_version": 2, "event_id": f"e{number}", "product": "p", "site_id": rng.choice(["north", "south"]),
            "release_id": "rel-a", "event_time": format_time(at_ms), "ingest_time": format_time(arrives_ms),
            "mode": rng.choice(["active"] * 8 + ["drill"]),
        }  # fmt: skip
        envelope["device_id"] = f"d-{envelope['site_id']}"
        if number < inferences:
            score = rng.random()
            own = {"schema": "pms.inference", "inference_id": f"i{number}", "score": score, "alert_raised": score > 0.5}
            own |= {"threshold_applied": 0.5, "features": {}}
        else:
            own = {
                "schema": "pms.adverse_event", "ae_id": f"a{number}", "reported_at": format_time(at_ms),
                "awareness_at": format_time(at_ms), "seriousness": rng.choice(SERIOUSNESS), "public_health_threat": False,
                "suspected_device_role": rng.choice(["caused", "contributed", "unknown", "none"]), "linked_inference_ids": [],
                "imdrf": {}, "narrative_ref": None, "country": "DE", "udi": None,
                "expectedness": rng.choice(["expected", "unexpected", None]),
            }  # fmt: skip
        sent += [(arrives_ms, envelope | own)] * (2 if rng.random() < 0.05 else 1)
    sent.sort(key=lambda one: one[0])
    return [json.dumps(event).encode() for _, event in sent]


@pytest.mark.parametrize("seed", [1, 2])
def test_status_of_counts_and_sequential_tests_is_the_oracles(seed: int) -> None:
    documents = [manifest("rm-a", 1, "rel-a", watched=COUNTS)]
    lines = stream(seed, 9 * HOUR_MS, 60, 14, 2 * HOUR_MS)
    until = format_time(START_MS + 12 * HOUR_MS)
    ours = replayed(documents, lines, until)
    assert len(of_kind(ours, "status")) >= 6
    assert status_differences(ours, replay(documents, lines, until)) == []


def test_incidents_of_reports_that_come_in_order_are_the_oracles() -> None:
    documents = [manifest("rm-a", 1, "rel-a", watched=COUNTS)]
    lines = stream(3, 9 * HOUR_MS, 60, 14, 1)
    ours = incidents_of_service(replayed(documents, lines, None))
    assert {fact[1] for fact in ours} >= {"ae", "deaths"}
    assert ours == incidents_of_oracle(replay_incidents(documents, lines, None))


@pytest.mark.parametrize("seed", [1, 2])
def test_status_of_trends_is_the_oracles(seed: int) -> None:
    documents = [manifest("rm-a", 1, "rel-a", watched=MONTHS) | {"regulatory": {"time_zone": "America/New_York"}}]
    lines = stream(seed, 100 * DAY_MS, 150, 30, 5 * HOUR_MS)
    until = format_time(START_MS + 100 * DAY_MS)
    ours = replayed(documents, lines, until)
    assert {line["verdict"] for line in of_kind(ours, "status")} == {"met", "breached"}
    assert status_differences(ours, replay(documents, lines, until)) == []
