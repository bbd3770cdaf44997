"""An incident of drift says where it came from, since when, and how the same people fare: eight scanners, four sites."""

from __future__ import annotations

from typing import Any

import pytest

from surveillance.times import HOUR_MS, from_text, to_text
from tests.scenario.drifting_fleet import ONSET_MS, SCANNERS, SITES, Plan, Scanner, events, manifest
from tests.scenario.replaying import Line, of_kind, replayed
from tests.scenario.stage import BEGIN_MS

BOTH_VERSIONS = tuple(one._replace(releases=("triage-2",) * 2) if one.is_odd else one for one in SCANNERS)
"""Half of the scanners run the new version all the time."""


def told(plan: Plan, *manifests: Line) -> list[Line]:
    """Every line of the replay."""
    return replayed(manifests or [manifest()], events(plan), to_text(BEGIN_MS + plan.hours * HOUR_MS))


def drift_incident(plan: Plan, *manifests: Line) -> Line:
    """The last line of the only incident of drift, which began with the onset."""
    lines = [one for one in of_kind(told(plan, *manifests), "incident") if one["monitor_id"] == "drift"]
    assert len({one["incident_id"] for one in lines}) == 1, [(one["scope"], one["opened_at"]) for one in lines]
    assert ONSET_MS - HOUR_MS <= from_text(lines[0]["breached_since"]) <= ONSET_MS + HOUR_MS
    return lines[-1]


def says(incident: Line, field: str, level: str) -> bool:
    """Whether the incident puts surely more than half of the change down to this level, in figures and in words."""
    explained = incident["attribution"]["explained_by"]
    named = (explained["field"], explained["level"]) == (field, level) and explained["lower"] > 0.5
    return named and f"{field} {level} accounts for".lower() in incident["summary"].lower()


def after(scanner: Scanner) -> bool:
    return scanner.is_after


def names_nobody(incident: Line) -> bool:
    return "accounts for" not in incident["summary"]


# which field -----------------------------------------------------------------------------------------------
def test_a_quiet_fleet_has_no_incident_to_explain() -> None:
    assert of_kind(told(Plan()), "incident") == []


@pytest.mark.parametrize("site", SITES)
def test_one_site_that_drifts_is_named(site: str) -> None:
    incident = drift_incident(Plan(drifts=lambda one: one.is_after and one.site == site, shift=3.0))
    assert says(incident, "site", site)
    assert incident["attribution"]["kind"] == "within_stratum"


@pytest.mark.parametrize("vendor", ["VendorA", "VendorB"])
def test_one_vendor_that_drifts_at_every_site_is_named(vendor: str) -> None:
    shift = 1.5 if vendor == "VendorB" else -1.5
    incident = drift_incident(Plan(drifts=lambda one: one.is_after and one.vendor == vendor, shift=shift))
    assert says(incident, "vendor", vendor)
    assert incident["attribution"]["kind"] == "within_stratum"


def test_new_firmware_on_scanners_of_both_vendors_and_all_sites_is_named() -> None:
    updated = Plan(
        drifts=lambda one: one.is_after and one.is_odd, firmware=lambda one: "2.0" if after(one) and one.is_odd else "1.0"
    )
    incident = drift_incident(updated)
    assert says(incident, "firmware", "2.0")
    assert incident["attribution"]["kind"] == "within_stratum"


def test_firmware_that_one_scanner_had_before_it_came_to_all_is_named() -> None:
    # The first scanner alone was too few to be seen; then the same firmware comes to every scanner.
    def is_updated(scanner: Scanner) -> bool:
        return scanner.is_after or scanner.number == 0

    incident = drift_incident(Plan(drifts=is_updated, shift=1.0, firmware=lambda one: "2.0" if is_updated(one) else "1.0"))
    assert says(incident, "firmware", "2.0")
    assert incident["attribution"]["kind"] == "within_stratum"


def updated(vendor: str, *, drifts: str, seed: int, shift: float = 1.0) -> Line:
    """The incident of a fleet in which every scanner of one vendor gets new firmware, as one vendor's images brighten."""
    plan = Plan(
        drifts=lambda one: one.is_after and one.vendor == drifts,
        shift=shift,
        firmware=lambda one: "2.0" if one.is_after and one.vendor == vendor else "1.0",
        seed=seed,
    )
    return drift_incident(plan)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("vendor", "shift"), [("VendorA", -1.0), ("VendorB", 1.0)])
