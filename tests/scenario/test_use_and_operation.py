"""Small streams through `pms replay`: waits for an acknowledgement, volume, clocks, certificates."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from surveillance.manifest.parse import read_document
from surveillance.times import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, from_text, to_text
from tests.scenario.replaying import Line, of_kind, replayed

WARD = Path(__file__).parent / "ward.manifest.yaml"
MONDAY_MS = from_text("2026-03-02T00:00:00Z")
ACK = {"type": "quantile", "field": "ack_latency_s", "q": 0.95, "censored": True}
_numbers = count(1)


def manifest(
    metric: dict[str, Any], limit: dict[str, Any], pause: dict[str, Any] | None = None, *, volume: Any = None, **rest: Any
) -> Line:
    """The ward's with one monitor `m`, without a minimum sample, that opens at the first breach."""
    found: Line = read_document(WARD)
    found["strata"]["min_sample"] = {}
    found["surveillance"]["persistence_default"] = {"k": 1, "of": 1, "clear_after": 1, "cooldown": "PT0S"}
    del found["rollback"]
    limits = {"investigate": limit, "pause": pause}
    monitor = {"id": "m", "hazard_id": "HZ-1", "metric": metric, "limits": limits, "playbook": "PB-1", **rest}
    found["surveillance"]["monitors"] = [monitor]
    if volume is not None:
        found["baselines"]["operational"]["expected_volume"] = volume
    return found


def event(schema: str, at_ms: int, arrival_ms: int | None = None, **fields: Any) -> tuple[int, bytes]:
    document = {
        "schema": f"pms.{schema}", "schema_version": 2, "event_id": f"e-{next(_numbers)}", "product": "triage",
        "site_id": "north", "device_id": "scanner-1", "gateway_id": "gw-1", "release_id": "triage-1",
        "event_time": to_text(at_ms), "ingest_time": to_text(at_ms if arrival_ms is None else arrival_ms), **fields,
    }  # fmt: skip
    return at_ms if arrival_ms is None else arrival_ms, json.dumps(document).encode()


def inference(at_ms: int, name: str = "", *, alert: bool = True, **fields: Any) -> tuple[int, bytes]:
    case = {"inference_id": name or f"i-{next(_numbers)}", "score": 0.9 if alert else 0.1, "alert_raised": alert}
    return event("inference", at_ms, threshold_applied=0.5, features={"px": 0.0}, **case, **fields)


def ack(at_ms: int, name: str, **fields: Any) -> tuple[int, bytes]:
    done = {"action_id": f"a-{next(_numbers)}", "inference_id": name, "action": "ack", "action_time": to_text(at_ms)}
    return event("alert_action", at_ms, actor_role="radiologist", **done, **fields)


def beat(at_ms: int, **fields: Any) -> tuple[int, bytes]:
    said = {"uptime_s": 1, "inferences_since_last": 0, "errors_since_last": 0, "buffer_depth": 0, "releases": []}
    return event("heartbeat", at_ms, **{**said, **fields})


def alerts(start_ms: int, waits_s: list[float | None], every_ms: int = MINUTE_MS) -> list[tuple[int, bytes]]:
    """An alert every minute, acknowledged after so many seconds, or never."""
    found = []
    for at, wait_s in enumerate(waits_s):
        name, at_ms = f"i-{next(_numbers)}", start_ms + at * every_ms
        found.append(inference(at_ms, name))
        if wait_s is not None:
            found.append(ack(at_ms + int(wait_s * SECOND_MS), name))
    return found


def run(document: Line, events: list[tuple[int, bytes]], until_ms: int) -> list[Line]:
    lines = [line for _, line in sorted(events, key=lambda one: one[0])]
    return replayed([document], lines, to_text(until_ms))


def status(lines: list[Line], **scope: str) -> Line:
    return next(line for line in of_kind(lines, "status") if line["scope"] == scope)


def incidents(lines: list[Line]) -> list[tuple[str, str, str]]:
    return [(line["state"], line["level"], line["changed_at"]) for line in of_kind(lines, "incident")]


# waits ------------------------------------------------------------------------------------------------------
HOURLY = {"window": "w1h"}


