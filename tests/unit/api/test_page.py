"""The page as HTML: what is open, how sure, who acts by when; a quiet screen without data does not look good."""

from __future__ import annotations

import re

from surveillance.serving import Readiness
from surveillance.store.memory import MemoryStore
from tests.unit.api.conftest import Ask
from tests.unit.api.field import empty_log, judged, put_incident, silence
from tests.unit.api.test_refusals import Silent


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_an_open_incident_says_what_where_how_sure_and_who_has_to_act_by_when(ask: Ask) -> None:
    store, lines = judged()
    (opened,) = [line for line in lines if line["kind"] == "incident"]
    text = text_of(ask(store, "/").text)
    assert "Open incidents: 1" in text
    for said in ("dq.missing", "site s1", "pump-1", "pause", "n 60", "safety officer", "pause rollout", opened["summary"]):
        assert said in text, said
    for when in ("breached_since", "opened_at", "ack_by", "decide_by"):
        assert opened[when].replace("T", " ").replace("Z", " UTC") in text, when


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