def test_new_firmware_of_one_vendor_is_named_and_not_the_old_that_only_the_other_still_has(
    vendor: str, shift: float, seed: int
) -> None:
    # What is left of firmware 1.0 is the other vendor alone, whose images always differed: another selection, no change.
    assert says(updated(vendor, drifts=vendor, seed=seed, shift=shift), "firmware", "2.0")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("drifts", ["VendorA", "VendorB"])
def test_new_firmware_that_changes_nothing_is_not_named_where_the_other_vendor_drifts(drifts: str, seed: int) -> None:
    other = {"VendorA": "VendorB", "VendorB": "VendorA"}[drifts]
    assert says(updated(other, drifts=drifts, seed=seed, shift=1.5), "vendor", drifts)


def test_the_new_version_beside_the_old_one_is_named_and_the_old_one_stays_quiet() -> None:
    plan = Plan(drifts=lambda one: one.is_after and one.release == "triage-2", scanners=BOTH_VERSIONS)
    lines = told(plan, manifest(), manifest(release=2))
    assert {one["release_id"] for one in of_kind(lines, "incident")} == {"triage-2"}
    verdicts = {one["verdict"] for one in of_kind(lines, "status") if one["monitor_id"] == "drift"}
    assert verdicts == {"breached", "met"}
    assert says(of_kind(lines, "incident")[-1], "version", "triage-2")


def test_a_new_version_that_takes_over_and_drifts_is_named() -> None:
    scanners = tuple(one._replace(releases=("triage-1", "triage-2")) if one.is_odd else one for one in SCANNERS)
    plan = Plan(drifts=lambda one: one.release == "triage-2", scanners=scanners)
    incident = drift_incident(plan, manifest(), manifest(release=2))
    assert incident["release_id"] == "triage-2"
    assert says(incident, "version", "triage-2")


def test_a_site_that_drifts_under_both_versions_is_named_and_no_version() -> None:
    plan = Plan(drifts=lambda one: one.is_after and one.site == "south", shift=3.0, scanners=BOTH_VERSIONS, a_hour=240)
    incidents = of_kind(told(plan, manifest(), manifest(release=2)), "incident")
    assert {one["release_id"] for one in incidents} == {"triage-1", "triage-2"}
    assert all("site south accounts for" in one["summary"] for one in incidents if one["state"] == "open")


def test_another_device_with_a_feature_of_the_same_name_is_no_other_version() -> None:
    other = manifest(release=2) | {"device": {"name": "another device"}}
    plan = Plan(drifts=lambda one: one.is_after and one.release == "triage-2", scanners=BOTH_VERSIONS)
    incident = drift_incident(plan, manifest(), other)
    assert incident["attribution"]["explained_by"]["field"] != "version"


def test_when_everything_drifts_alike_nobody_is_named() -> None:
    incident = drift_incident(Plan(drifts=after))
    assert names_nobody(incident)
    assert incident["attribution"]["kind"] == "within_stratum"


# mix or strata ---------------------------------------------------------------------------------------------
def test_vendors_that_only_change_their_shares_are_a_mix_shift() -> None:
    incident = drift_incident(Plan(vendor_b=(0.5, 0.95)))
    assert incident["attribution"]["kind"] == "mix_shift"
    assert incident["attribution"]["mix"]["field"] == "vendor"
    assert "The mix by vendor explains it" in incident["summary"]
    assert says(incident, "vendor", "VendorB")  # the one that there is more of


def test_a_vendor_that_was_not_there_before_is_no_other_mix_of_what_was() -> None:
    # One scanner of each site is replaced by a new make, whose images are brighter.
    new = tuple(one._replace(vendor="VendorC") for one in SCANNERS[::2])
    incident = drift_incident(Plan(replaced_by=new))
    assert incident["attribution"]["kind"] == "within_stratum"
    assert says(incident, "vendor", "VendorC")