@pytest.mark.parametrize(("answered", "method"), [(71, "kaplan_meier_upper_censored"), (72, "kaplan_meier")])
def test_alerts_that_are_answered_soon_are_met(answered: int, method: str) -> None:
    """0.95 to the power of 72 is below 1 / 40: of fewer the bound is the longest wait seen, as the contract has it."""
    soon = alerts(MONDAY_MS, [60.0] * answered, every_ms=40 * SECOND_MS)
    found = status(run(manifest(ACK, {"above": 900}, **HOURLY), soon, MONDAY_MS + HOUR_MS))
    assert (found["verdict"], found["estimate"]["value"], found["estimate"]["n"]) == ("met", 60.0, answered)
    assert found["estimate"]["method"] == method


def test_alerts_that_nobody_answers_are_long_waits_and_not_left_out() -> None:
    asked = alerts(MONDAY_MS, [60.0] * 80 + [None] * 25, every_ms=30 * SECOND_MS)
    held = status(run(manifest(ACK, {"above": 900}, **HOURLY), asked, MONDAY_MS + 2 * HOUR_MS))
    dropped = {**ACK, "censored": False}
    left_out = status(run(manifest(dropped, {"above": 900}, **HOURLY), asked, MONDAY_MS + HOUR_MS))
    assert held["window"]["end"] == to_text(MONDAY_MS + 2 * HOUR_MS)
    assert held["last_conclusive"]["verdict"] == "breached"
    assert held["last_conclusive"]["estimate"]["lower"] > 900
    assert (left_out["verdict"], left_out["estimate"]["n"]) == ("met", 80)


def test_a_wait_exactly_at_the_limit_is_not_above_it() -> None:
    events = alerts(MONDAY_MS, [900.0] * 80, every_ms=30 * SECOND_MS)
    at = status(run(manifest(ACK, {"above": 900}, **HOURLY), events, MONDAY_MS + HOUR_MS))
    over = status(run(manifest(ACK, {"above": 899.999}, **HOURLY), events, MONDAY_MS + HOUR_MS))
    assert (at["verdict"], at["estimate"]["value"]) == ("met", 900.0)
    assert (over["verdict"], over["estimate"]["value"]) == ("breached", 900.0)


def test_short_waits_that_go_on_say_nothing_good_until_they_have_had_their_time() -> None:
    """At the end of the window nobody has waited longer than the limit, and nobody has answered."""
    document = manifest(ACK, {"above": 7200}, **HOURLY)
    first = status(run(document, alerts(MONDAY_MS, [None] * 40), MONDAY_MS + HOUR_MS))
    assert (first["verdict"], first["estimate"]["method"]) == ("inconclusive", "kaplan_meier_unreached_upper_censored")
    assert 3600 / 1.42 < first["estimate"]["upper"] <= 3600


def test_a_window_is_looked_at_again_one_slide_later_and_that_look_stands() -> None:
    """Alerts just before the hour are answered just after it: at the hour they wait, an hour later they do not."""
    document = manifest(ACK, {"above": 300}, **HOURLY)
    late = alerts(MONDAY_MS + 57 * MINUTE_MS, [240.0] * 80, every_ms=2 * SECOND_MS)
    events = [*late, inference(MONDAY_MS + HOUR_MS + 50 * MINUTE_MS, alert=False)]
    at_the_hour = status(run(document, events, MONDAY_MS + HOUR_MS))
    lines = run(document, events, MONDAY_MS + 2 * HOUR_MS)
    again = status(lines)["last_conclusive"]
    assert (at_the_hour["verdict"], at_the_hour["estimate"]["n"]) == ("inconclusive", 80)
    assert (again["verdict"], again["window"]["end"]) == ("met", to_text(MONDAY_MS + HOUR_MS))
    assert again["estimate"]["value"] == 240.0


def test_an_answer_after_the_second_look_changes_nothing() -> None:
    document = manifest(ACK, {"above": 300}, **HOURLY)
    names = ["i-late", "i-later"]
    asked = [inference(MONDAY_MS + MINUTE_MS, name) for name in names]
    events = [*asked, inference(MONDAY_MS + 5 * HOUR_MS, alert=False)]
    silent = status(run(document, events, MONDAY_MS + 6 * HOUR_MS))
    late = [ack(MONDAY_MS + 4 * HOUR_MS, name) for name in names]
    answered = status(run(document, [*events, *late], MONDAY_MS + 6 * HOUR_MS))
    assert silent["last_conclusive"] == answered["last_conclusive"]
    assert silent["last_conclusive"]["verdict"] == "breached"


def test_the_delay_that_an_action_says_itself_goes_before_the_clocks() -> None:
    events = [inference(MONDAY_MS, "i-a"), ack(MONDAY_MS + 20 * MINUTE_MS, "i-a", latency_from_alert_ms=5_000)]
    found = status(run(manifest(ACK, {"above": 900}, **HOURLY), events, MONDAY_MS + HOUR_MS))
    assert found["estimate"]["value"] == 5.0


