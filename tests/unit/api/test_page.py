"""The page as HTML: what is open, how sure, who acts by when; a quiet screen without data does not look good."""

from __future__ import annotations

import json
import re

from api.page import readable_times
from surveillance.serving import Readiness
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Document
from tests.unit.api.conftest import Ask
from tests.unit.api.field import LOG_ID, empty_log, judged, put_incident, silence
from tests.unit.api.test_refusals import Silent
from tests.unit.cli.pump import HOUR_MS, MIDNIGHT_MS, Event, arrival_ms, release, telemetry


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_an_open_incident_says_what_where_how_sure_and_who_has_to_act_by_when(ask: Ask) -> None:
    store, lines = judged()
    (opened,) = [line for line in lines if line["kind"] == "incident"]
    text = text_of(ask(store, "/").text)
    assert "Open incidents: 1" in text
    summary = readable_times(opened["summary"])
    for said in ("dq.missing", "site s1", "pump-1", "pause", "n 60", "safety officer", "pause rollout", summary):
        assert said in text, said
    for when in ("breached_since", "opened_at", "ack_by", "decide_by"):
        assert opened[when].replace("T", " ").replace("Z", " UTC") in text, when


def test_an_open_incident_names_its_hazard_and_the_steps_of_its_playbook(ask: Ask) -> None:
    html = ask(judged()[0], "/").text
    assert "Hazard HZ-1 " in text_of(html)
    assert "Playbook PB " in text_of(html)
    assert "<ol><li>decide</li></ol>" in html


def test_the_estimate_of_an_incident_has_its_window_and_the_level_of_its_interval(ask: Ask) -> None:
    text = text_of(ask(judged()[0], "/").text)
    assert re.search(r"Estimate 1 \[95 %: 0\.9\d+, 1\], n 60", text)
    assert "Window of the estimate 2026-03-02 01:00:00 UTC to 2026-03-02 02:00:00 UTC" in text


def test_all_times_of_the_page_have_one_format(ask: Ask) -> None:
    """But for those that a program reads: the attribute of a time."""
    breached, silent = (text_of(ask(store, "/").text) for store in (judged()[0], judged(went_silent())[0]))
    assert "met until 2026-03-02 01:00:00 UTC" in silent
    assert "Acknowledge by 2026-03-02 02:30:00 UTC, decide by" in breached
    assert not re.search(r"\dT\d", breached + silent)


def test_a_window_of_a_breach_is_not_taken_for_when_the_harm_began(ask: Ask) -> None:
    text = text_of(ask(judged()[0], "/").text)
    assert "The first breached window began 2026-03-02 01:00:00 UTC" in text
    assert "when the harm began is not known: the window may begin long before it" in text
    assert "Counts from" not in text


def test_what_counts_from_the_first_event_on_does_not_say_that_a_window_began_there(ask: Ask) -> None:
    store, _ = judged(manifest=counting())
    text = text_of(ask(store, "/").text)
    assert "Counts from 2026-03-02 00:00:00 UTC" in text
    assert "breached window began" not in text


def test_an_incident_of_a_manifest_that_is_not_there_is_shown_without_what_it_declares(ask: Ask) -> None:
    store = empty_log()
    put_incident(store, 1)
    text = text_of(ask(store, "/").text)
    assert " Since 2026-03-02 00:00:00 UTC " in text
    assert "0.5 [0.25, 0.75], n 12 (wilson)" in text
    assert "window began" not in text


def test_a_request_to_roll_back_says_to_which_release_and_who_has_to_confirm_it(ask: Ask) -> None:
    asked = {"action": "rollback_request", "requires_confirmation_by": "clinical_lead"}
    said = rolled_back(ask, asked | {"target": {"release_id": "pump-0", "manifest_digest": "sha256:00"}})
    assert "rollback request to pump-0, to be confirmed by the clinical lead, expires 2026-03-02 04:00:00 UTC" in said
    own = {"target": {"release_id": "pump-1", "manifest_digest": "sha256:00"}, "requires_confirmation_by": None}
    assert "rollback request (the manifest names no target), nobody has to confirm it, expires" in rolled_back(ask, asked | own)


