"""The contract's example manifest over days of simulated telemetry: each harm that is planted breaches its own monitor.

Three streams of a fleet that otherwise does what the manifest says of it: WEEK (labels have time to mature), INPUTS (nothing but
drift) and MONTHS_END (operation and safety). Each line of them reads: what is done to whom (the function's name says it), which
monitor must see it, in which scope, at which level, from which hour of the stream on it goes on, within how many hours it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streams.replay import Replay
from surveillance.manifest.yaml12 import load_document
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.times import DAY_MS, HOUR_MS, from_text
from tests.scenario.example_fleet import MONDAY_MS, Fleet, healthy, stretched
from tests.scenario.replaying import Line, of_kind

EXAMPLE = Path(__file__).resolve().parents[3] / "shared" / "contract" / "manifest.example.yaml"
if not EXAMPLE.exists():
    pytest.skip("the contract's example is not here: ../shared is not part of this clone", allow_module_level=True)

pytestmark = pytest.mark.slow

INVESTIGATE, PAUSE, ROLLBACK = "investigate", "pause", "rollback_or_field_safety"
Scope = dict[str, str]
FLEET: Scope = {}
OTHER_DIGEST = f"sha256:{0:064}"
SEED = 1


def north_looks_through_another_contrast(fleet: Fleet) -> None:
    fleet.px_mean[fleet.where(site="north")] *= 1.8


def south_sends_no_pixel_mean(fleet: Fleet) -> None:
    rows = fleet.where(site="south", since_h=12)
    fleet.px_mean[rows & (np.arange(len(rows)) % 2 == 0)] = np.nan


def east_clips_its_scores_to_one(fleet: Fleet) -> None:
    rows = fleet.where(site="east", since_h=25)
    fleet.score[rows & (np.arange(len(rows)) % 10 < 7)] = 1.0


def suspicious_images_of_south_get_lost(fleet: Fleet) -> None:
    rows = fleet.where(site="south") & fleet.alert
    fleet.take(~rows | (np.arange(len(rows)) % 4 == 0))


def images_of_two_sites_are_a_little_brighter(fleet: Fleet) -> None:
    fleet.px_mean[~fleet.where(site="east")] += 0.16


def north_captures_the_same_day_again_and_again(fleet: Fleet) -> None:
    again = np.flatnonzero(fleet.where(site="north", until_h=24))
    others = np.flatnonzero(~fleet.where(site="north", until_h=120))
    moved = np.concatenate([np.zeros(len(others), np.int64), np.repeat(np.arange(5) * DAY_MS, len(again))])
    fleet.take(np.concatenate([others, np.tile(again, 5)]), moved)


def most_sick_patients_over_75_raise_no_alert(fleet: Fleet) -> None:
    rows = (fleet.age >= 75) & fleet.alert & fleet.diseased
    fleet.alert[rows & (np.arange(len(rows)) % 10 < 6)] = False


def more_healthy_patients_raise_one(fleet: Fleet) -> None:
    rows = ~fleet.alert & ~fleet.diseased & (fleet.age < 65)
    fleet.alert[rows & (np.arange(len(rows)) % 24 == 0)] = True


def scores_are_too_sure_of_themselves(fleet: Fleet) -> None:
    fleet.score = stretched(fleet.score, 1.6)


def south_is_less_often_sick_than_its_scores_say(fleet: Fleet) -> None:
    rows = fleet.where(site="south") & (fleet.score >= 0.42)
    fleet.score[rows] = 0.75 + 0.2 * fleet.score[rows]


def east_overrides_three_alerts_of_four(fleet: Fleet) -> None:
    rows = fleet.where(site="east", since_h=24) & fleet.alert
    fleet.override[rows] = np.arange(int(rows.sum())) % 4 != 0


def south_answers_alerts_six_times_as_late(fleet: Fleet) -> None:
    fleet.ack_s[fleet.where(site="south", since_h=24)] *= 6


def south_raises_more_alerts(fleet: Fleet) -> None:
    rows = fleet.where(site="south", since_h=8, until_h=20)
    fleet.alert[rows & (np.arange(len(rows)) % 2 == 0)] = True


def half_the_examinations_are_not_made(fleet: Fleet) -> None:
    rows = fleet.where(since_h=34, until_h=40)
    fleet.take(~rows | (np.arange(len(rows)) % 2 == 0))


def south_reports_no_more_findings(fleet: Fleet) -> None:
    known = fleet.at_ms + np.nan_to_num(fleet.label_h, nan=0) * HOUR_MS
    fleet.label_h[fleet.where(site="south") & (known >= fleet.time_ms(24))] = np.nan


def devices_run_another_feature_schema(fleet: Fleet) -> None:
    fleet.schema_digest[_in_four_minutes(fleet, 10, 25)] = OTHER_DIGEST


def the_fleet_runs_another_model(fleet: Fleet) -> None:
    fleet.model_digest[_in_four_minutes(fleet, 30, 90)] = OTHER_DIGEST


def _in_four_minutes(fleet: Fleet, hour: int, count: int) -> Any:
    """So many examinations after an hour of the stream, sent at once within four minutes."""
    rows = np.flatnonzero(fleet.where(since_h=hour))[:count]
    fleet.at_ms[rows] = fleet.time_ms(hour) + np.arange(count) * 240_000 // count
    fleet.at_once[rows] = True
    return rows


def north_sends_everything_twice(fleet: Fleet) -> None:
    fleet.copies[fleet.where(site="north", since_h=12, until_h=20)] = 1


def the_clock_of_east_1_is_two_hours_slow(fleet: Fleet) -> None:
    fleet.clock_ms[fleet.where(device="east-1", since_h=12)] = -2 * HOUR_MS


BEATS_FROM_H, BEATS_TO_H = 42.0, 48.1


def north_2_is_not_heard_for_ten_minutes(fleet: Fleet) -> None:
    fleet.beats("north-1", BEATS_TO_H, BEATS_FROM_H)
    fleet.beats("north-2", 43.0, BEATS_FROM_H)
    fleet.beats("north-2", BEATS_TO_H, 43.0 + 10 / 60)


def two_gateways_are_not_heard_for_forty_minutes(fleet: Fleet) -> None:
    """East's certificate ends within a day."""
    for device, days in (("south-1", 200.0), ("east-1", 2.5)):
        fleet.beats(device, 44.0, BEATS_FROM_H, days)
        fleet.beats(device, BEATS_TO_H, 44.0 + 40 / 60, days)


