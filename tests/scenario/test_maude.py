"""Adverse-event reports of cleared AI devices (npj Digit Med 2025;8:328, public data of the FDA) through `pms replay`."""

from __future__ import annotations

import csv
import json
import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import pytest

from surveillance.times import from_text, to_text
from tests.scenario.real_streams import data_file
from tests.scenario.replaying import Line, of_kind, replayed

REPORTS = data_file("maude_ai", "943_AEs_for_fda_devices.csv")
SERIOUSNESS = {"D": "death", "IN": "impairment", "M": "none"}
"""By the report's type of event: death, injury, malfunction."""
DAY_MS, PANE_MS = 86_400_000, 300_000
SPRT: Line = {"type": "maxsprt_poisson", "rr0": 1.0, "expected_per_10k": 5000.0, "T": 2000.0, "M": 4}
"""Half an event is expected for each of the uses, of which there is one a week."""


def counting(**where: Any) -> Line:
    return {"type": "event_count", "filter": {"kind": "adverse_event", **where}}


METRICS: dict[str, Line] = {
    "every": counting(),
    "malfunctions": counting(malfunction=True),
    "injuries": counting(seriousness=["impairment"]),
    "deaths": counting(seriousness=["death"]),
    "sequential": SPRT,
}


def manifest() -> Line:
    common = {"hazard_id": "HZ-1", "playbook": "PB"}
    watched = [
        common | {"id": name, "metric": metric, "limits": {"investigate": {"llr": 3.0} if metric is SPRT else {"ge": 1}}}
        for name, metric in METRICS.items()
    ]
    return {
        "api_version": "pms.manifest/v1", "kind": "ReleaseManifest", "manifest_id": "rm-1", "revision": 1,
        "release": {"release_id": "r-1"}, "strata": {"axes": []}, "baselines": {},
        "owners": {"safety_officer": {"primary": "user-1"}}, "playbooks": {"PB": {"steps": ["decide"]}},
        "hazards": [{"id": "HZ-1"}],
        "surveillance": {"windows": [{"id": "day", "size": "P1D"}], "monitors": watched},
    }  # fmt: skip


def envelope(kind: str, number: str, at_ms: int) -> Line:
    return {
        "schema": f"pms.{kind}", "schema_version": 2, "event_id": f"{kind}-{number}", "product": "p", "site_id": "s",
        "device_id": "d", "release_id": "r-1", "event_time": to_text(at_ms),
    }  # fmt: skip


def received_ms(row: dict[str, str]) -> int:
    month, day, year = row["date_received"].split("/")
    return from_text(f"{year}-{month}-{day}T12:00:00Z")


def report(row: dict[str, str]) -> Line:
    at_ms = received_ms(row)
    return envelope("adverse_event", row["mdr_report_key"], at_ms) | {
        "ae_id": row["mdr_report_key"], "reported_at": to_text(at_ms), "awareness_at": to_text(at_ms),
        "seriousness": SERIOUSNESS[row["event_type"]], "malfunction": row["event_type"] == "M", "public_health_threat": False,
        "suspected_device_role": "unknown", "linked_inference_ids": [], "imdrf": {}, "narrative_ref": None, "country": "US",
        "udi": None,
    }  # fmt: skip


def use(at_ms: int) -> Line:
    return envelope("inference", str(at_ms), at_ms) | {
        "inference_id": str(at_ms), "score": 0.1, "alert_raised": False, "threshold_applied": 0.5, "features": {},
    }  # fmt: skip


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """Reports in the order in which they were received."""
    with REPORTS.open(newline="", encoding="utf-8") as lines:
        return sorted(csv.DictReader(lines), key=received_ms)


def uses_ms(rows: list[dict[str, str]]) -> range:
    """One use a week, at midnight, from the day of the first report to that of the last."""
    return range(received_ms(rows[0]) - DAY_MS // 2, received_ms(rows[-1]), 7 * DAY_MS)


@pytest.fixture(scope="module")
def lines(rows: list[dict[str, str]]) -> list[Line]:
    def sent() -> Iterator[Line]:
        yield from (use(at_ms) for at_ms in uses_ms(rows))
        yield from (report(row) for row in rows)

    encoded = [json.dumps(event).encode() for event in sorted(sent(), key=lambda event: from_text(event["event_time"]))]
    return replayed([manifest()], encoded, to_text(received_ms(rows[-1]) + 2 * DAY_MS))


def status(lines: list[Line], monitor: str) -> Line:
    (found,) = [line for line in of_kind(lines, "status") if line["monitor_id"] == monitor]
    return found


@pytest.mark.parametrize(("monitor", "count"), [("every", 943), ("malfunctions", 857), ("injuries", 84), ("deaths", 2)])
def test_the_counts_are_those_of_the_publication(lines: list[Line], monitor: str, count: int) -> None:
    found = status(lines, monitor)
    assert (found["verdict"], found["estimate"]["value"]) == ("breached", count)


def test_each_death_is_a_line_of_one_incident(lines: list[Line]) -> None:
    told = [line for line in of_kind(lines, "incident") if line["monitor_id"] == "deaths"]
    assert [line["estimate"]["value"] for line in told] == [1, 2]
    assert len({line["incident_id"] for line in told}) == 1


def log_likelihood_ratio(events: int, expected: float) -> float:
    return events * math.log(events / expected) - (events - expected) if events > max(expected, SPRT["M"] - 1) else 0.0


def test_the_sequential_test_counts_every_report_against_the_uses(lines: list[Line], rows: list[dict[str, str]]) -> None:
    estimate = status(lines, "sequential")["estimate"]
    assert estimate["n"] == 943
    assert estimate["value"] == pytest.approx(log_likelihood_ratio(943, len(uses_ms(rows)) / 2))


def test_the_sequential_test_signals_on_the_day_whose_reports_cross(lines: list[Line], rows: list[dict[str, str]]) -> None:
    received, uses = [received_ms(row) for row in rows], uses_ms(rows)

    def ratio(at_ms: int) -> float:
        return log_likelihood_ratio(bisect_right(received, at_ms), bisect_right(uses, at_ms) / 2)

    crossing_ms = next(at_ms for at_ms in received if ratio(at_ms) >= 3.0)
    first = next(line for line in of_kind(lines, "incident") if line["monitor_id"] == "sequential")
    assert first["estimate"]["value"] == pytest.approx(ratio(crossing_ms))
    assert from_text(first["window"]["end"]) - PANE_MS <= crossing_ms < from_text(first["window"]["end"])
