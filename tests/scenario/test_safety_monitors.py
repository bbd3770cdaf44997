"""Adverse events through `pms replay`: sequential tests, counts, trends and run rules."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from surveillance.manifest.parse import read_document
from surveillance.times import from_text, to_text
from tests.scenario.replaying import Line, of_kind, replayed

BEGIN_MS = from_text("2026-03-02T00:00:00Z")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000


@pytest.fixture(scope="module")
def ward() -> Line:
    document: Line = read_document(Path(__file__).parent / "ward.manifest.yaml")
    document["surveillance"]["windows"] = [{"id": "w1h", "size": "PT1H"}]
    document["regulatory"] = {"time_zone": "Europe/Berlin"}
    return document


def watching(ward: Line, metric: Line, limits: Line, **more: Any) -> Line:
    monitor = {"id": "watched", "hazard_id": "HZ-1", "metric": metric, "limits": limits, "playbook": "PB-1"} | more
    surveillance = ward["surveillance"] | {"monitors": [monitor]}
    return ward | {"surveillance": surveillance, "rollback": {"triggers": ["watched:rollback_or_field_safety"]}}


def envelope(schema: str, number: int, at_ms: int, site: str = "north") -> Line:
    return {
        "schema": schema, "schema_version": 2, "event_id": f"e-{number}", "product": "triage", "site_id": site,
        "device_id": "scanner-1", "release_id": "triage-1", "event_time": to_text(at_ms), "ingest_time": to_text(at_ms),
    }  # fmt: skip


def uses(times_ms: Iterable[int], site: str = "north") -> list[tuple[int, Line]]:
    return [
        (at, envelope("pms.inference", at, at, site) | {
            "inference_id": f"i-{at}", "score": 0.1, "alert_raised": False, "threshold_applied": 0.5, "features": {"px": 0.0},
        })
        for at in times_ms
    ]  # fmt: skip


def events(times_ms: Iterable[int], *, arrives_later_ms: int = 0, **fields: Any) -> list[tuple[int, Line]]:
    found = []
    for at in times_ms:
        arrival = at + arrives_later_ms
        found.append(
            (arrival, envelope("pms.adverse_event", at + 1, at) | {
                "ingest_time": to_text(arrival), "ae_id": f"a-{at}", "reported_at": to_text(at), "awareness_at": to_text(at),
                "seriousness": "none", "public_health_threat": False, "suspected_device_role": "unknown",
                "linked_inference_ids": [], "imdrf": {}, "narrative_ref": None, "country": "DE", "udi": None,
            } | fields)
        )  # fmt: skip
    return found


def told(manifest: Line, sent: Sequence[tuple[int, Line]], days: float) -> list[Line]:
    lines = [json.dumps(event).encode() for _, event in sorted(sent, key=lambda one: one[0])]
    return replayed([manifest], lines, to_text(BEGIN_MS + round(days * DAY_MS)))


SPRT = {"type": "maxsprt_poisson", "rr0": 1.0, "expected_per_10k": 100.0, "T": 2.0, "M": 2, "alpha": 0.05}


def test_the_sequential_test_signals_at_the_event_that_crosses(ward: Line) -> None:
    manifest = watching(ward, SPRT, {"investigate": {"llr": 2.0}, "rollback_or_field_safety": {"llr": 100.0}})
    sent = uses(BEGIN_MS + n * HOUR_MS for n in range(50)) + events(BEGIN_MS + n * HOUR_MS + 60_000 for n in (20, 30, 40))
    lines = told(manifest, sent, 2.5)
    (incident,) = of_kind(lines, "incident")
    mu = 100 / 10_000 * 21  # uses through the pane of the first event; one event is below M
    assert 2 * math.log(2 / (mu + 0.1)) - (2 - mu - 0.1) == pytest.approx(incident["estimate"]["value"], abs=1e-9)
    assert (incident["level"], incident["estimate"]["n"]) == ("investigate", 2)
    assert f"it counts from {to_text(BEGIN_MS)} on" in incident["summary"]
    (status,) = of_kind(lines, "status")
    assert status["estimate"]["value"] == pytest.approx(3 * math.log(3 / 0.41) - (3 - 0.41), abs=1e-9)
    assert of_kind(lines, "trigger") == []


def test_events_before_the_first_use_count_against_the_first_uses(ward: Line) -> None:
    manifest = watching(ward, SPRT, {"investigate": {"llr": 2.0}})
    sent = events([BEGIN_MS, BEGIN_MS + 1]) + uses(BEGIN_MS + HOUR_MS + n for n in range(3)) + uses([BEGIN_MS + 2 * HOUR_MS])
    lines = told(manifest, sent, 1)
    (incident,) = of_kind(lines, "incident")
    mu = 100 / 10_000 * 3
    assert incident["estimate"]["value"] == pytest.approx(2 * math.log(2 / mu) - (2 - mu), abs=1e-9)
    assert incident["window"]["end"] == to_text(BEGIN_MS + HOUR_MS + 300_000)
    (status,) = of_kind(lines, "status")
    assert (status["verdict"], status["estimate"]) == ("breached", incident["estimate"])


def test_events_without_any_use_are_no_ratio(ward: Line) -> None:
    (status,) = of_kind(told(watching(ward, SPRT, {"investigate": {"llr": 2.0}}), events([BEGIN_MS, BEGIN_MS + 1]), 1), "status")
    assert (status["verdict"], status["reason"]) == ("inconclusive", "no_exposure")


def test_events_that_no_device_can_have_caused_are_not_counted(ward: Line) -> None:
    manifest = watching(ward, SPRT, {"investigate": {"llr": 2.0}})
    sent = uses(BEGIN_MS + n * HOUR_MS for n in range(20))
    sent += events((BEGIN_MS + n * HOUR_MS + 1 for n in range(9)), suspected_device_role="none")
    (status,) = of_kind(told(manifest, sent, 1), "status")
    assert (status["verdict"], status["estimate"]["n"]) == ("met", 0)


def test_a_test_that_has_used_up_its_horizon_is_an_incident_that_does_not_resolve(ward: Line) -> None:
    manifest = watching(ward, SPRT | {"T": 0.2}, {"investigate": {"llr": 50.0}, "pause": {"llr": 90.0}})
    lines = told(manifest, uses(BEGIN_MS + n * HOUR_MS for n in range(30)), 3)
    (incident,) = of_kind(lines, "incident")
    assert (incident["level"], incident["state"]) == ("investigate", "open")
    assert incident["window"]["end"] == to_text(BEGIN_MS + 19 * HOUR_MS + 300_000)  # 0.2 expected with the twentieth use
    (status,) = of_kind(lines, "status")
    assert (status["verdict"], status["reason"]) == ("breached", "exhausted")


def test_each_further_matching_event_is_a_line_of_the_same_incident(ward: Line) -> None:
    metric = {"type": "event_count", "filter": {"kind": "adverse_event", "seriousness": ["death"]}}
    manifest = watching(
        ward, metric, {"investigate": None, "pause": {"ge": 1}, "rollback_or_field_safety": {"confirmed_causal": True}}
    )
    sent = uses(BEGIN_MS + n * HOUR_MS for n in range(30))
    sent += events((BEGIN_MS + n * HOUR_MS + 1 for n in (5, 9, 20)), seriousness="death")
    sent += events([BEGIN_MS + 7 * HOUR_MS + 2], seriousness="hospitalisation")
    lines = told(manifest, sent, 2)
    incidents = of_kind(lines, "incident")
    assert [line["estimate"]["value"] for line in incidents] == [1, 2, 3]
    assert len({line["incident_id"] for line in incidents}) == 1
    assert [line["action"] for line in of_kind(lines, "trigger")] == ["pause_rollout"]
    (status,) = of_kind(lines, "status")
    assert status["levels"] == {"pause": "breached", "rollback_or_field_safety": "met"}


def test_no_event_is_a_count_of_zero_once_there_was_any_event(ward: Line) -> None:
    manifest = watching(ward, {"type": "event_count"}, {"pause": {"ge": 1}})
    (status,) = of_kind(told(manifest, uses([BEGIN_MS]), 1), "status")
    assert (status["verdict"], status["estimate"]["value"]) == ("met", 0)


def test_a_late_event_is_counted_where_it_happened(ward: Line) -> None:
    manifest = watching(ward, SPRT, {"investigate": {"llr": 2.0}})
    on_time = uses(BEGIN_MS + n * HOUR_MS for n in range(30)) + events(BEGIN_MS + n * HOUR_MS + 60_000 for n in (10, 20))
    late = uses(BEGIN_MS + n * HOUR_MS for n in range(30)) + events([BEGIN_MS + 20 * HOUR_MS + 60_000])
    late += events([BEGIN_MS + 10 * HOUR_MS + 60_000], arrives_later_ms=5 * HOUR_MS)
    first, second = (of_kind(told(manifest, sent, 2), "status") for sent in (on_time, late))
    assert first == second


TREND = {
    "type": "trend_test",
    "counts": "nonserious",
    "uses": "inferences",
    "period": "month",
    "baseline_frequency_per_1000": 10,
    "looks": 2,
}


def test_a_trend_is_looked_at_once_a_month_and_its_alpha_is_spent_over_the_looks(ward: Line) -> None:
    manifest = watching(ward, TREND, {"investigate": {"p": 0.05}})
    sent = uses(BEGIN_MS + n * HOUR_MS for n in range(24 * 60)) + events(BEGIN_MS + n * DAY_MS + 60_000 for n in range(13))
    sent += events((BEGIN_MS + n * DAY_MS + 90_000 for n in range(4)), seriousness="death", expectedness="unexpected")
    lines = told(manifest, sent, 45)
    (status,) = of_kind(lines, "status")
    month_end = from_text("2026-03-31T22:00:00Z")  # midnight in Berlin
    assert status["window"] == {"start": "2026-02-28T23:00:00Z", "end": to_text(month_end)}
    expected = sum(BEGIN_MS + n * HOUR_MS < month_end for n in range(24 * 60)) / 100
    assert status["estimate"]["value"] == pytest.approx(13 / expected)
    p = 1 - sum(math.exp(-expected) * expected**k / math.factorial(k) for k in range(13))
    assert status["estimate"]["p"] == pytest.approx(p)
    assert status["verdict"] == ("breached" if p * 2 < 0.05 else "met")
    share = status["serious_share"]
    assert (share["value"], share["n"]) == (pytest.approx(4 / 17), 17)
    assert share["lower"] < 4 / 17 < share["upper"]


def test_six_rising_periods_are_a_hit_and_a_tie_breaks_them(ward: Line) -> None:
    metric = {"type": "run_rule", "rule": 3, "counts": "all", "uses": "inferences", "period": "P1D"}
    manifest = watching(ward, metric, {"investigate": {"hit": True}, "rollback_or_field_safety": {"hit": True}})
    rising = uses(BEGIN_MS + n * HOUR_MS for n in range(24 * 8))
    tied = list(rising)
    for day in range(7):
        rising += events(BEGIN_MS + day * DAY_MS + n * 60_000 + 1 for n in range(day))
        tied += events(BEGIN_MS + day * DAY_MS + n * 60_000 + 1 for n in range(day if day != 3 else 2))
    lines = told(manifest, rising, 7)
    (incident,) = of_kind(lines, "incident")
    assert incident["window"]["end"] == to_text(BEGIN_MS + 6 * DAY_MS)
    assert of_kind(lines, "trigger") == [], "a run rule supports, and is never the only ground"
    assert of_kind(told(manifest, tied, 7), "incident") == []