def rolled_back(ask: Ask, asked: Event) -> str:
    """The page with one incident that asked for this."""
    store = empty_log()
    incident_id = put_incident(store, 1)["incident_id"]
    trigger = {
        "kind": "trigger", "trigger_id": "trg-1", "incident_id": incident_id, "release_id": "pump-1", "scope": {},
        "expires_at": "2026-03-02T04:00:00Z", "drill": False, "field_action": {},
    } | asked  # fmt: skip
    store.append("triggers", [Document("", "sha256:00", f"{LOG_ID}|trg-1", 0, 0, json.dumps(trigger))])
    return text_of(ask(store, "/").text)


def went_silent() -> list[Event]:
    """An hour in which every value is there, then one without an inference: inconclusive, and met before."""
    return [one for one in telemetry() if one["schema"] != "pms.inference" or arrival_ms(one) < MIDNIGHT_MS + HOUR_MS]


def counting() -> Event:
    """A manifest that counts missing values from its first event on."""
    document = release()
    document["surveillance"]["monitors"][0]["window"] = "cumulative"
    return document


def test_open_incidents_come_first_the_most_urgent_before_the_others_and_resolved_ones_after(ask: Ask) -> None:
    store = empty_log()
    put_incident(store, 4, monitor_id="m.resolved", state="resolved", resolved_at="2026-03-02T01:00:00Z")
    put_incident(store, 3, monitor_id="m.investigate", level="investigate")
    put_incident(store, 1, monitor_id="m.rollback", level="rollback_or_field_safety")
    put_incident(store, 2, monitor_id="m.pause")
    names = re.findall(r"<h3>(m\.\w+)", ask(store, "/").text)
    assert names == ["m.rollback", "m.pause", "m.investigate", "m.resolved"]


def test_an_incident_without_a_number_says_so(ask: Ask) -> None:
    store = empty_log()
    put_incident(store, 1, estimate={"n": 3})
    assert "no number, n 3" in text_of(ask(store, "/").text)


def test_no_incident_is_said_with_what_was_counted_and_what_is_inconclusive(ask: Ask) -> None:
    text = text_of(ask(judged(silence())[0], "/").text)
    assert "No incident is open. 2 events were counted; 0 of 1 monitors and scopes are met, 1 are inconclusive" in text


def test_a_quiet_field_without_an_event_is_not_called_quiet(ask: Ask) -> None:
    text = text_of(ask(empty_log(), "/").text)
    assert "No event was counted either, so this says nothing about the field" in text
    assert "Nothing was judged yet" in text


def test_what_could_not_be_judged_is_listed_with_its_reason(ask: Ask) -> None:
    text = text_of(ask(judged(silence())[0], "/").text)
    assert "Inconclusive: 1" in text
    assert "dq.missing site s1 no exposure 0 never conclusive" in text


def test_a_stale_page_says_so_and_how_old_it_is(ask: Ask) -> None:
    store, _ = judged()
    assert "Stale. The last state is 60 min old" in text_of(ask(store, "/", now="2026-03-02T03:01:00Z").text)
    assert "Stale." not in ask(store, "/").text
    assert "cannot be told" in ask(store, "/", wall_time=False).text


def test_what_comes_from_the_field_is_text_and_never_markup(ask: Ask) -> None:
    store = empty_log()
    put_incident(store, 1, monitor_id="<script>a</script>", scope={"site": '"><b>'}, summary="<img src=x>")
    html = ask(store, "/").text
    assert "<script" not in html
    assert "<b>" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_a_page_without_its_store_says_that_nothing_is_known(ask: Ask) -> None:
    for store, said in ((Silent(), "The store does not answer"), (MemoryStore(), "No service has written to this store yet")):
        answer = ask(store, "/")
        assert answer.status_code == 503
        assert answer.headers["content-type"].startswith("text/html")
        assert said in answer.text
        assert answer.headers["refresh"]
        assert "secret" not in answer.text


def test_what_the_service_waits_for_and_notes_stands_on_the_page(ask: Ask) -> None:
    readiness = Readiness(waiting_for=("the releases topic",), notes=("manifests without signatures are accepted",))
    html = ask(judged()[0], "/", readiness=lambda: readiness).text
    assert "waits for the releases topic" in html
    assert "manifests without signatures are accepted" in html


def test_the_page_refreshes_itself_until_it_is_held_still(ask: Ask) -> None:
    store, _ = judged()
    assert ask(store, "/").headers["refresh"] == "15"
    assert "refresh" not in ask(store, "/?refresh=off").headers
