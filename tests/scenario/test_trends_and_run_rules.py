"""Trend tests and run rules through `pms replay`: what a look rests on, late reports, and what is said without a reference."""

from __future__ import annotations

from typing import Any

import pytest
from scipy import stats

from surveillance.incidents.lines import Line
from tests.oracle.streams import START_MS
from tests.oracle.times import format_time
from tests.property.deciding import HOUR_MS, event, inference, monitor, outcome, release, replayed_lines, tick
from tests.scenario.replaying import of_kind

DAY_MS = 24 * HOUR_MS
TREND = {"type": "trend_test", "counts": "all", "baseline_frequency_per_1000": 10.0}
RISE = {"type": "run_rule", "period": "P1D"}
"""The stream begins on 2 March 2026."""


def adverse(number: object, at_ms: int, **fields: Any) -> tuple[int, bytes]:
    time = format_time(START_MS + at_ms)
    own = {
        "ae_id": str(number), "reported_at": time, "awareness_at": time, "seriousness": "none", "public_health_threat": False,
        "suspected_device_role": "none", "linked_inference_ids": [], "imdrf": {}, "narrative_ref": None, "country": "DE",
        "udi": None,
    }  # fmt: skip
    return at_ms, event("adverse_event", number, at_ms, **(own | fields))


def used(days: int, each_ms: int = 4 * HOUR_MS, **fields: Any) -> list[tuple[int, bytes]]:
    return [(at, inference(f"{at}{fields}", at, 0.1, **fields)) for at in range(0, days * DAY_MS, each_ms)]


def said(document: Line, *parts: list[tuple[int, bytes]], days: float) -> list[Line]:
    sent = sorted((one for part in parts for one in part if one[0] < days * DAY_MS), key=lambda one: one[0])
    return replayed_lines([document], [*(line for _, line in sent), tick(round(days * DAY_MS))])


def looked(lines: list[Line]) -> Line:
    (status,) = of_kind(lines, "status")
    return status


def test_a_look_holds_every_month_of_its_observation_period_and_the_next_period_begins_at_nothing():
    document = release(monitor("trend", TREND | {"looks": 2}, {"investigate": {"p": 0.05}}))
    reports = [adverse(day, day * DAY_MS + 1) for day in (1, 40, 41, 70, 71, 72)]  # one in March, two in April, three in May
    found = {days: looked(said(document, used(120), reports, days=days)) for days in (31, 61, 92)}
    assert [(found[days]["window"]["start"][:7], found[days]["estimate"]["n"]) for days in found] == [
        ("2026-03", 1),
        ("2026-03", 3),
        ("2026-05", 3),
    ]


def test_a_month_is_breached_where_p_times_its_looks_is_below_the_limit():
    reports = [adverse(day, day * DAY_MS + 1) for day in range(6)]
    expected = 0.010 * 6 * 30  # the 30 days of March that the stream holds
    p = float(stats.poisson.sf(5, expected))
    for looks, limit, verdict in ((1, 1.01 * p, "breached"), (3, 3.03 * p, "breached"), (3, 2.97 * p, "met")):
        document = release(monitor("trend", TREND | {"looks": looks}, {"investigate": {"p": limit}}))
        status = looked(said(document, used(40), reports, days=31))
        assert status["estimate"]["p"] == pytest.approx(p)
        assert status["verdict"] == verdict


def test_scopes_do_not_share_the_alpha_of_a_trend():
    """`strata.multiplicity` adjusts other p limits; an observation period is one test of one scope."""
    document = release(monitor("trend", TREND, {"investigate": {"p": 0.05}}, by=["site"]))
    document["strata"]["multiplicity"] = {"method": "benjamini_hochberg", "family": "per_window"}
    sites = [used(40, site_id=site) for site in "abcdef"]
    reports = [adverse(day, day * DAY_MS + 1, site_id="a") for day in range(6)]
    breached = [line["scope"]["site"] for line in of_kind(said(document, *sites, reports, days=31), "incident")]
    assert breached == ["a"]


def test_a_report_that_comes_after_the_month_is_counted_where_it_happened():
    document = release(monitor("trend", TREND, {"investigate": {"p": 0.02}}))
    reports = [adverse(day, day * DAY_MS + 1) for day in range(5)]
    late = format_time(START_MS + 30 * DAY_MS + 2 * HOUR_MS)  # in April
    at, line = adverse("late", 29 * DAY_MS + 23 * HOUR_MS, ingest_time=late)
    lines = said(document, used(40), reports, [(at + 3 * HOUR_MS, line)], days=31)
    (incident,) = of_kind(lines, "incident")
    assert incident["estimate"]["n"] == looked(lines)["estimate"]["n"] == 6
    assert incident["window"]["end"] == "2026-04-01T00:00:00Z"