# since when ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", range(4))
def test_the_change_is_placed_in_the_hour_of_the_onset_or_the_next(seed: int) -> None:
    # Half an hour into a pane: that pane is half old and half new, so the first that is all new is the one after it.
    onset_ms = ONSET_MS + HOUR_MS // 2
    plan = Plan(drifts=after, shift=0.8, onset_ms=onset_ms, seed=seed, hours=54)
    lines = [one for one in of_kind(told(plan), "incident") if one["monitor_id"] == "drift" and one["state"] == "open"]
    changed = lines[-1]["attribution"]["change_point"]
    assert changed["method"] in ("page_hinkley", "adwin")
    assert from_text(changed["at"]) in (ONSET_MS, ONSET_MS + HOUR_MS)
    assert changed["earliest"] <= changed["at"] <= changed["latest"]
    assert f"the level changed about {changed['at']}" in lines[-1]["summary"]


# how the same people fare ----------------------------------------------------------------------------------
ELSEWHERE = {"breached": 0.99, "met": 0.4, "inconclusive": 0.4}
"""The other sites fare otherwise, so that telling of the wrong people would be seen."""


@pytest.mark.parametrize(("sensitivity", "verdict"), [(0.4, "breached"), (0.99, "met"), (None, "inconclusive")])
@pytest.mark.parametrize("drift_by", [("site",), ()], ids=["drift by site", "drift over all"])
def test_the_incident_says_how_the_drifted_site_fares(drift_by: tuple[str, ...], sensitivity: float | None, verdict: str) -> None:
    told_of = {"north": ELSEWHERE[verdict], "west": ELSEWHERE[verdict]} | ({} if sensitivity is None else {"south": sensitivity})
    plan = Plan(drifts=lambda one: one.is_after and one.site == "south", shift=2.0, sensitivity=told_of)
    incident = drift_incident(plan, manifest(drift_by=drift_by, sensitivity_by=("site",)))
    (performance,) = incident["attribution"]["performance"]
    assert (performance["monitor_id"], performance["scope"]) == ("sensitivity", {"site": "south"})
    assert performance["verdict"] == verdict
    assert performance["window"]["end"] == incident["window"]["end"], "judged at the same moment"
    where = "there" if drift_by else "for site south"
    assert f"sensitivity is {verdict} {where}" in incident["summary"]


def test_what_is_known_of_everybody_is_not_said_to_be_known_of_the_site() -> None:
    plan = Plan(drifts=lambda one: one.is_after and one.site == "south", sensitivity=dict.fromkeys(SITES, 0.99))
    incident = drift_incident(plan, manifest(drift_by=("site",)))
    (performance,) = incident["attribution"]["performance"]
    assert (performance["scope"], performance["verdict"]) == ({}, "met")
    assert "sensitivity is met over all" in incident["summary"]


def test_a_verdict_from_before_the_change_is_not_told_as_one_of_today() -> None:
    # A whole day is judged at midnight; the drift begins at midnight and is seen an hour or two later.
    document = manifest(drift_by=("site",), sensitivity_by=("site",))
    document["surveillance"]["windows"].append({"id": "w1d", "size": "P1D"})
    next(one for one in document["surveillance"]["monitors"] if one["id"] == "sensitivity")["window"] = "w1d"
    plan = Plan(drifts=lambda one: one.is_after and one.site == "south", sensitivity=dict.fromkeys(SITES, 0.99))
    incident = drift_incident(plan, document)
    (performance,) = incident["attribution"]["performance"]
    assert performance["verdict"] == "met"
    assert performance["reaches_change"] is False
    assert f"sensitivity was met there until {to_text(ONSET_MS)}, before the change" in incident["summary"]


def test_labels_that_are_too_young_say_what_was_last_known() -> None:
    def labels_stop(line: Any) -> bool:
        return b"pms.outcome" not in line or line.split(b'"event_time": "')[1] < to_text(ONSET_MS - 12 * HOUR_MS).encode()

    document = manifest(drift_by=("site",), sensitivity_by=("site",))
    plan = Plan(drifts=lambda one: one.is_after and one.site == "south", sensitivity=dict.fromkeys(SITES, 0.4))
    lines = replayed([document], filter(labels_stop, events(plan)), to_text(BEGIN_MS + plan.hours * HOUR_MS))
    incident = [one for one in of_kind(lines, "incident") if one["monitor_id"] == "drift"][-1]
    (performance,) = incident["attribution"]["performance"]
    assert performance["verdict"] == "inconclusive"
    assert performance["last_conclusive"]["verdict"] == "breached"
    assert f"last breached at {performance['last_conclusive']['window']['end']}" in incident["summary"]
