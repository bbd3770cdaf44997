"""Every refusal is a problem document (RFC 9457) that says no more than the caller may know."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from surveillance.errors import StoreUnavailable
from surveillance.store.memory import MemoryStore
from tests.unit.api.conftest import Ask
from tests.unit.api.field import empty_log

READS = ["/v1/monitors", "/v1/incidents", "/v1/incidents/inc-1", "/v1/triggers", "/v1/releases", "/v1/releases/r"]


class Silent(MemoryStore):
    def newest(self, table: str, **which: Any) -> Any:
        raise StoreUnavailable("clickhouse://user:secret@host does not answer")


class Broken(MemoryStore):
    def newest(self, table: str, **which: Any) -> Any:
        raise RuntimeError("an event: patient-4711")


def problem_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["title"]
    return body


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/nothing", "/v1/incidents/", "/v1/incidents/inc-0", "/v1/releases/none", "/static/page.css", "/docs"]
)
def test_what_is_not_there_is_a_problem(ask: Ask, path: str) -> None:
    problem_of(ask(empty_log(), path), 404)


@pytest.mark.parametrize("path", ["/v1/incidents", "/v1/releases", "/v1/triggers", "/"])
def test_a_write_is_refused_and_what_is_allowed_is_named(ask: Ask, path: str) -> None:
    answer = ask(empty_log(), path, method="POST")
    problem_of(answer, 405)
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v1/incidents?limit=0", "query.limit"),
        ("/v1/incidents?limit=501", "query.limit"),
        ("/v1/triggers?limit=many", "query.limit"),
        ("/v1/incidents?state=closed", "query.state"),
        ("/v1/incidents?level=all", "query.level"),
        ("/v1/incidents?levle=pause", "query.levle"),
        ("/v1/incidents?release_id=" + "x" * 201, "query.release_id"),
        ("/v1/incidents/" + "x" * 101, "path.incident_id"),
        ("/v1/monitors?state=open", "query.state"),
        ("/?refresh=maybe", "query.refresh"),
    ],
)
def test_a_request_that_cannot_be_understood_names_its_fault(ask: Ask, path: str, named: str) -> None:
    body = problem_of(ask(empty_log(), path), 422)
    assert [one["path"] for one in body["errors"]] == [named]


def test_a_value_that_is_refused_is_not_repeated(ask: Ask) -> None:
    assert "patient-4711" not in ask(empty_log(), "/v1/incidents?state=patient-4711").text


@pytest.mark.parametrize("path", READS)
def test_a_store_that_does_not_answer_is_a_503_without_its_address(ask: Ask, path: str) -> None:
    answer = ask(Silent(), path)
    problem_of(answer, 503)
    assert answer.headers["retry-after"]
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/v1/monitors", "/v1/incidents", "/v1/incidents/inc-1", "/v1/triggers"])
def test_a_store_that_no_service_has_written_to_is_no_empty_field(ask: Ask, path: str) -> None:
    assert "no service" in problem_of(ask(MemoryStore(), path), 503)["detail"]


def test_an_unforeseen_error_shows_and_logs_neither_its_text_nor_a_traceback(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = ask(Broken(), "/v1/incidents")
    problem_of(answer, 500)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "4711" not in answer.text + caplog.text
    assert "Traceback" not in answer.text + caplog.text
    assert "RuntimeError at test_refusals.py:" in caplog.text