def test_an_answer_that_arrives_before_its_alert_waits_for_it() -> None:
    early = event(
        "alert_action", MONDAY_MS + 3 * MINUTE_MS, MONDAY_MS + 3 * MINUTE_MS, action_id="a", inference_id="i-b", action="ack",
        action_time=to_text(MONDAY_MS + 3 * MINUTE_MS), actor_role="nurse",
    )  # fmt: skip
    later = event(
        "inference", MONDAY_MS + MINUTE_MS, MONDAY_MS + 10 * MINUTE_MS, inference_id="i-b", score=0.9, alert_raised=True,
        threshold_applied=0.5, features={},
    )  # fmt: skip
    found = status(run(manifest(ACK, {"above": 900}, **HOURLY), [early, later], MONDAY_MS + HOUR_MS))
    assert found["estimate"]["value"] == 120.0


def test_only_the_first_answer_counts() -> None:
    events = [inference(MONDAY_MS, "i-c"), ack(MONDAY_MS + 30_000, "i-c"), ack(MONDAY_MS + 90_000, "i-c")]
    found = status(run(manifest(ACK, {"above": 900}, **HOURLY), events, MONDAY_MS + HOUR_MS))
    assert (found["estimate"]["value"], found["estimate"]["n"]) == (30.0, 1)


def test_a_wait_without_end_is_cut_before_it_is_summed() -> None:
    events = [inference(MONDAY_MS, "i-d"), ack(MONDAY_MS + MINUTE_MS, "i-d", latency_from_alert_ms=1e308)]
    found = status(run(manifest(ACK, {"above": 900}, **HOURLY), events, MONDAY_MS + HOUR_MS))
    assert found["estimate"]["value"] == 3600.0  # answered after the look, so still waiting at it


def test_the_latency_of_inferences_is_told_in_milliseconds() -> None:
    slow = [inference(MONDAY_MS + at * MINUTE_MS, alert=False, latency_ms=250 if at else 9000) for at in range(30)]
    document = manifest({"type": "quantile", "field": "latency_ms", "q": 0.5}, {"above": 200}, **HOURLY)
    found = status(run(document, slow, MONDAY_MS + HOUR_MS))
    assert (found["verdict"], found["estimate"]["value"], found["estimate"]["n"]) == ("breached", 250.0, 30)


@pytest.mark.parametrize("q", [0.5, 0.95])
@pytest.mark.parametrize("limit", [100, 1400])
def test_latencies_that_spread_over_many_bins_are_told_nearly_as_they_were(q: float, limit: int) -> None:
    waits = sorted(200 + 7 * at * at % 2893 for at in range(360))
    sent = [inference(MONDAY_MS + at * 10 * SECOND_MS, alert=False, latency_ms=wait) for at, wait in enumerate(waits)]
    document = manifest({"type": "quantile", "field": "latency_ms", "q": q}, {"above": limit}, **HOURLY)
    told = status(run(document, sent, MONDAY_MS + HOUR_MS))["estimate"]
    assert told["value"] == pytest.approx(waits[int(q * len(waits)) - 1], rel=0.03)
    assert told["lower"] < told["value"] < told["upper"]


# volume -----------------------------------------------------------------------------------------------------
VOLUME = {"type": "volume_vs_expected", "baseline": "hour_of_week", "tail": "both"}
TEN_AN_HOUR = {"per": "overall", "hour_of_week": {"all": [10.0] * 168}, "dispersion": 1.0}


def hours(*counts: int) -> list[tuple[int, bytes]]:
    return [
        inference(MONDAY_MS + hour * HOUR_MS + at * MINUTE_MS, alert=False) for hour, n in enumerate(counts) for at in range(n)
    ]


def test_silence_is_a_count_of_zero_and_breaches_each_hour() -> None:
    lines = run(manifest(VOLUME, {"p": 0.001}, volume=TEN_AN_HOUR, **HOURLY), hours(10, 11), MONDAY_MS + 4 * HOUR_MS)
    assert incidents(lines) == [("open", "investigate", to_text(MONDAY_MS + 4 * HOUR_MS))]
    found = status(lines)
    assert (found["verdict"], found["estimate"]["value"], found["estimate"]["n"]) == ("breached", 0.0, 0)
    assert found["window"] == {"start": to_text(MONDAY_MS + 3 * HOUR_MS), "end": to_text(MONDAY_MS + 4 * HOUR_MS)}


