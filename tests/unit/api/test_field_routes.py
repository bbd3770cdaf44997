"""What the API says of the field: the lines that were recorded, as of when, and whether that is old."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surveillance.evaluation.status import status_lines
from surveillance.incidents.lines import line_text
from tests.unit.api.conftest import Ask
from tests.unit.api.field import empty_log, judged, put_incident, silence

FIELD = ["/v1/monitors", "/v1/incidents", "/v1/triggers"]


# how old -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", FIELD)
@pytest.mark.parametrize(("now", "stale"), [("2026-03-02T02:16:00Z", False), ("2026-03-02T02:16:00.001Z", True)])
def test_an_answer_is_stale_more_than_fifteen_minutes_after_its_watermark(ask: Ask, path: str, now: str, stale: bool) -> None:
    store, lines = judged()
    answer = ask(store, path, now=now).json()
    assert answer["as_of"] == lines[-1]["watermark"] == "2026-03-02T02:01:00Z"
    assert answer["stale"] is stale


@pytest.mark.parametrize("path", FIELD)
def test_where_the_publisher_makes_the_time_staleness_is_absent_with_a_reason(ask: Ask, path: str) -> None:
    answer = ask(judged()[0], path, wall_time=False).json()
    assert "stale" not in answer
    assert "publisher" in answer["stale_reason"]
    assert answer["as_of"] == "2026-03-02T02:01:00Z"


@pytest.mark.parametrize("path", FIELD)
@pytest.mark.parametrize("wall_time", [True, False])
def test_a_field_that_nothing_was_judged_of_is_stale_and_says_why(ask: Ask, path: str, wall_time: bool) -> None:
    answer = ask(empty_log(), path, wall_time=wall_time).json()
    assert "as_of" not in answer
    assert answer["as_of_reason"] == answer["stale_reason"] == "nothing was judged yet"
    assert answer["stale"] is True


# monitors ----------------------------------------------------------------------------------------------------
def test_monitors_as_ndjson_are_the_bytes_of_pms_status(ask: Ask) -> None:
    store, _ = judged()
    answer = ask(store, "/v1/monitors", headers={"Accept": "application/x-ndjson"})
    assert answer.content.decode() == "".join(line_text(line) + "\n" for line in status_lines(store))
    assert answer.content.count(b"\n") > 2
    assert answer.headers["content-type"] == "application/x-ndjson"


def test_monitors_as_json_hold_every_status_line_and_the_summary(ask: Ask) -> None:
    store, lines = judged()
    answer = ask(store, "/v1/monitors").json()
    assert answer["monitors"] == [line for line in lines if line["kind"] == "status"]
    assert answer["summary"] == lines[-1]


def test_a_number_that_could_not_be_computed_is_absent_and_its_reason_is_there(ask: Ask) -> None:
    (line,) = ask(judged(silence())[0], "/v1/monitors").json()["monitors"]
    assert (line["verdict"], line["reason"]) == ("inconclusive", "no_exposure")
    assert line["estimate"] == {"n": 0}


# incidents ---------------------------------------------------------------------------------------------------
def test_an_incident_is_listed_as_its_newest_line(ask: Ask) -> None:
    store, lines = judged()
    (opened,) = [line for line in lines if line["kind"] == "incident"]
    answer = ask(store, "/v1/incidents").json()
    assert answer["incidents"] == [opened]
    assert answer["total"] == 1


def test_of_an_incident_with_several_lines_only_the_newest_is_listed(ask: Ask) -> None:
    store = empty_log()
    put_incident(store, 1)
    resolved = put_incident(store, 1, revision=2, state="resolved", resolved_at="2026-03-02T01:00:00Z")
    assert ask(store, "/v1/incidents").json()["incidents"] == [resolved]


def test_the_incident_that_changed_last_comes_first(ask: Ask) -> None:
    store = empty_log()
    for number in (2, 10, 1):
        put_incident(store, number)
    assert [one["incident_id"] for one in ask(store, "/v1/incidents").json()["incidents"]] == ["inc-10", "inc-2", "inc-1"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=resolved", [2]),
        ("state=open", [3, 1]),
        ("level=investigate", [3]),
        ("release_id=pump-2", [1]),
        ("state=open&level=pause", [1]),
        ("release_id=pump-9", []),
    ],
)
def test_incidents_are_chosen_by_state_level_and_release(ask: Ask, query: str, found: list[int]) -> None:
    store = empty_log()
    put_incident(store, 1, release_id="pump-2")
    put_incident(store, 2, state="resolved", resolved_at="2026-03-02T01:00:00Z")
    put_incident(store, 3, level="investigate")
    answer = ask(store, f"/v1/incidents?{query}").json()
    assert [one["incident_id"] for one in answer["incidents"]] == [f"inc-{number}" for number in found]
    assert answer["total"] == len(found)


def test_a_list_is_cut_at_its_limit_and_says_how_many_there_are(ask: Ask) -> None:
    store = empty_log()
    for number in range(5):
        put_incident(store, number)
    answer = ask(store, "/v1/incidents?limit=2").json()
    assert [one["incident_id"] for one in answer["incidents"]] == ["inc-4", "inc-3"]
    assert answer["total"] == 5


def test_an_incident_tells_its_whole_story_with_the_triggers_of_each_line(ask: Ask) -> None:
    store, lines = judged()
    (opened,) = [line for line in lines if line["kind"] == "incident"]
    answer = ask(store, f"/v1/incidents/{opened['incident_id']}").json()
    assert answer["incident"] == opened
    (event,) = answer["events"]
    assert (event["revision"], event["at"], event["line"]) == (1, opened["changed_at"], opened)
    assert event["triggers"] == [line for line in lines if line["kind"] == "trigger"] != []
    assert answer["as_of"] == "2026-03-02T02:01:00Z"


def test_the_story_of_an_incident_begins_with_its_first_line(ask: Ask) -> None:
    store = empty_log()
    first = put_incident(store, 1)
    second = put_incident(store, 1, revision=2, state="resolved", resolved_at="2026-03-02T01:00:00Z")
    put_incident(store, 11)
    answer = ask(store, "/v1/incidents/inc-1").json()
    assert [event["line"] for event in answer["events"]] == [first, second]
    assert answer["incident"] == second


def test_an_incident_of_the_service_itself_is_served_without_release_or_hazard(ask: Ask) -> None:
    store = empty_log()
    line = put_incident(store, 1, monitor_id="system.ledger_gap", estimate={}, limit={})
    assert ask(store, "/v1/incidents").json()["incidents"] == [line]


def test_incidents_of_another_log_are_not_of_this_one(ask: Ask) -> None:
    store = empty_log()
    put_incident(store, 1)
    (document,) = store.newest("incident_events")
    store.append("incident_events", [replace(document, key=f"{document.key.replace('/1|', '/0|')}9")])
    assert ask(store, "/v1/incidents").json()["total"] == 1


def test_triggers_are_listed_as_they_were_asked_for(ask: Ask) -> None:
    store, lines = judged()
    answer = ask(store, "/v1/triggers").json()
    assert answer["triggers"] == [line for line in lines if line["kind"] == "trigger"]
    assert answer["total"] == len(answer["triggers"]) == 1
