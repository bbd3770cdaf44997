"""What an incident of drift says about where it came from, on a ward of two kinds of patients and two scanners."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surveillance.manifest.parse import read_document
from surveillance.times import to_text
from tests.scenario.replaying import Line, of_kind, replayed
from tests.scenario.stage import BEGIN_MS

HOUR_MS = 3_600_000
HOURS, BREAK = 60, 50
"""Hours told, and the hour from which on things are different."""


@pytest.fixture(scope="module")
def manifest() -> Line:
    document: Line = read_document(Path(__file__).parent / "ward.manifest.yaml")
    document["strata"]["axes"].append({"id": "sex", "source": "context.sex", "values": ["F", "M"]})
    (drift,) = [one for one in document["surveillance"]["monitors"] if one["id"] == "drift"]
    drift |= {"window": "w1h"}
    return document


def hours(change: str) -> Iterator[bytes]:
    """Forty patients an hour. `change`: "mix" = from an hour on nearly all are men, whose images were always brighter;
    "firmware" = one scanner of two gets new firmware and brightens every image."""
    rng, number = np.random.default_rng(11), 0
    for hour in range(HOURS):
        changed = hour >= BREAK
        for at in range(40):
            number += 1
            men = 0.95 if changed and change == "mix" else 0.2
            sex = "M" if rng.random() < men else "F"
            scanner = 1 + number % 2
            brighter = 0.9 if sex == "M" and change == "mix" else 0.0
            updated = changed and change == "firmware" and scanner == 2
            pixels = rng.normal(brighter - 0.18 * (change == "mix") + 1.5 * updated, 0.7)
            at_ms = BEGIN_MS + hour * HOUR_MS + at * 90_000
            yield json.dumps(
                {
                    "schema": "pms.inference",
                    "schema_version": 2,
                    "event_id": f"e-{number}",
                    "product": "triage",
                    "site_id": "north",
                    "device_id": f"scanner-{scanner}",
                    "release_id": "triage-1",
                    "event_time": to_text(at_ms),
                    "ingest_time": to_text(at_ms),
                    "inference_id": f"i-{number}",
                    "score": 0.1,
                    "alert_raised": False,
                    "threshold_applied": 0.5,
                    "features": {"px": round(float(np.clip(pixels, -4, 4)), 4)},
                    "context": {"sex": sex},
                    "device_context": {"vendor": "VendorA", "firmware": "2.0" if updated else "1.0"},
                    "model_digest": f"sha256:{1:064x}",
                }
            ).encode()


def opened(manifest: Line, change: str) -> dict[str, Any]:
    lines = replayed([manifest], hours(change), to_text(BEGIN_MS + HOURS * HOUR_MS))
    incident = next(one for one in of_kind(lines, "incident") if one["monitor_id"] == "drift")
    assert incident["breached_since"] >= to_text(BEGIN_MS + BREAK * HOUR_MS)
    return incident


def test_a_mix_shift_is_called_a_mix_shift(manifest: Line) -> None:
    incident = opened(manifest, "mix")
    assert incident["attribution"]["kind"] == "mix_shift"
    assert incident["attribution"]["mix"]["field"] == "sex"
    assert "The mix by sex explains it" in incident["summary"]


def test_new_firmware_that_changes_the_pixels_is_named_with_its_hour(manifest: Line) -> None:
    incident = opened(manifest, "firmware")
    attribution = incident["attribution"]
    assert attribution["kind"] == "within_stratum"
    assert (attribution["explained_by"]["field"], attribution["explained_by"]["level"]) == ("firmware", "2.0")
    assert attribution["explained_by"]["lower"] > 0.7
    assert attribution["change_point"]["at"] == to_text(BEGIN_MS + BREAK * HOUR_MS)
    assert "firmware 2.0 accounts for" in incident["summary"]


def test_the_performance_monitors_of_the_same_people_are_told(manifest: Line) -> None:
    told = opened(manifest, "firmware")["attribution"]["performance"]
    assert {one["monitor_id"] for one in told} >= {"sensitivity"}
    assert {one["verdict"] for one in told} == {"inconclusive"}  # nobody has labelled anything
