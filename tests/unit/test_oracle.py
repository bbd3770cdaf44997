"""The oracle against cases small enough to work out by hand."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle import drift, intervals, of_weights, replay, replay_incidents
from tests.oracle.policy import Policy, Registry, canonical
from tests.oracle.streams import CALM, generate, manifest
from tests.oracle.times import format_time, parse_duration, parse_time

DAY = "2026-03-02"
START = parse_time(f"{DAY}T00:00:00Z")
MINUTE, HOUR = 60_000, 3_600_000
EVERYTHING: frozenset[tuple[str, str]] = frozenset()


def watching(metric: dict[str, Any], limits: dict[str, Any], window: str | None = "w1h", **more: Any) -> dict[str, Any]:
    found = {"id": "m", "hazard_id": "HZ-1", "metric": metric, "limits": limits, "playbook": "PB-1", **more}
    return found | ({} if window is None else {"window": window})


def release(*monitors: dict[str, Any], below_min: str | None = None, **min_sample: int) -> dict[str, Any]:
    found = manifest("rm-a", 1, "rel-a", below_min=below_min, watched=list(monitors))
    found["strata"]["min_sample"] = min_sample
    return found


def event(kind: str, number: object, at_ms: int, arrives_ms: int | None = None, **fields: Any) -> bytes:
    """An event at `at_ms` after midnight that arrives at `arrives_ms` (default: at once)."""
    arrives_ms = at_ms if arrives_ms is None else arrives_ms
    envelope = {
        "schema": f"pms.{kind}", "schema_version": 2, "event_id": f"{kind}-{number}", "product": "p", "site_id": "s1",
        "device_id": "d1", "release_id": "rel-a", "event_time": format_time(START + at_ms),
        "ingest_time": format_time(START + arrives_ms),
    }  # fmt: skip
    return json.dumps(envelope | fields).encode()


def inference(number: object, at_ms: int, score: float = 0.1, arrives_ms: int | None = None, **fields: Any) -> bytes:
    own: dict[str, Any] = {
        "inference_id": str(number),
        "score": score,
        "alert_raised": score >= 0.5,
        "threshold_applied": 0.5,
        "features": {},
    }
    return event("inference", number, at_ms, arrives_ms, **(own | fields))


def outcome(number: object, label: int, at_ms: int, kind: str = "report", of: object = None, **fields: Any) -> bytes:
    joined = str(number if of is None else of)
    own: dict[str, Any] = {
        "outcome_id": str(number),
        "inference_id": joined,
        "label": label,
        "label_kind": kind,
        "label_time": format_time(START),
    }
    return event("outcome", number, at_ms, **(own | fields))


def heartbeat(number: object, at_ms: int, **fields: Any) -> bytes:
    own: dict[str, Any] = {"uptime_s": 1, "inferences_since_last": 0, "errors_since_last": 0, "buffer_depth": 0, "releases": []}
    return event("heartbeat", number, at_ms, **(own | fields))


def the_line(document: dict[str, Any], lines: list[bytes], until: str | None = None, **scope: str) -> dict[str, Any]:
    """The one status line of monitor `m` and a scope."""
    found = replay([document], lines, until)
    return found.status[(found.digests[0], "m", frozenset(scope.items()))]


SENSITIVITY = {"type": "proportion_vs_floor", "event": "sensitivity"}


def test_every_event_is_in_exactly_one_class() -> None:
    lines = [
        inference(1, 0),
        inference(1, 0, arrives_ms=1000),
        inference(2, 0, arrives_ms=7 * HOUR),
        inference(2, 0, arrives_ms=7 * HOUR + 1),
        b"{",
        b"  ",
        b"[]",
        inference(3, 8 * HOUR, score=float("nan")),
        inference(4, 8 * HOUR, release_id="rel-x"),
        inference(5, 8 * HOUR, manifest_digest="sha256:" + "0" * 64),
        inference(6, 9 * HOUR, arrives_ms=8 * HOUR),
        inference(7, 8 * HOUR, event_time="2026-03-02 noon"),
        inference(8, 8 * HOUR, label=3),
    ]
    summary = replay([release()], lines).summary
    assert summary == {
        "events": 12, "counted": 1, "duplicates": 2, "late": 1, "watermark": f"{DAY}T08:00:00Z",
        "quarantined": {
            "clock_skew": 1, "field_invalid:label": 1, "manifest_unknown": 1, "not_json": 2, "release_unknown": 1,
            "score_not_finite": 1, "time_invalid": 1,
        },
    }  # fmt: skip


def test_a_quarantined_event_does_not_stand_as_the_first_of_its_id() -> None:
    repaired = replay([release()], [inference(1, 0, score=2.0), inference(1, 0, score=0.2)]).summary
    assert (repaired["counted"], repaired["duplicates"]) == (1, 0)


def test_the_same_id_beyond_the_retransmit_window_is_counted_again() -> None:
    lines = [heartbeat(1, 0), heartbeat(1, 24 * HOUR + 1)]
    assert replay([release()], lines).summary["counted"] == 2


def test_records_that_arrive_after_until_are_not_read() -> None:
    summary = replay([release()], [inference(1, 0), inference(2, HOUR)], until=f"{DAY}T00:30:00Z").summary
    assert (summary["events"], summary["watermark"]) == (1, f"{DAY}T00:30:00Z")


def test_a_carried_digest_counts_under_the_highest_revision_in_force() -> None:
    first, second = release(), release() | {"revision": 2}
    second["surveillance"] = second["surveillance"] | {"effective_from": f"{DAY}T12:00:00Z"}
    registry = Registry([first, second])
    carried = {"manifest_digest": registry.policies[0].digest, "release_id": "rel-a"}
    noon = parse_time(f"{DAY}T12:00:00Z")
    assert [registry.resolve(carried, at) for at in (noon - 1, noon)] == registry.policies
    assert (
        registry.resolve({"manifest_digest": registry.policies[1].digest, "release_id": "rel-a"}, noon - 1) == "manifest_unknown"
    )
    assert registry.resolve({"release_id": "rel-a"}, noon) is registry.policies[1]


def test_encounters_and_onsets_follow_the_token() -> None:
    """Token t: seen, alert (onset), alert again, 25 h later an alert (encounter, onset). No token: both. Shadow: neither."""
    document = release(
        watching(
            {"type": "rate", "numerator": "alert_onsets", "denominator": "encounters"},
            {"investigate": {"ci_lower_above": 9}},
            "cumulative",
        )
    )
    lines = [
        inference(1, 0, 0.1, encounter_token="t"),
        inference(2, HOUR, 0.9, encounter_token="t"),
        inference(3, 2 * HOUR, 0.9, encounter_token="t"),
        inference(4, 3 * HOUR, 0.9, encounter_token="t", mode="shadow"),
        inference(5, 4 * HOUR, 0.9),
        inference(6, 27 * HOUR, 0.9, encounter_token="t"),
    ]
    estimate = the_line(document, lines, until="2026-03-04T00:00:00Z")["estimate"]
    assert (estimate["value"], estimate["n"]) == (1.0, 3)


def test_sensitivity_takes_one_label_per_inference_and_wilson_in_a_tumbling_window() -> None:
    """Three positives, two flagged: one label changes by a better kind, one by a revision, one comes before its inference."""
    document = release(watching(SENSITIVITY, {"investigate": {"ci_upper_below": 0.95}}))
    lines = [
        outcome("early", 1, 0, of=1, verification="routine"),
        inference(1, 0, 0.9, arrives_ms=1000),
        inference(2, MINUTE, 0.9),
        inference(3, 2 * MINUTE, 0.1),
        inference(4, 3 * MINUTE, 0.1),
        outcome(2, 0, HOUR, "code"),
        outcome("2b", 1, HOUR, "clinician_read", of=2),
        outcome("2c", 0, HOUR, "report", of=2, revision=9),
        outcome(3, 0, HOUR),
        outcome("3b", 1, HOUR, of=3, revision=2),
        outcome(4, 0, HOUR),
    ]
    line = the_line(document, lines)
    assert line["window"] == {"start": f"{DAY}T00:00:00Z", "end": f"{DAY}T01:00:00Z"}
    assert line["estimate"] == pytest.approx(
        {"value": 2 / 3, "lower": 0.20766, "upper": 0.93851, "n": 3, "method": "wilson"}, abs=1e-5
    )
    assert line["verdict"] == "breached"


def test_without_a_verified_unflagged_label_sensitivity_is_biased() -> None:
    document = release(watching(SENSITIVITY, {"investigate": {"ci_upper_below": 0.9}}))
    lines = [
        inference(1, 0, 0.9),
        inference(2, 0, 0.1),
        inference(3, 0, 0.1),
        outcome(1, 1, 1),
        outcome(2, 1, 1, verification="incidental"),
    ]
    assert the_line(document, [*lines, heartbeat(1, 2 * HOUR)])["reason"] == "no_exposure"
    assert the_line(document, [*lines, heartbeat(1, HOUR)])["reason"] == "verification_bias"


def test_a_short_window_grows_backwards_until_its_minimum() -> None:
    document = release(
        watching({"type": "missing_rate", "feature": "px"}, {"investigate": {"abs": 0.9}}), below_min="accumulate", inferences=3
    )
    lines = [inference(n, n * HOUR, features={"px": 0.0}) for n in range(6)]
    line = the_line(document, lines, until=f"{DAY}T06:00:00Z")
    assert (line["window"]["start"], line["estimate"]["n"], line["verdict"]) == (f"{DAY}T03:00:00Z", 3, "met")


def test_a_short_scope_reports_its_parent_and_says_so() -> None:
    metric = {"type": "missing_rate", "feature": "px"}
    document = release(watching(metric, {"investigate": {"abs": 0.9}}, by=["site"]), below_min="pool_to_parent", inferences=3)
    lines = [inference(n, n, features={"px": None}, site_id=site) for n, site in enumerate(["s1", "s2", "s2"])]
    line = the_line(document, lines, until=f"{DAY}T01:00:00Z", site="s1")
    assert (line["pooled_to"], line["estimate"]["n"], line["estimate"]["value"]) == ({}, 3, 1.0)


def test_below_the_minimum_the_last_conclusive_window_stands_beside_the_line() -> None:
    document = release(watching({"type": "missing_rate", "feature": "px"}, {"investigate": {"abs": 0.5}}), inferences=8)
    lines = [inference(n, n, features={"px": None}) for n in range(8)] + [inference(9, HOUR, features={"px": 1})]
    line = the_line(document, lines, until=f"{DAY}T02:00:00Z")
    assert (line["verdict"], line["reason"], line["needed"]) == ("inconclusive", "below_minimum_n", 8)
    assert (line["last_conclusive"]["verdict"], line["last_conclusive"]["window"]["end"]) == ("breached", f"{DAY}T01:00:00Z")


def test_a_window_holds_its_start_and_not_its_end() -> None:
    document = release(watching({"type": "mismatch_count", "field": "model_digest"}, {"investigate": {"ge": 1}}))
    lines = [inference(1, 0), inference(2, HOUR - 1), inference(3, HOUR, model_digest="sha256:no")]
    assert the_line(document, lines)["estimate"]["n"] == 2
    later = the_line(document, lines, until=f"{DAY}T02:00:00Z")
    assert (later["estimate"]["n"], later["estimate"]["value"], later["verdict"]) == (1, 1.0, "breached")


def test_a_digest_of_another_release_is_an_identity_mismatch() -> None:
    document = release(watching({"type": "identity_mismatch", "fields": ["model_digest"]}, {"investigate": {"ge": 1}}))
    carried = inference(1, 0, manifest_digest=Policy(0, document).digest, release_id="rel-other")
    assert the_line(document, [carried], until=f"{DAY}T01:00:00Z")["estimate"]["value"] == 1.0


def test_the_psi_of_two_bins_is_the_smoothed_formula() -> None:
    """Counts 10 of 40 against 1/2 with m = 100: q = 10.5/41, r = 50.5/101."""
    distance, p = drift.psi(drift.Histogram(np.array([10.0, 30.0]), np.array([0.5, 0.5]), 100.0, None))
    by_hand = (10.5 / 41 - 0.5) * math.log(10.5 / 41 / 0.5) + (30.5 / 41 - 0.5) * math.log(30.5 / 41 / 0.5)
    assert distance == pytest.approx(by_hand)
    assert p == pytest.approx(math.erfc(math.sqrt(by_hand * 4000 / 140 / 2)))


def test_benjamini_hochberg_adjusts_as_the_textbook_table() -> None:
    assert intervals.benjamini_hochberg([0.04, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])


def test_the_confidence_sequence_ends_where_the_mixture_reaches_twenty() -> None:
    lower, upper = intervals.confidence_sequence(3, 10, 0.95)
    for p in (lower, upper):
        mixture = math.gamma(3.5) * math.gamma(7.5) / math.gamma(11) / math.pi
        assert mixture / (p**3 * (1 - p) ** 7) == pytest.approx(20)
    assert intervals.confidence_sequence(0, 5, 0.95)[0] == 0.0
    assert intervals.confidence_sequence(5, 5, 0.95)[1] == 1.0


def test_the_latency_curve_passes_its_three_points() -> None:
    assert [intervals.latency_share(age, 2, 8, 16) for age in (0, 2, 8, 16)] == pytest.approx([0, 0.5, 0.95, 0.99])


def test_auroc_counts_ties_half() -> None:
    """Positives .4 .8, negatives .2 .4: three wins and one tie of four."""
    wins = of_weights.wins_of(np.array([0.4, 0.8, 0.2, 0.4]), np.array([1.0, 1.0, 0.0, 0.0]))
    assert wins.tolist() == [[1.0, 0.5], [1.0, 1.0]]


def test_a_bet_on_calibration_is_won_by_the_odds_it_named() -> None:
    """One case of score 1/2, where tilts bet nothing: seven times each shift but 0, and six times nothing at all."""
    won = [math.exp(shift) / (1 + math.exp(shift)) / 0.5 for shift in of_weights.SHIFTS[1:]]
    assert of_weights.calibration_e(np.array([0.5]), np.array([1.0])) == pytest.approx((7 * sum(won) + 6) / 62)


def test_a_row_of_spiegelhalters_sum_lies_between_an_eighth_below_and_one_above() -> None:
    p = np.linspace(0, 1, 1001)
    terms = np.concatenate([(1 - p) * (1 - 2 * p), -p * (1 - 2 * p)])
    assert (terms.min(), terms.max()) == (pytest.approx(-0.125), 1.0)
    assert of_weights.spiegelhalter_e(np.array([0.5]), np.array([1.0])) == pytest.approx(1.0)


def test_a_perfect_split_has_no_slope() -> None:
    assert intervals.cox_slope(np.array([0.1, 0.2, 0.8]), np.array([0.0, 0.0, 1.0]), 0.95) == "separation"


@pytest.mark.parametrize(("name", "slope"), [("simulated_welldata", 0.9942), ("simulated_misdata", 0.4975)])
def test_the_slope_of_published_data(name: str, slope: float) -> None:
    """Published: .9942 and .4971; clipping scores at 1e-6 moves the second to .4975."""
    path = Path(__file__).resolve().parents[3] / "shared" / "data" / "calzone" / f"{name}.csv"
    if not path.exists():
        pytest.skip(f"no {path.name}: ../shared/data stands beside the project only where it is developed")
    with path.open() as file:
        rows = np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])
    found = intervals.cox_slope(rows[:, 1], rows[:, 2], 0.95)
    assert not isinstance(found, str)
    assert found[0] == pytest.approx(slope, abs=1e-4)


def test_a_miss_cusum_adds_up_in_pane_order() -> None:
    """Miss +ln 3, catch -ln(9/7): three panes give 1.0986, 0.8473, 3.0445."""
    metric = {"type": "bernoulli_cusum", "event": "miss", "p0": 0.1, "p1": 0.3}
    document = release(watching(metric, {"investigate": {"h": 3}, "pause": {"h": 3.1}}, "per_label"))
    lines = [inference(n, n, 0.9 if n == 2 else 0.1) for n in range(1, 5)]
    lines += [outcome(1, 1, 1 * HOUR), outcome(2, 1, 2 * HOUR), outcome(3, 1, 3 * HOUR), outcome(4, 1, 3 * HOUR + 1)]
    line = the_line(document, lines, until=f"{DAY}T04:00:00Z")
    assert line["estimate"]["value"] == pytest.approx(3 * math.log(3) - math.log(9 / 7))
    assert line["levels"] == {"investigate": "breached", "pause": "met"}


def test_a_chart_that_requires_maturity_waits_for_the_day() -> None:
    metric = {"type": "bernoulli_cusum", "event": "miss", "p0": 0.1, "p1": 0.3, "require_mature": True}
    document = release(watching(metric, {"investigate": {"h": 1}}, "per_label"))
    lines = [inference(1, 0), outcome(1, 1, HOUR)]
    assert the_line(document, lines, until=f"{DAY}T23:59:59Z")["reason"] == "immature_labels"
    assert the_line(document, lines, until="2026-03-03T00:05:00Z")["verdict"] == "breached"


def test_verification_corrects_the_parameters_of_a_chart() -> None:
    """Unflagged cases labelled 1 of 2, flagged 1 of 1: p' = p/2 / (p/2 + 1 - p), so .1 -> 1/19 and .3 -> 3/17."""
    metric = {"type": "bernoulli_cusum", "event": "miss", "p0": 0.1, "p1": 0.3, "verification_correction": "begg_greenes"}
    document = release(watching(metric, {"investigate": {"h": 9}}, "per_label"))
    document["baselines"]["label_latency"]["maturity"] = {"coverage_min": 0.6}
    lines = [inference(1, 0, 0.9), inference(2, 0), inference(3, 0), outcome(1, 0, 30 * HOUR), outcome(2, 1, 30 * HOUR)]
    line = the_line(document, lines, until="2026-03-04T00:00:00Z")
    assert line["estimate"]["value"] == pytest.approx(math.log((3 / 17) / (1 / 19)))