def one_patient_is_harmed_in_earnest(fleet: Fleet) -> None:
    fleet.adverse_event(33, "hospitalisation", "unknown")


def six_near_misses_to_which_the_device_contributed(fleet: Fleet) -> None:
    for number in range(6):
        fleet.adverse_event(20 + number, "near_miss", "contributed")


def twenty_incidents_that_harmed_nobody(fleet: Fleet) -> None:
    for number in range(20):
        fleet.adverse_event(2 * number + 1.5, "none", "none")


@dataclass(frozen=True)
class Harm:
    """What is planted, from hour `since_h` of its stream on; the monitor, scope and level that must say so within `within_h`."""

    plant: Callable[[Fleet], None]
    monitor: str
    scope: Scope
    level: str
    since_h: float
    within_h: float
    also: tuple[Scope, ...] = ()
    """Other scopes of the monitor that hold the same patients or devices."""


@dataclass(frozen=True)
class Stream:
    start_ms: int
    hours: float
    harms: tuple[Harm, ...]


VENDORS = ("VendorA", "VendorB", "VendorC")
OLD = {"age_band": "75+"}
WEEK = Stream(MONDAY_MS, 106, (
    Harm(images_of_two_sites_are_a_little_brighter, "drift.px_mean.slow", FLEET, INVESTIGATE, 0, 97),
    Harm(north_captures_the_same_day_again_and_again, "stab.score_variance", {"site": "north"}, PAUSE, 24, 73),
    Harm(
        most_sick_patients_over_75_raise_no_alert, "sub.sensitivity.age_band", OLD, ROLLBACK, 0, 49,
        also=(*({"scanner_vendor": one} for one in VENDORS), *(OLD | {"scanner_vendor": one} for one in VENDORS)),
    ),
    Harm(most_sick_patients_over_75_raise_no_alert, "perf.sensitivity", FLEET, ROLLBACK, 0, 106),
    Harm(more_healthy_patients_raise_one, "perf.specificity", FLEET, PAUSE, 0, 106),
    Harm(scores_are_too_sure_of_themselves, "cal.slope", FLEET, PAUSE, 0, 49),
    Harm(south_is_less_often_sick_than_its_scores_say, "cal.oe", {"site": "south"}, PAUSE, 0, 49),
    Harm(
        east_overrides_three_alerts_of_four, "hf.override", {"site": "east"}, PAUSE, 24, 73,
        also=({"setting": "ED"}, {"setting": "inpatient"}),
    ),
    Harm(south_answers_alerts_six_times_as_late, "hf.ack_latency", {"site": "south"}, PAUSE, 24, 73),
))  # fmt: skip
INPUTS = Stream(MONDAY_MS, 49, (
    Harm(
        north_looks_through_another_contrast, "drift.px_mean", {"site": "north"}, PAUSE, 0, 49,
        also=({"scanner_vendor": "VendorC"}, {"scanner_vendor": "VendorA"}),
    ),
    Harm(south_sends_no_pixel_mean, "dq.missing", {"feature": "px_mean", "site": "south"}, PAUSE, 12, 9),
    Harm(suspicious_images_of_south_get_lost, "stab.score_variance", {"site": "south"}, INVESTIGATE, 0, 49),
))  # fmt: skip
MONTHS_END = Stream(from_text("2026-05-30T00:00:00Z"), 48, (
    Harm(east_clips_its_scores_to_one, "out.saturation", {"site": "east"}, ROLLBACK, 25, 20),
    Harm(south_raises_more_alerts, "burden.rate", {"site": "south"}, ROLLBACK, 8, 8),
    Harm(half_the_examinations_are_not_made, "use.volume", FLEET, INVESTIGATE, 34, 3.1),
    Harm(south_reports_no_more_findings, "lab.capture", {"site": "south"}, INVESTIGATE, 24, 6),
    Harm(devices_run_another_feature_schema, "schema.feature_digest", FLEET, PAUSE, 10, 0.2),
    Harm(the_fleet_runs_another_model, "identity.release", FLEET, ROLLBACK, 30, 0.2),
    Harm(north_sends_everything_twice, "dup.retransmit", {"gateway": "gw-north"}, INVESTIGATE, 12, 8),
    Harm(the_clock_of_east_1_is_two_hours_slow, "time.skew", {"device": "east-1"}, PAUSE, 12, 12),
    Harm(north_2_is_not_heard_for_ten_minutes, "dev.silent", {"device": "north-2"}, INVESTIGATE, 43, 0.1),
    Harm(
        two_gateways_are_not_heard_for_forty_minutes, "dev.silent", {"gateway": "gw-south"}, PAUSE, 44, 0.6,
        also=({"gateway": "gw-east"}, {"device": "south-1"}, {"device": "east-1"}),
    ),
    Harm(two_gateways_are_not_heard_for_forty_minutes, "sec.cert", {"gateway": "gw-east"}, PAUSE, 42, 0.1),
    Harm(one_patient_is_harmed_in_earnest, "safety.serious", FLEET, PAUSE, 33, 0.6),
    Harm(six_near_misses_to_which_the_device_contributed, "safety.ae", FLEET, ROLLBACK, 20, 6),
    Harm(twenty_incidents_that_harmed_nobody, "trend.art88", FLEET, INVESTIGATE, 1.5, 45),
))  # fmt: skip
STREAMS = {"week": WEEK, "inputs": INPUTS, "months_end": MONTHS_END}
PLANTED = [
    pytest.param(name, harm, id=f"{harm.plant.__name__}-{harm.monitor}") for name, one in STREAMS.items() for harm in one.harms
]


