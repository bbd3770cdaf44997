"""The demo's story: two failures are in the data; both are found where they are, nothing is found elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from streams.demo import MANIFEST
from streams.demo_pipeline import LOG_ID, DemoPipeline
from streams.demo_story import PARTITIONS, slices_of
from streams.simulated_fleet.arrivals import fleet_days
from streams.simulated_fleet.cases import DAYS, MISS_DAY, SHIFT_DAY, START_MS
from streams.simulated_fleet.disorder import BAD_CLOCK_DEVICE, Arrival
from streams.simulated_fleet.events import Installed
from surveillance.evaluation.status import status_lines
from surveillance.incidents.lines import line_text
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.parse import read_document
from surveillance.store.memory import MemoryStore
from surveillance.times import DAY_MS, from_text

DOCUMENT = read_document(MANIFEST)
INSTALLED = Installed.by(DOCUMENT, manifest_digest(DOCUMENT))
UNREADABLE = (
    "field_invalid:score",
    "field_missing:inference_id",
    "forbidden_field",
    "not_json",
    "schema_unknown",
    "score_not_finite",
)


@dataclass(frozen=True)
class Told:
    """What came of `days` of the story."""

    lines: Sequence[dict[str, Any]]
    status: Sequence[dict[str, Any]]
    pipeline: DemoPipeline
    store: MemoryStore

    def incidents(self, monitor: str = "") -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] == "incident" and line["monitor_id"].startswith(monitor)]

    def triggers(self) -> list[tuple[str, str]]:
        return [(line["monitor_id"], line["action"]) for line in self.lines if line["kind"] == "trigger"]

    @property
    def summary(self) -> dict[str, Any]:
        return self.status[-1]


def told(days: int) -> Told:
    store = MemoryStore()
    pipeline = DemoPipeline(store, DOCUMENT, START_MS)
    lines = [line for part in slices_of(INSTALLED, pipeline.topic, days) for line in pipeline.step(part.messages)]
    return Told(lines, [dict(line) for line in status_lines(store)], pipeline, store)


@pytest.fixture(scope="module")
def whole() -> Told:
    return told(DAYS)


def day_of(time: str) -> int:
    """Day of the story, counted from 1, that ends at this time or holds it."""
    return -((START_MS - from_text(time)) // DAY_MS)


def test_the_input_drifts_at_the_site_of_the_firmware_and_nowhere_else(whole: Told) -> None:
    (opened,) = whole.incidents("drift")
    assert (opened["monitor_id"], opened["scope"], opened["state"]) == ("drift.px_mean", {"site": "site-07"}, "open")
    assert SHIFT_DAY <= day_of(opened["changed_at"]) <= SHIFT_DAY + 1


def test_drift_alone_asks_for_nothing(whole: Told) -> None:
    (opened,) = whole.incidents("drift")
    assert opened["level"] == "investigate"
    assert all(not monitor.startswith("drift") for monitor, _ in whole.triggers())


def test_sensitivity_falls_in_the_oldest_and_in_no_other_group(whole: Told) -> None:
    assert {str(line["scope"]) for line in whole.incidents("sub")} == {str({"age_band": "75+"})}
    assert day_of(whole.incidents("sub")[0]["changed_at"]) > MISS_DAY


def test_the_chart_asks_for_a_pause_and_the_proven_fall_for_the_way_back(whole: Told) -> None:
    assert [line["level"] for line in whole.incidents("sub.sensitivity")] == ["investigate", "pause", "rollback_or_field_safety"]
    assert whole.triggers() == [
        ("sub.misses", "pause_rollout"),
        ("sub.sensitivity", "pause_rollout"),
        ("sub.sensitivity", "rollback_request"),
    ]
    (request,) = [line for line in whole.lines if line.get("action") == "rollback_request"]
    assert request["requires_confirmation_by"] == "clinical_lead"
    assert request["target"]["release_id"] == DOCUMENT["rollback"]["target"]["release_id"]


def test_nothing_else_opens(whole: Told) -> None:
    assert {line["monitor_id"] for line in whole.incidents()} == {"drift.px_mean", "sub.misses", "sub.sensitivity"}
    breached = {line["monitor_id"] for line in whole.status[:-1] if line["verdict"] == "breached"}
    assert breached <= {"drift.px_mean", "sub.misses", "sub.sensitivity"}


def test_every_monitor_had_something_to_say(whole: Told) -> None:
    said = {line["monitor_id"] for line in whole.status[:-1] if line["verdict"] != "inconclusive" or "last_conclusive" in line}
    assert said == {monitor["id"] for monitor in DOCUMENT["surveillance"]["monitors"]}


def test_every_line_that_arrived_is_in_the_ledger_once(whole: Told) -> None:
    arrived = sum(len(arrivals) for arrivals in fleet_days(INSTALLED))
    summary = whole.summary
    assert summary["events"] == arrived
    assert summary["counted"] + summary["duplicates"] + summary["late"] + sum(summary["quarantined"].values()) == arrived
    assert {reason: summary["quarantined"][reason] for reason in UNREADABLE} == dict.fromkeys(UNREADABLE, DAYS)
    assert min(summary["duplicates"], summary["late"], summary["quarantined"]["clock_skew"]) > 0


def test_only_the_device_whose_clock_jumped_is_refused_for_its_time(whole: Told) -> None:
    skewed = [one for one in whole.store.read_quarantine(LOG_ID) if one.reason == "clock_skew"]
    assert skewed
    assert all(one.payload is not None and f'"{BAD_CLOCK_DEVICE}"'.encode() in one.payload for one in skewed)


def test_what_was_decided_and_refused_stands_in_the_topics_of_production(whole: Told) -> None:
    log = whole.pipeline.log
    sent = [record.value or b"" for topic in ("pms.incidents", "pms.triggers") for record in log.read(topic, 0, 0)]
    assert sorted(sent) == sorted(line_text(line).encode() for line in whole.lines)
    refused = sum(len(log.read("pms.quarantine", partition, 0)) for partition in range(PARTITIONS))
    assert refused == sum(whole.summary["quarantined"].values())


def test_told_again_it_is_the_same_story(whole: Told) -> None:
    days = SHIFT_DAY + 1
    again = told(days).lines
    assert again
    assert again == [line for line in whole.lines if day_of(line.get("changed_at") or line["emitted_at"]) <= days]


def test_the_fleet_arrives_in_order_and_mixes_what_the_field_mixes() -> None:
    arrivals: list[Arrival] = [arrival for day in fleet_days(INSTALLED, days=2) for arrival in day]
    assert [one.at_ms for one in arrivals] == sorted(one.at_ms for one in arrivals)
    assert len({one.device_id for one in arrivals}) == 40
    kinds = Counter(
        schema
        for schema in ("inference", "outcome", "alert_action", "heartbeat")
        for one in arrivals
        if f'"pms.{schema}"'.encode() in one.line
    )
    assert min(kinds.values()) > 500
    assert len(kinds) == 4