def test_missed_beats_are_seen_up_to_until_and_a_gateway_hears_any_of_its_devices() -> None:
    document = release(watching({"type": "heartbeat_gap"}, {"investigate": {"missed": 3}}, None, by=["gateway", "device"]))
    lines = [heartbeat(1, 0, gateway_id="g"), heartbeat(2, 35 * MINUTE, gateway_id="g", device_id="d2")]
    found = replay([document], lines, until=f"{DAY}T00:49:00Z")
    values = {scope: line["estimate"]["value"] for (_, _, scope), line in found.status.items()}
    assert values == {frozenset({("device", "d1")}): 4, frozenset({("device", "d2")}): 0, frozenset({("gateway", "g")}): 0}


def test_a_silence_that_one_record_ends_was_still_an_incident() -> None:
    document = release(watching({"type": "heartbeat_gap"}, {"investigate": {"missed": 3}}, None, by=["device"]))
    lines = replay_incidents(
        [document], [heartbeat(1, 0), heartbeat(2, 60 * MINUTE), *(heartbeat(n, n * 30 * MINUTE) for n in (3, 4))]
    )
    assert (lines[0]["state"], lines[0]["opened_at"]) == ("open", f"{DAY}T00:30:00Z")
    assert lines[1]["state"] == "resolved"


