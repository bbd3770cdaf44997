"""The AsyncAPI document against the decoder, the lines and the topics it describes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detectors.estimate import Estimate
from streams.outlet import quarantine_message
from streams.topics import planned_topics
from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.verdict import Verdict
from surveillance.events.asyncapi import asyncapi_document
from surveillance.events.formats import FORMAT_OF
from surveillance.events.schema import event_json_schemas
from surveillance.incidents.incident import Incident
from surveillance.incidents.lines import incident_line, trigger_line
from surveillance.incidents.system import LEDGER_GAP, SystemIncidents
from surveillance.manifest.parse import load_manifest
from surveillance.store.protocol import Quarantined
from tests.contract.schema_faults import faults
from tests.unit.events.records import BROKER_MS, SMALLEST, VERSION_2, decoded, event, written

DOCUMENT = asyncapi_document()
SCHEMAS = DOCUMENT["components"]["schemas"]
MANIFEST, _, DIGEST = load_manifest(Path(__file__).parents[1] / "unit" / "manifest" / "small.yaml")
MONITOR = next(one for one in MANIFEST.surveillance.monitors if one.id == "identity")
INCIDENT = Incident("default", DIGEST, "identity", (("sex", "F"),), 0, "pause", *[BROKER_MS] * 5)
OF_ANOTHER_TENANT = replace(INCIDENT, tenant="other")
EVIDENCE = Evidence(
    tenant="default",
    manifest_digest=DIGEST,
    monitor_id="identity",
    scope=INCIDENT.scope,
    start_ms=BROKER_MS - 1,
    end_ms=BROKER_MS,
    outcome=Estimate(2.0, 2.0, 2.0, 10, "count"),
    verdict=Verdict.BREACHED,
    levels={},
    revision={0: 1},
)


def against(schema: str, value: Any) -> list[str]:
    return list(faults(value, SCHEMAS[schema], DOCUMENT))


def messages(channel: str) -> set[str]:
    return set(DOCUMENT["channels"][channel]["messages"])


def test_the_topics_are_those_that_are_created() -> None:
    assert {one["address"] for one in DOCUMENT["channels"].values()} == {plan.name for plan in planned_topics("pms.", 8)}


def test_another_prefix_names_other_topics() -> None:
    assert {one["address"] for one in asyncapi_document("eu.")["channels"].values()} == {
        plan.name for plan in planned_topics("eu.", 8)
    }


def test_telemetry_has_a_message_for_each_kind_and_each_format() -> None:
    assert messages("telemetry") == {*SMALLEST, "pms.tick", "jsonBatch", "arrowBatch", "cloudEvent", "cloudEventBatch"}
    found = {DOCUMENT["components"]["messages"][name]["contentType"] for name in messages("telemetry")}
    assert found == FORMAT_OF.keys() == set(SCHEMAS["telemetryHeaders"]["properties"]["content-type"]["enum"])


def test_headers_are_those_that_are_read() -> None:
    assert SCHEMAS["telemetryHeaders"]["properties"].keys() == {
        "content-type",
        "content-encoding",
        "pms-ingest-time",
        "pms-origin",
        "pms-origin-time",
        "pms-origin-mac",
        "ce_id",
        "ce_time",
    }


def test_service_topics_have_their_messages_and_directions() -> None:
    assert [messages(one) for one in ("incidents", "triggers", "quarantine")] == [{"incident"}, {"trigger"}, {"quarantined"}]
    received = {name.removeprefix("receive_") for name, one in DOCUMENT["operations"].items() if one["action"] == "receive"}
    assert received == {"telemetry", "releases"}


def test_every_reference_leads_somewhere() -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        found: Any = DOCUMENT
        for step in reference.split("/"):
            found = found[step]


@pytest.mark.parametrize("schema", SMALLEST)
@pytest.mark.parametrize("added", [{}, VERSION_2], ids=["version 1", "version 2"])
def test_what_decodes_fits_the_schemas(schema: str, added: Mapping[str, Any]) -> None:
    one = event(schema, **added)
    assert len(decoded(*written(one))) == 1
    assert list(faults(one, event_json_schemas(), event_json_schemas())) == []
    assert against("event", one) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"score": 1.5},
        {"score": "high"},
        {"schema_version": 3},
        {"event_id": ""},
        {"event_id": "x" * 65},
        {"features": {"a": True}},
        {"mode": "test"},
        {"seq": 2**64},
        {"manifest_digest": "md5:00"},
        {"context": {"age_years": "old"}},
        {"device_id": ...},
        {"alert_raised": 1},
        {"threshold_applied": None},
    ],
    ids=str,
)
def test_what_the_schema_refuses_the_decoder_refuses(fields: Mapping[str, Any]) -> None:
    one = event(**fields)
    assert against("pms.inference", one) != []
    assert len(decoded(*written(one))) == 0


def test_an_incident_is_what_its_schema_says() -> None:
    window = {"start": "2026-03-02T00:00:00Z", "end": "2026-03-02T01:00:00Z"}
    performance = {
        "monitor_id": "sensitivity",
        "scope": {"site": "north"},
        "verdict": "inconclusive",
        "reason": "immature_labels",
        "window": window,
        "reaches_change": True,
        "last_conclusive": {"verdict": "met", "window": window},
    }
    attribution = {
        "kind": "undetermined",
        "mix": {"reason": "no_exposure"},
        "explained_by": {"field": "firmware", "level": "2.0", "share": 1.0, "lower": 0.9, "upper": 1.1, "n": 40, "of_rows": 0.5},
        "change_point": {"reason": "below_minimum_n"},
        "performance": [performance],
    }
    assert against("incident", incident_line(INCIDENT, EVIDENCE, MANIFEST, MONITOR)) == []
    line = incident_line(OF_ANOTHER_TENANT, EVIDENCE._replace(pooled_to=()), MANIFEST, MONITOR, attribution)
    assert against("incident", line) == []
    assert line.keys() == SCHEMAS["incident"]["properties"].keys()


def test_an_incident_of_the_service_itself_is_what_the_schema_says() -> None:
    (opened,) = SystemIncidents([]).step({(LEDGER_GAP, (("partition", "3"),)): "lost"}, BROKER_MS)
    assert against("incident", opened.line) == []
    assert opened.line.keys() == set(SCHEMAS["incident"]["required"])


@pytest.mark.parametrize("action", ["pause_rollout", "rollback_request"])
def test_a_trigger_is_what_its_schema_says(action: str) -> None:
    assert against("trigger", trigger_line(INCIDENT, "pause", action, MANIFEST)) == []
    line = trigger_line(OF_ANOTHER_TENANT, "pause", action, MANIFEST)
    assert against("trigger", line) == []
    assert line.keys() == SCHEMAS["trigger"]["properties"].keys()


@pytest.mark.parametrize("payload", [b"not json", None])
@pytest.mark.parametrize("reason", ["not_json", "field_missing:score"])
def test_a_refused_event_is_what_its_schema_says(payload: bytes | None, reason: str) -> None:
    refused = Quarantined("default", "pms.telemetry", 1, 2, 3, BROKER_MS, reason, "why", "00" * 32, payload)
    body = json.loads(quarantine_message("pms.quarantine", refused).value or b"")
    assert against("quarantined", body) == []
    assert SCHEMAS["quarantined"]["properties"].keys() - body.keys() == ({"payload"} if payload is None else set())


def test_a_reason_outside_the_closed_set_does_not_fit() -> None:
    assert against("quarantined", {"reason": "bad_luck"}) != against("quarantined", {"reason": "not_json"})