def test_too_many_is_the_other_tail() -> None:
    verdicts = {}
    for tail in ("both", "upper", "lower"):
        document = manifest({**VOLUME, "tail": tail}, {"p": 0.001}, volume=TEN_AN_HOUR, **HOURLY)
        verdicts[tail] = status(run(document, hours(10, 40), MONDAY_MS + 2 * HOUR_MS))["verdict"]
    assert verdicts == {"both": "breached", "upper": "breached", "lower": "met"}


def test_a_field_that_varies_more_is_given_more_room() -> None:
    wide = manifest({**VOLUME, "dispersion": 8.0}, {"p": 0.001}, volume=TEN_AN_HOUR, **HOURLY)
    assert status(run(wide, hours(10, 1), MONDAY_MS + 2 * HOUR_MS))["verdict"] == "met"


def test_the_hour_of_the_week_and_the_month_say_what_is_expected() -> None:
    volume = {**TEN_AN_HOUR, "hour_of_week": {"all": [10.0, 40.0, *([10.0] * 166)]}, "month_factor": [1, 1, 0.5, *([1] * 9)]}
    found = status(run(manifest(VOLUME, {"p": 0.001}, volume=volume, **HOURLY), hours(5, 20), MONDAY_MS + 2 * HOUR_MS))
    assert (found["verdict"], found["estimate"]["value"]) == ("met", 1.0)


def test_a_site_without_hours_of_its_own_has_no_expectation() -> None:
    volume = {**TEN_AN_HOUR, "per": "site", "hour_of_week": {"south": [10.0] * 168}}
    document = manifest(VOLUME, {"p": 0.001}, volume=volume, by=["site"], **HOURLY)
    south = inference(MONDAY_MS + 5 * MINUTE_MS, alert=False, site_id="south")
    lines = run(document, [*hours(10), south], MONDAY_MS + HOUR_MS)
    assert status(lines, site="north")["reason"] == "unknown_reference"
    assert status(lines, site="south")["verdict"] == "breached"


# clocks -----------------------------------------------------------------------------------------------------
CLOCK = {"type": "clock_offset_s", "stat": "p95_abs"}


def test_a_clock_that_is_far_ahead_is_seen_though_all_it_sends_is_quarantined() -> None:
    events = [
        event("heartbeat", MONDAY_MS + at * MINUTE_MS + HOUR_MS, MONDAY_MS + at * MINUTE_MS, uptime_s=1, inferences_since_last=0,
              errors_since_last=0, buffer_depth=0, releases=[])
        for at in range(10)
    ]  # fmt: skip
    document = manifest(CLOCK, {"above": 120}, {"above": 7200}, by=["device"], **HOURLY)
    lines = run(document, events, MONDAY_MS + HOUR_MS)
    found = status(lines, device="scanner-1")
    assert lines[-1]["quarantined"] == {"clock_skew": 10}
    assert (found["levels"]["investigate"], found["levels"]["pause"]) == ("breached", "met")
    assert (found["estimate"]["value"], found["estimate"]["n"]) == (3600.0, 10)


@pytest.mark.parametrize(("behind_s", "verdict"), [(120, "met"), (121, "breached")])
def test_an_offset_exactly_at_the_limit_is_not_above_it(behind_s: int, verdict: str) -> None:
    events = [inference(MONDAY_MS + at * MINUTE_MS, alert=False) for at in range(20)]
    events = [(at, line.replace(b'"ingest_time"', b'"sent_time": "%s", "ingest_time"' % to_text(at - behind_s * 1000).encode()))
              for at, line in events]  # fmt: skip
    found = status(run(manifest(CLOCK, {"above": 120}, by=["device"], **HOURLY), events, MONDAY_MS + HOUR_MS), device="scanner-1")
    assert (found["verdict"], found["estimate"]["value"]) == (verdict, float(behind_s))