def missing(hour: int, share: str) -> list[bytes]:
    """Ten inferences of an hour, each with or without its value, and a beat that closes the hour."""
    values = {"all": None, "none": 0.0}
    return [inference(f"{hour}-{n}", hour * HOUR + n, features={"px": values[share]}) for n in range(10)]


def incident_lines(*hours: str) -> list[tuple[str, int, str, str]]:
    document = release(watching({"type": "missing_rate", "feature": "px"}, {"investigate": {"abs": 0.5}}))
    lines = [line for hour, share in enumerate(hours) if share != "empty" for line in missing(hour, share)]
    found = replay_incidents([document], lines, until=format_time(START + len(hours) * HOUR))
    return [(line["state"], line["ordinal"], line["window"]["end"][11:16], line["breached_since"][11:16]) for line in found]


def test_two_of_the_last_three_conclusive_windows_open_and_empty_ones_are_neither() -> None:
    assert incident_lines("all", "none", "empty", "all") == [("open", 0, "04:00", "03:00")]
    assert incident_lines("all", "empty", "all") == [("open", 0, "03:00", "00:00")]
    assert incident_lines("all", "none", "none", "all") == []


def test_three_met_windows_resolve_and_a_breach_inside_the_cooldown_reopens_the_same_incident() -> None:
    hours = ("all", "all", "none", "empty", "none", "none", "all", "all")
    assert incident_lines(*hours) == [
        ("open", 0, "02:00", "00:00"),
        ("resolved", 0, "06:00", "00:00"),
        ("open", 0, "08:00", "06:00"),
    ]


