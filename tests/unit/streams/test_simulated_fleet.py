"""The fleet is what its manifest promised until something goes wrong in it, and the same each time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from streams.demo import MANIFEST
from streams.simulated_fleet.arrivals import fleet_days
from streams.simulated_fleet.cases import MISS_DAY, OLD_AGE, SHIFT_DAY, THRESHOLD, Cases, cases_of
from streams.simulated_fleet.events import Installed, firmware_of
from streams.simulated_fleet.roster import DEVICES, ROSTER, SHIFTED_SITE, SITES, VENDORS
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.lint import lint
from surveillance.manifest.parse import read_document
from surveillance.times import HOUR_MS, from_text

DOCUMENT = read_document(MANIFEST)
BASELINES = DOCUMENT["baselines"]
INSTALLED = Installed.by(DOCUMENT, manifest_digest(DOCUMENT))
SITE = np.array([device.site_id for device in ROSTER])


def many(day: int, times: int = 12) -> list[Cases]:
    return [cases_of(day, np.random.default_rng([7, number])) for number in range(times)]


def joined(name: str, chosen: Sequence[Cases]) -> np.ndarray[Any, Any]:
    return np.concatenate([getattr(cases, name) for cases in chosen])


def shares(values: np.ndarray[Any, Any], edges: Sequence[float]) -> np.ndarray[Any, Any]:
    return np.histogram(values, edges)[0] / len(values)


@pytest.fixture(scope="module")
def quiet() -> list[Cases]:
    return many(1)


@pytest.fixture(scope="module")
def first_day() -> list[dict[str, Any]]:
    found = []
    for arrival in next(iter(fleet_days(INSTALLED, days=1))):
        try:
            found.append(json.loads(arrival.line))
        except ValueError:
            continue
    return found


def test_it_is_twelve_sites_four_vendors_and_forty_devices() -> None:
    assert (
        (len({device.site_id for device in ROSTER}), len({device.device_id for device in ROSTER})) == (SITES, DEVICES) == (12, 40)
    )
    assert {device.vendor for device in ROSTER} == set(VENDORS)
    assert len(VENDORS) == 4


def test_the_manifest_has_no_problem() -> None:
    assert lint(DOCUMENT) == []


def test_references_of_the_manifest_are_those_of_the_fleet_before_anything_happens(quiet: list[Cases]) -> None:
    px_mean, view_position = BASELINES["features"]
    seen = joined("px_mean", quiet)
    assert shares(seen[~np.isnan(seen)], px_mean["bins"]["edges"]) == pytest.approx(px_mean["bins"]["probs"], abs=0.012)
    assert np.isnan(seen).mean() == pytest.approx(px_mean["missing"], abs=0.002)
    views = joined("view", quiet)
    assert {view: (views == view).mean() for view in view_position["probs"]} == pytest.approx(view_position["probs"], abs=0.012)
    score = joined("score", quiet)
    assert shares(score, BASELINES["score"]["bins"]["edges"]) == pytest.approx(BASELINES["score"]["bins"]["probs"], abs=0.012)
    alerts = BASELINES["operational"]["alerts_per_100_encounters"]["value"] / 100
    assert (score >= THRESHOLD).mean() == pytest.approx(alerts, abs=0.01)


def test_the_model_is_right_about_its_uncertainty_until_the_protocol_changes(quiet: list[Cases]) -> None:
    diseased, score = joined("diseased", quiet), joined("score", quiet)
    assert diseased.sum() / score.sum() == pytest.approx(1, abs=0.06)
    assert (score[diseased] >= THRESHOLD).mean() == pytest.approx(0.92, abs=0.015)


def test_the_firmware_moves_one_input_at_one_site_and_no_score() -> None:
    before, after = many(SHIFT_DAY - 1), many(SHIFT_DAY)
    at_site = [SITE[joined("device", chosen)] == SHIFTED_SITE for chosen in (before, after)]
    moved = [np.nanmean(joined("px_mean", chosen)[here]) for chosen, here in zip((before, after), at_site, strict=True)]
    others = [np.nanmean(joined("px_mean", chosen)[~here]) for chosen, here in zip((before, after), at_site, strict=True)]
    assert moved[1] - moved[0] > 0.8
    assert others[1] == pytest.approx(others[0], abs=0.04)
    assert joined("score", after)[at_site[1]].mean() == pytest.approx(joined("score", before)[at_site[0]].mean(), abs=0.03)
    updated = {device.site_id for device in ROSTER if firmware_of(device, SHIFT_DAY) != firmware_of(device, SHIFT_DAY - 1)}
    assert updated == {SHIFTED_SITE}


def test_the_protocol_hides_the_sign_in_the_old_only_and_their_inputs_stay() -> None:
    before, after = many(MISS_DAY - 1), many(MISS_DAY)
    sensitivity = {}
    for name, chosen in (("before", before), ("after", after)):
        old, diseased, score = joined("age", chosen) >= OLD_AGE, joined("diseased", chosen), joined("score", chosen)
        for group, rows in (("old", old), ("young", ~old)):
            sensitivity[name, group] = (score[diseased & rows] >= THRESHOLD).mean()
    assert sensitivity["after", "old"] < 0.6 < 0.9 < sensitivity["before", "old"]
    assert sensitivity["after", "young"] == pytest.approx(sensitivity["before", "young"], abs=0.03)
    assert np.nanmean(joined("px_mean", after)) == pytest.approx(np.nanmean(joined("px_mean", before)), abs=0.04)


def test_labels_come_when_the_manifest_expects_them() -> None:
    reported: dict[str, int] = {}
    examined: dict[str, int] = {}
    for arrivals in fleet_days(INSTALLED, days=5):
        for arrival in arrivals:
            if b'"pms.outcome"' in arrival.line:
                event = json.loads(arrival.line)
                reported[event["inference_id"]] = from_text(event["event_time"])
            elif b'"pms.inference"' in arrival.line and arrival.line.endswith(b"}"):
                event = json.loads(arrival.line)
                examined.setdefault(event.get("inference_id", ""), from_text(event["event_time"]))
    first = sorted(examined.values())[:1500]
    cohort = [name for name, at_ms in examined.items() if first[0] <= at_ms <= first[-1]]
    hours = np.array([(reported[name] - examined[name]) / HOUR_MS for name in cohort if name in reported])
    latency = BASELINES["label_latency"]
    assert np.median(hours) == pytest.approx(latency["p50_h"], rel=0.1)
    assert np.quantile(hours, 0.95) == pytest.approx(latency["p95_h"], rel=0.15)
    assert len(hours) / len(cohort) == pytest.approx(latency["expected_coverage"], abs=0.03)


def test_both_versions_are_spoken(first_day: list[dict[str, Any]]) -> None:
    by_version = {version: [event for event in first_day if event["schema_version"] == version] for version in (1, 2)}
    assert all(len(events) > 500 for events in by_version.values())
    assert not any("manifest_digest" in event or "device_context" in event for event in by_version[1])
    assert {event["manifest_digest"] for event in by_version[2]} == {INSTALLED.manifest_digest}


def test_the_same_seed_gives_the_same_bytes_and_fewer_days_a_beginning() -> None:
    two, one = list(fleet_days(INSTALLED, days=2)), list(fleet_days(INSTALLED, days=1))
    assert one == two[:1]
    assert list(fleet_days(INSTALLED, days=1, seed=1)) != one