def test_an_event_that_does_not_decode_still_tells_its_clock_and_a_wrong_mode_does_not() -> None:
    bad = event("heartbeat", MONDAY_MS + HOUR_MS // 2, MONDAY_MS + MINUTE_MS)  # lacks everything a heartbeat needs
    drill = event("heartbeat", MONDAY_MS + HOUR_MS // 2, MONDAY_MS + MINUTE_MS, mode="drill")
    lines = run(manifest(CLOCK, {"above": 120}, by=["gateway"], **HOURLY), [bad, drill], MONDAY_MS + HOUR_MS)
    assert sum(lines[-1]["quarantined"].values()) == 2
    assert status(lines, gateway="gw-1")["estimate"] == {
        "value": 1740.0, "lower": 1740.0, "upper": 1740.0, "n": 1, "method": "p95_abs"
    }  # fmt: skip


# certificates -----------------------------------------------------------------------------------------------
CERTIFICATE = {"type": "min_value", "field": "cert_days_left"}


def certified(start_ms: int, ends_ms: int, beats: int, **fields: Any) -> list[tuple[int, bytes]]:
    return [beat(start_ms + at * MINUTE_MS, cert_not_after=to_text(ends_ms), **fields) for at in range(beats)]


def test_a_certificate_counts_down_and_opens_at_the_pane_in_which_too_few_days_are_left() -> None:
    ends_ms = MONDAY_MS + 21 * DAY_MS + 30 * MINUTE_MS
    document = manifest(CERTIFICATE, {"below": 21}, {"below": 3}, by=["gateway"])
    lines = run(document, certified(MONDAY_MS, ends_ms, 90), MONDAY_MS + 2 * HOUR_MS)
    assert incidents(lines) == [("open", "investigate", to_text(MONDAY_MS + 35 * MINUTE_MS))]
    found = status(lines, gateway="gw-1")
    assert found["window"]["end"] == to_text(MONDAY_MS + 2 * HOUR_MS)
    assert found["estimate"]["value"] == pytest.approx(21 - 90 / 1440)


def test_silence_does_not_stop_the_count_and_the_next_level_is_reached_without_a_beat() -> None:
    ends_ms = MONDAY_MS + 3 * DAY_MS + 90 * MINUTE_MS
    document = manifest(CERTIFICATE, {"below": 21}, {"below": 3}, by=["gateway"])
    lines = run(document, certified(MONDAY_MS, ends_ms, 1), MONDAY_MS + 2 * HOUR_MS)
    assert incidents(lines) == [
        ("open", "investigate", to_text(MONDAY_MS + 5 * MINUTE_MS)),
        ("open", "pause", to_text(MONDAY_MS + 95 * MINUTE_MS)),
    ]


def test_a_gateway_has_the_days_of_its_worst_device_and_a_renewal_is_good() -> None:
    soon, late = MONDAY_MS + 2 * DAY_MS, MONDAY_MS + 300 * DAY_MS
    document = manifest(CERTIFICATE, {"below": 21}, by=["gateway", "device"])
    events = certified(MONDAY_MS, soon, 30) + certified(MONDAY_MS, late, 60, device_id="scanner-2")
    before = run(document, events, MONDAY_MS + 30 * MINUTE_MS)
    renewed = run(document, events + certified(MONDAY_MS + 31 * MINUTE_MS, late, 9), MONDAY_MS + HOUR_MS)
    assert status(before, gateway="gw-1")["estimate"]["value"] == pytest.approx(2 - 30 / 1440)
    assert status(before, gateway="gw-1")["estimate"]["n"] == 2
    assert status(before, device="scanner-2")["verdict"] == "met"
    assert status(renewed, gateway="gw-1")["verdict"] == "met"
    assert status(renewed, device="scanner-1")["estimate"]["value"] == pytest.approx(300 - 60 / 1440)


def test_another_number_of_a_heartbeat_has_its_lowest_over_the_fleet() -> None:
    document = manifest({"type": "min_value", "field": "uptime_s"}, {"below": 60})
    events = [beat(MONDAY_MS, uptime_s=4000.25), beat(MONDAY_MS + MINUTE_MS, uptime_s=12.5, device_id="scanner-2")]
    found = status(run(document, events, MONDAY_MS + 10 * MINUTE_MS))
    assert (found["verdict"], found["estimate"]["value"], found["estimate"]["n"]) == ("breached", 12.5, 2)


@pytest.mark.parametrize(
    ("metric", "limit", "rest"),
    [(ACK, {"above": 9}, HOURLY), (VOLUME, {"p": 0.01}, HOURLY), (CLOCK, {"above": 9}, HOURLY), (CERTIFICATE, {"below": 9}, {})],
)
def test_with_no_row_that_matters_nothing_is_met(metric: dict[str, Any], limit: dict[str, Any], rest: dict[str, Any]) -> None:
    lines = run(manifest(metric, limit, **rest), [beat(MONDAY_MS)], MONDAY_MS + 2 * HOUR_MS)
    verdicts = {line["verdict"] for line in of_kind(lines, "status")}
    assert verdicts <= {"inconclusive"} or metric is CLOCK