def test_a_breach_after_the_cooldown_is_another_incident() -> None:
    hours = ("all", "all", "none", "none", "none", *["none"] * 6, "all", "all")
    assert [line[:3] for line in incident_lines(*hours)] == [("open", 0, "02:00"), ("resolved", 0, "05:00"), ("open", 1, "13:00")]


def test_a_count_opens_at_the_first_crossing_and_escalates_once() -> None:
    limits = {"investigate": {"ge": 1}, "pause": {"ge": 2}}
    document = release(watching({"type": "mismatch_count", "field": "model_digest"}, limits, "cumulative"))
    lines = [inference(n, n * HOUR, model_digest="sha256:no") for n in range(3)]
    found = replay_incidents([document], lines)
    assert [(line["level"], line["opened_at"], line["at"]) for line in found] == [
        ("investigate", f"{DAY}T00:59:00Z", f"{DAY}T00:59:00Z"),
        ("pause", f"{DAY}T00:59:00Z", f"{DAY}T01:59:00Z"),
    ]


def test_a_revision_of_the_newest_window_may_still_open() -> None:
    document = release(watching({"type": "mismatch_count", "field": "model_digest"}, {"investigate": {"ge": 1}}))
    wrong = inference("late", MINUTE, arrives_ms=90 * MINUTE, model_digest="sha256:no")
    lines = [inference(1, 0), inference(2, 80 * MINUTE), wrong]
    found = replay_incidents([document], lines, until=f"{DAY}T01:50:00Z")
    assert [(line["window"]["end"], line["opened_at"]) for line in found] == [(f"{DAY}T01:00:00Z", f"{DAY}T01:50:00Z")]


