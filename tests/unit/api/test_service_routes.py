"""Releases, health, metrics, the OpenAPI document and the headers of every answer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from surveillance.errors import StoreUnavailable
from surveillance.evaluation.evidence import canonical
from surveillance.manifest.digest import manifest_digest
from surveillance.serving import Readiness
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Document
from tests.unit.api.conftest import Ask
from tests.unit.api.field import empty_log, judged
from tests.unit.cli.pump import release

OPENAPI = "/v1/openapi.json"


class Mute(MemoryStore):
    def describe(self) -> Any:
        raise StoreUnavailable("silence")


# releases ----------------------------------------------------------------------------------------------------
def test_a_registered_manifest_is_a_release(ask: Ask) -> None:
    answer = ask(judged()[0], "/v1/releases").json()
    assert answer == {
        "total": 1,
        "releases": [
            {
                "release_id": "pump-1",
                "manifest_id": "rm-pump-1",
                "revision": 1,
                "manifest_digest": manifest_digest(release()),
                "registered_at": "2026-03-01T00:00:00Z",
            }
        ],
    }


def test_a_release_holds_its_manifests_the_newest_revision_first(ask: Ask) -> None:
    store, _ = judged()
    later = release(revision=2)
    digest = manifest_digest(later)
    store.append("manifests", [Document("", digest, digest, 0, 5, canonical(later))])
    other = release("pump-2")
    store.append("manifests", [Document("", "d", "d", 0, 6, canonical(other))])
    answer = ask(store, "/v1/releases/pump-1").json()
    assert [one["manifest"] for one in answer["registrations"]] == [later, release()]


# health ------------------------------------------------------------------------------------------------------
def test_the_process_is_alive_whatever_its_store_does(ask: Ask) -> None:
    assert ask(Mute(), "/healthz").json() == {"status": "alive"}


def test_ready_says_what_a_reader_must_know(ask: Ask) -> None:
    answer = ask(empty_log(), "/readyz", readiness=lambda: Readiness(notes=("unsigned",)))
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "notes": ["unsigned"]})


def test_what_is_not_ready_names_everything_it_waits_for(ask: Ask) -> None:
    answer = ask(Mute(), "/readyz", readiness=lambda: Readiness(waiting_for=("the releases topic",)))
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["waiting_for"] == ["the releases topic", "the store, which does not answer"]
    assert "the releases topic" in answer.json()["detail"]


def test_metrics_are_those_of_the_process(ask: Ask) -> None:
    answer = ask(empty_log(), "/metrics")
    assert answer.content == b"pms_events_total 7\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


# every answer --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/", "/page.css", "/icon.svg", "/v1/incidents", "/v1/nothing", OPENAPI])
def test_every_answer_keeps_a_browser_strict_and_names_no_server(ask: Ask, path: str) -> None:
    headers = ask(judged()[0], path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_the_host_header_reaches_no_answer(ask: Ask) -> None:
    for path in ("/", "/v1/incidents/", "/v1/incidents", OPENAPI):
        answer = ask(judged()[0], path, headers={"Host": "evil.test"})
        assert "evil.test" not in answer.text + str(answer.headers)


# OpenAPI ---------------------------------------------------------------------------------------------------------
def test_openapi_describes_every_route_and_every_refusal_as_a_problem(ask: Ask) -> None:
    paths = ask(empty_log(), OPENAPI).json()["paths"]
    assert set(paths) == {
        "/v1/monitors", "/v1/incidents", "/v1/incidents/{incident_id}", "/v1/triggers", "/v1/releases",
        "/v1/releases/{release_id}", "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    refusals = {
        (path, status): set(response["content"])
        for path, methods in paths.items()
        for status, response in methods["get"]["responses"].items()
        if status != "200"
    }
    assert refusals
    assert {path for (path, kinds) in refusals.items() if kinds != {"application/problem+json"}} == set()


def test_openapi_says_that_a_number_is_absent_and_never_null(ask: Ask) -> None:
    schemas = ask(empty_log(), OPENAPI).json()["components"]["schemas"]
    estimate = schemas["EstimateBody"]
    assert estimate["properties"]["value"] == {"type": "number", "title": "Value"}
    assert "required" not in estimate
    assert schemas["Incidents"]["properties"]["stale"]["type"] == "boolean"


def test_every_reference_of_openapi_leads_somewhere(ask: Ask) -> None:
    answer = ask(empty_log(), OPENAPI)
    named = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert named
    assert named <= set(answer.json()["components"]["schemas"])


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/v1/incidents"])
def test_a_head_is_answered_as_its_get(ask: Ask, path: str) -> None:
    store, _ = judged()
    head, get = ask(store, path, method="HEAD"), ask(store, path)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-type"] == get.headers["content-type"]
