"""Adverse events through `pms replay`: in windows, by site, and what an incident of them goes through."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from surveillance.evaluation.judging import Moment
from surveillance.incidents.evaluator import Evaluator
from surveillance.incidents.lines import Line
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from tests.oracle.streams import START_MS
from tests.oracle.times import format_time
from tests.property.deciding import HOUR_MS, MINUTE_MS, event, inference, monitor, release, replayed_lines, tick
from tests.property.folding import fold_straight, log_of, registration
from tests.scenario.replaying import of_kind

DEATHS = {"type": "event_count", "filter": {"kind": "adverse_event", "seriousness": ["death"]}}
SPRT = {"type": "maxsprt_poisson", "expected_per_10k": 100.0, "T": 2.0, "M": 2}
DAY_MS = 24 * HOUR_MS


def adverse(number: object, at_ms: int, **fields: Any) -> bytes:
    time = format_time(START_MS + at_ms)
    own = {
        "ae_id": str(number), "reported_at": time, "awareness_at": time, "seriousness": "death", "public_health_threat": False,
        "suspected_device_role": "caused", "linked_inference_ids": [], "imdrf": {}, "narrative_ref": None, "country": "DE",
        "udi": None,
    }  # fmt: skip
    return event("adverse_event", number, at_ms, **(own | fields))


def quiet(hours: int, each_ms: int = 10 * MINUTE_MS, **fields: Any) -> list[tuple[int, bytes]]:
    return [(at, inference(f"{at}{fields}", at, 0.1, **fields)) for at in range(0, hours * HOUR_MS, each_ms)]


def in_order(*parts: list[tuple[int, bytes]]) -> list[bytes]:
    return [line for _, line in sorted((one for part in parts for one in part), key=lambda one: one[0])]


def deaths(*hours: float, **fields: Any) -> list[tuple[int, bytes]]:
    return [(round(hour * HOUR_MS), adverse(f"{hour}{fields}", round(hour * HOUR_MS), **fields)) for hour in hours]


def test_events_of_a_window_are_counted_in_it_and_empty_windows_after_it_resolve_the_incident():
    watched = monitor("deaths", DEATHS, {"pause": {"ge": 2}}, window="w1h", persistence={"clear_after": 2})
    lines = replayed_lines([release(watched)], in_order(quiet(8), deaths(1.2, 1.4, 3.5)))
    incidents = of_kind(lines, "incident")
    assert [(line["state"], line["estimate"]["value"], line["window"]["end"]) for line in incidents] == [
        ("open", 2, format_time(START_MS + 2 * HOUR_MS)),
        ("resolved", 1, format_time(START_MS + 4 * HOUR_MS)),
    ]


def test_a_window_before_which_no_event_ever_matched_is_a_count_of_zero():
    watched = monitor("deaths", DEATHS, {"pause": {"ge": 1}}, window="w1h")
    (status,) = of_kind(replayed_lines([release(watched)], in_order(quiet(3))), "status")
    assert (status["verdict"], status["estimate"]["value"]) == ("met", 0)


def test_each_site_has_its_own_test_and_a_site_that_comes_later_begins_then():
    watched = monitor("ae", SPRT | {"expected_per_10k": 10.0}, {"investigate": {"llr": 2.0}}, by=["site"])
    north, south = quiet(30, site_id="north"), [(at, line) for at, line in quiet(30, site_id="south") if at >= 20 * HOUR_MS]
    lines = replayed_lines([release(watched)], in_order(north, south, deaths(5, 9, site_id="north"), deaths(25, site_id="south")))
    (incident,) = of_kind(lines, "incident")
    assert (incident["scope"], incident["window"]["end"]) == (
        {"site": "north"},
        format_time(START_MS + 9 * HOUR_MS + 5 * MINUTE_MS),
    )
    states = {line["scope"]["site"]: (line["verdict"], line["estimate"]["n"]) for line in of_kind(lines, "status")}
    assert states == {"north": ("breached", 2), "south": ("met", 1)}


def test_an_age_that_the_events_own_envelope_does_not_give_is_unknown():
    watched = monitor("deaths", DEATHS, {"pause": {"ge": 1}}, by=["age"])
    lines = replayed_lines([release(watched)], in_order(quiet(3, context={"age_years": 80}), deaths(1)))
    assert [line["scope"] for line in of_kind(lines, "status")] == [{"age": "unknown"}]


@pytest.mark.parametrize("mode", ["shadow", "drill", "parallel"])
def test_events_and_uses_outside_of_field_use_are_not_counted(mode: str):
    watched = monitor("deaths", DEATHS, {"pause": {"ge": 1}})
    (status,) = of_kind(replayed_lines([release(watched)], in_order(quiet(3), deaths(1, mode=mode))), "status")
    assert (status["verdict"], status["estimate"]["value"]) == ("met", 0)


@pytest.mark.parametrize(
    ("accepted", "sent", "counts"),
    [
        ({"malfunction": True}, {"malfunction": True}, 1),
        ({"malfunction": True}, {"malfunction": False}, 0),
        ({"malfunction": True}, {}, 0),
        ({"country": ["FR", "DE"]}, {}, 1),
        ({"country": ["FR"], "malfunction": True}, {"malfunction": True}, 0),
        ({"site_id": "s"}, {}, 1),
        ({"firmware": "9"}, {}, 0),
    ],
)
def test_a_filter_names_fields_and_their_accepted_values(accepted: Line, sent: Line, counts: int):
    watched = monitor("named", {"type": "event_count", "filter": {"kind": "adverse_event", **accepted}}, {"pause": {"ge": 1}})
    (status,) = of_kind(replayed_lines([release(watched)], in_order(quiet(2), deaths(1, **sent))), "status")
    assert status["estimate"]["value"] == counts


def test_a_filter_may_name_another_kind_of_event():
    watched = monitor("asked", {"type": "event_count", "filter": {"kind": "feedback", "theme_code": "T1"}}, {"pause": {"ge": 1}})
    said = {"feedback_id": "f", "inference_id": "0", "kind": "k", "theme_code": "T1", "severity": 2.0}
    lines = in_order(quiet(2), [(HOUR_MS, event("feedback", 1, HOUR_MS, **said))], deaths(1.5))
    (status,) = of_kind(replayed_lines([release(watched)], lines), "status")
    assert status["estimate"]["value"] == 1


def test_a_test_that_nobody_has_used_yet_says_nothing_at_any_level():
    watched = monitor("ae", SPRT, {"investigate": {"exhausted": True}, "pause": {"llr": 2.0}})
    (status,) = of_kind(replayed_lines([release(watched)], in_order(deaths(1), [(2 * HOUR_MS, tick(2 * HOUR_MS))])), "status")
    assert (status["verdict"], status["reason"]) == ("inconclusive", "no_exposure")
    assert set(status["levels"].values()) == {"inconclusive"}


def test_where_a_level_names_it_that_level_is_breached_when_the_test_is_used_up_and_a_line_tells_it():
    watched = monitor("ae", SPRT | {"T": 0.5}, {"investigate": {"llr": 2.0}, "pause": {"exhausted": True}})
    lines = replayed_lines([release(watched)], in_order(quiet(12), deaths(1, 2)))
    levels = [(line["level"], line["state"]) for line in of_kind(lines, "incident")]
    assert levels == [("investigate", "open"), ("pause", "open")]
    (status,) = of_kind(lines, "status")
    assert status["levels"] == {"investigate": "inconclusive", "pause": "breached"}


def test_being_used_up_is_told_by_a_line_of_the_incident_that_is_open():
    watched = monitor("ae", SPRT | {"T": 0.5}, {"investigate": {"llr": 2.0}})
    lines = of_kind(replayed_lines([release(watched)], in_order(quiet(12), deaths(1, 2))), "incident")
    assert [line["state"] for line in lines] == ["open", "open"]
    assert lines[0]["incident_id"] == lines[1]["incident_id"]
    assert "value" not in lines[1]["estimate"]


TROUBLED = in_order(quiet(60), deaths(3, 4), deaths(50, 50.5, 51, suspected_device_role="none"), deaths(30))


def decisions(document: Line, lines: list[bytes], every_ms: int) -> list[tuple[Any, ...]]:
    """Incidents with all rows at hand, judged at moments so far apart."""
    registry = Registry([registration(document)])
    rows = list(fold_straight(registry, log_of(lines)).read_panes("straight"))
    evaluator, found = Evaluator(registry), []
    evaluator.take(rows)
    for at in range(START_MS + every_ms, START_MS + 60 * HOUR_MS + every_ms, every_ms):
        found += evaluator.judge(Moment(at, at, at)).decisions
    times = {"opened_at_ms": 0, "changed_at_ms": 0, "ack_by_ms": 0, "decide_by_ms": 0, "resolved_at_ms": 0}
    states = [(one.incident.state, one.line["window"], one.line["estimate"]) for one in found]
    kept = [dataclasses.replace(one.incident, **times) for one in found]
    return list(zip(kept, states, strict=True))


@pytest.mark.parametrize(
    ("metric", "limits", "expected"),
    [
        (SPRT | {"T": 20.0}, {"investigate": {"llr": 2.0}, "pause": {"llr": 4.0}}, {"open", "resolved"}),
        (DEATHS, {"pause": {"ge": 1}, "rollback_or_field_safety": {"ge": 3}}, {"open"}),
    ],
    ids=["maxsprt", "count"],
)
def test_an_incident_of_events_goes_through_the_same_however_seldom_one_looks(metric: Line, limits: Line, expected: set[str]):
    document = release(monitor("m", metric, limits, persistence={"clear_after": 3, "cooldown": "P9D"}))
    often = decisions(document, TROUBLED, 5 * MINUTE_MS)
    assert {state for _, (state, _, _) in often} == expected
    assert often == decisions(document, TROUBLED, 7 * HOUR_MS) == decisions(document, TROUBLED, 60 * HOUR_MS)


def test_stored_rows_of_events_are_read_back_as_they_were_written():
    """The id of the statistic holds the filter, quotes and all."""
    document = release(
        monitor("d", {"type": "event_count", "filter": {"kind": "adverse_event", "country": "D'E\"%_"}}, {"pause": {"ge": 1}})
    )
    lines = in_order(quiet(2), deaths(1, country="D'E\"%_"))
    (status,) = of_kind(replayed_lines([document], lines, MemoryStore()), "status")
    assert status["estimate"]["value"] == 1