def test_without_a_use_there_is_nothing_to_be_expected():
    document = release(monitor("trend", TREND, {"investigate": {"p": 0.05}}))
    status = looked(said(document, [adverse(1, 1)], days=31))
    assert (status["verdict"], status["reason"]) == ("inconclusive", "no_exposure")


def test_a_time_zone_that_does_not_exist_leaves_no_fleet_unwatched():
    document = release(monitor("trend", TREND, {"investigate": {"p": 0.05}})) | {"regulatory": {"time_zone": "Europe/Atlantis"}}
    assert looked(said(document, used(40), days=31))["window"]["end"] == "2026-04-01T00:00:00Z"


def day_by_day(counts: list[int]) -> list[tuple[int, bytes]]:
    return [adverse(f"{day}-{n}", day * DAY_MS + n + 1) for day, count in enumerate(counts) for n in range(count)]


def test_a_day_without_a_use_breaks_a_rise():
    document = release(monitor("rise", RISE, {"investigate": {"hit": True}}))
    rising, unused = day_by_day([0, 1, 2, 3, 4, 5]), [one for one in used(6) if one[0] // DAY_MS != 2]
    assert looked(said(document, used(6), rising, days=6))["verdict"] == "breached"
    assert looked(said(document, unused, rising, days=6))["verdict"] == "met"


def test_a_rule_that_asks_where_a_point_lies_needs_a_mean_and_an_sd():
    limits = {"investigate": {"hit": True}}
    unknown = release(monitor("beyond", RISE | {"rule": 1}, limits))
    status = looked(said(unknown, used(2), day_by_day([0, 3]), days=2))
    assert (status["verdict"], status["reason"]) == ("inconclusive", "unknown_reference")
    known = release(monitor("beyond", RISE | {"rule": 1, "mean": 0.0, "sd": 0.1}, limits))
    assert looked(said(known, used(2), day_by_day([0, 3]), days=2))["verdict"] == "breached"
    assert looked(said(known, used(2), day_by_day([3, 1]), days=2))["verdict"] == "met"


def test_a_rule_may_run_on_the_points_of_a_normal_chart():
    features = [(at, inference(f"f{at}", at, 0.1, features={"px": at // DAY_MS / 10})) for at in range(0, 7 * DAY_MS, HOUR_MS)]
    mean = release(monitor("mean", RISE | {"feature": "px"}, {"investigate": {"hit": True}}))
    status = looked(said(mean, features, days=6))
    assert (status["verdict"], status["estimate"]["value"]) == ("breached", pytest.approx(0.5))
    share = release(monitor("rate", RISE | {"numerator": "alerts", "denominator": "inferences"}, {"investigate": {"hit": True}}))
    assert looked(said(share, features, days=6))["verdict"] == "met"


ALERTS = [(at * HOUR_MS, inference(f"u{at}", at * HOUR_MS, 0.9 if at % 2 else 0.1, abstained=at < 5)) for at in range(20)]
ANSWERED = [
    (20 * HOUR_MS + at, event("alert_action", f"{at}{name}", 20 * HOUR_MS + at, action_id=f"{at}{name}", inference_id=f"u{at}",
                              action=name, action_time=format_time(START_MS), actor_role="reader"))
    for at, name in ((1, "delivered"), (3, "delivered"), (3, "ack"), (5, "override"), (5, "override"), (2, "ack"))
]  # fmt: skip
LABELLED = [(21 * HOUR_MS + at, outcome(at, 1, 21 * HOUR_MS + at, of=f"u{at}", revision=n)) for n in (1, 2) for at in range(7)]


@pytest.mark.parametrize(
    ("word", "uses"),
    [
        ("inferences", 20),
        ("encounters", 20),
        ("alerts", 10),
        ("alert_onsets", 10),
        ("abstained", 5),
        ("actioned_alerts", 2),
        ("overrides", 1),
        ("acks", 1),
        ("undelivered", 8),
        ("labelled", 7),
    ],
)
def test_uses_may_be_any_counting_word(word: str, uses: int):
    document = release(
        monitor("trend", TREND | {"uses": word, "baseline_frequency_per_1000": 500.0}, {"investigate": {"p": 0.01}})
    )
    status = looked(said(document, ALERTS, ANSWERED, LABELLED, [adverse(1, HOUR_MS)], days=31))
    assert status["estimate"]["value"] == pytest.approx(1 / (0.5 * uses))