def test_digests_are_of_the_rfc_8785_form() -> None:
    rfc8785 = pytest.importorskip("rfc8785")
    samples = [
        {"b": [1e-7, 1.5e-6, 0.00012, 1.0, -2.5, 1e20, 1e21, 0.1], "a": 'é\n"', "c": {"z": None, "y": True}},
        manifest("a", 1, "r"),
    ]
    for sample in samples:
        assert canonical(sample).encode() == rfc8785.dumps(sample)


def test_times_and_durations() -> None:
    assert parse_time("2026-03-02T01:00:00.1239+01:00") == START + 123
    assert format_time(START + 123) == f"{DAY}T00:00:00.123Z"
    assert parse_duration("P1DT2H3M4S") == 93_784_000


def test_generated_telemetry_repeats_and_its_ledger_adds_up() -> None:
    scenario = generate(5, inferences=60, hours=30)
    assert generate(5, inferences=60, hours=30) == scenario
    summary = replay(scenario.manifests, scenario.lines).summary
    assert summary["events"] == len(scenario.lines)
    assert summary["events"] == sum(summary[key] for key in ("counted", "duplicates", "late")) + sum(
        summary["quarantined"].values()
    )
    calm = generate(5, inferences=60, hours=30, trouble=CALM)
    assert replay(calm.manifests, calm.lines).summary["counted"] == len(calm.lines)