@cache
def example() -> dict[str, Any]:
    return load_document(EXAMPLE.read_bytes(), EXAMPLE.name)


def replayed(fleet: Fleet, hours: float) -> list[Line]:
    """Every line of `pms replay` in memory."""
    until_ms = fleet.time_ms(hours)
    replay = Replay(Registry([registration_of(fleet.manifest, EXAMPLE.name)]), MemoryStore(), is_kept=False)
    return list(replay.run(fleet.lines(until_ms), until_ms))


@cache
def seen(name: str) -> list[Line]:
    """What a stream shows with all its harms in it."""
    stream = STREAMS[name]
    fleet = healthy(example(), round(stream.hours), SEED, stream.start_ms)
    for plant in dict.fromkeys(harm.plant for harm in stream.harms):
        plant(fleet)
    return replayed(fleet, stream.hours)


def reached(lines: Iterable[Line]) -> dict[tuple[str, frozenset[tuple[str, str]]], list[Line]]:
    """Lines that open or escalate an incident, by monitor and scope."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], list[Line]] = {}
    for line in of_kind(lines, "incident"):
        if line["state"] == "open":
            found.setdefault((line["monitor_id"], frozenset(line["scope"].items())), []).append(line)
    return found


@pytest.mark.parametrize(("name", "harm"), PLANTED)
def test_the_harm_opens_an_incident_of_its_monitor_and_scope_at_its_level_and_in_time(name: str, harm: Harm) -> None:
    lines = reached(seen(name)).get((harm.monitor, frozenset(harm.scope.items())), [])
    assert [line["level"] for line in lines][-1:] == [harm.level]
    since_ms = STREAMS[name].start_ms + harm.since_h * HOUR_MS
    assert since_ms < from_text(lines[0]["opened_at"]) <= from_text(lines[-1]["changed_at"]) <= since_ms + harm.within_h * HOUR_MS


@pytest.mark.parametrize("name", STREAMS)
def test_every_other_site_and_monitor_stays_quiet(name: str) -> None:
    monitors = {one.monitor for one in STREAMS[name].harms}
    allowed = {(one.monitor, frozenset(scope.items())) for one in STREAMS[name].harms for scope in (one.scope, *one.also)}
    assert set(reached(seen(name))) <= allowed
    verdicts = {
        line["verdict"]
        for line in of_kind(seen(name), "status")
        if line["monitor_id"] in monitors and (line["monitor_id"], frozenset(line["scope"].items())) not in allowed
    }
    assert "met" in verdicts
    assert "breached" not in verdicts


def test_a_day_on_which_all_is_well_is_quiet() -> None:
    lines = replayed(healthy(example(), 24, SEED), 24)
    assert reached(lines) == {}
    assert sum(line["verdict"] == "met" for line in of_kind(lines, "status")) > 20


# law 7 ------------------------------------------------------------------------------------------------------
def rollbacks(lines: Iterable[Line]) -> list[Line]:
    return [line for line in of_kind(lines, "trigger") if line["action"] == "rollback_request"]


def test_drift_alone_pauses_and_never_asks_for_a_rollback() -> None:
    actions = {(line["monitor_id"], line["action"]) for line in of_kind(seen("inputs"), "trigger")}
    assert actions == {("drift.px_mean", "pause_rollout"), ("dq.missing", "pause_rollout")}


@pytest.mark.parametrize("monitor", ["out.saturation", "burden.rate"])
def test_a_level_called_rollback_that_the_manifest_does_not_let_roll_back_pauses(monitor: str) -> None:
    levels = {line["level"] for line in of_kind(seen("months_end"), "incident") if line["monitor_id"] == monitor}
    assert ROLLBACK in levels
    assert {line["action"] for line in of_kind(seen("months_end"), "trigger") if line["monitor_id"] == monitor} == {
        "pause_rollout"
    }


def test_a_broken_claim_a_wrong_model_and_a_serious_signal_ask_for_one_that_the_clinical_lead_confirms() -> None:
    asked = [line for name in STREAMS for line in rollbacks(seen(name))]
    assert {line["monitor_id"] for line in asked} == {
        "perf.sensitivity", "sub.sensitivity.age_band", "identity.release", "safety.ae",
    }  # fmt: skip
    assert {line["requires_confirmation_by"] for line in asked} == {"clinical_lead"}


# what is watched --------------------------------------------------------------------------------------------
NOT_SHOWN = {
    ("lab.capture", PAUSE): "a window without labels is mature after ten days (maturity: or_age)",
    ("safety.serious", ROLLBACK): "a signed decision of the clinical lead, no telemetry",
}
"""Highest levels of the manifest that no harm here reaches, and why not."""


def test_every_monitor_of_the_manifest_has_its_harm_at_its_highest_level_or_a_reason() -> None:
    shown = {(harm.monitor, harm.level) for one in STREAMS.values() for harm in one.harms}
    highest = {
        (monitor["id"], [level for level in (INVESTIGATE, PAUSE, ROLLBACK) if monitor["limits"].get(level)][-1])
        for monitor in example()["surveillance"]["monitors"]
    }
    assert highest - shown == set(NOT_SHOWN)
    assert {monitor for monitor, _ in highest} == {monitor for monitor, _ in shown}


def test_a_value_that_is_not_sent_is_no_missing_value_and_leaves_its_drift_undecided() -> None:
    """The example has no `absent_rate`: that south stops sending the pixel mean is seen only by what can no longer be said."""
    fleet = healthy(example(), 25, SEED)
    fleet.px_sent[fleet.where(site="south")] = False
    lines = replayed(fleet, 25)
    assert reached(lines) == {}
    said = {
        (line["monitor_id"], line["scope"].get("feature")): line
        for line in of_kind(lines, "status")
        if line["scope"].get("site") == "south"
    }
    assert (said["drift.px_mean", None]["verdict"], said["drift.px_mean", None]["reason"]) == ("inconclusive", "below_minimum_n")
    assert said["dq.missing", "px_mean"]["verdict"] == "inconclusive"
    assert said["dq.missing", "view_position"]["verdict"] == "met"


def looking_back(windows: int) -> dict[str, Any]:
    """The example with a monitor of identities that takes any of so many last windows for an incident."""
    monitors = [
        one | ({"persistence": {"k": 1, "of": windows}} if one["id"] == "identity.release" else {})
        for one in example()["surveillance"]["monitors"]
    ]
    return example() | {"surveillance": example()["surveillance"] | {"monitors": monitors}}


@pytest.mark.parametrize(("windows", "opened"), [(1, []), (60, ["identity.release"])])
def test_a_wrong_model_that_is_told_of_half_an_hour_late_opens_only_what_looks_back(windows: int, opened: list[str]) -> None:
    """A revision of windows older than the last `of` opens no incident, and of counts `of` is 1 where they say nothing else."""
    fleet = healthy(looking_back(windows), 4, SEED)
    fleet.model_digest[fleet.where(since_h=2, until_h=2.1)] = OTHER_DIGEST
    assert [monitor for monitor, _ in reached(replayed(fleet, 4))] == opened
