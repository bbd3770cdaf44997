"""The structs that decode, and the schemas made from them, against contract/events.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from surveillance.events import declared
from surveillance.events.batch import Kind
from surveillance.events.kinds import SCHEMA_OF
from surveillance.events.limits import DecodeLimits
from surveillance.events.reasons import NAMED, NAMELESS
from surveillance.events.schema import event_json_schemas
from tests.unit.events.records import SMALLEST, event, reason_of

DOCUMENT = Path(__file__).parents[3] / "shared" / "contract" / "events.md"
INFERENCE, OUTCOME, ACTION, HEARTBEAT, ADVERSE = (SCHEMA_OF[kind] for kind in list(Kind)[:5])

ENVELOPE_REQUIRED = "schema schema_version event_id product site_id device_id release_id event_time"
ENVELOPE_OPTIONAL = {
    1: "tenant gateway_id sent_time",
    2: "manifest_digest seq boot_id attempt clock mode arm trace_id region ext",
}
REQUIRED: Mapping[str, str] = {
    INFERENCE: "inference_id score alert_raised threshold_applied features",
    OUTCOME: "outcome_id inference_id label label_kind label_time",
    ACTION: "action_id inference_id action action_time actor_role",
    HEARTBEAT: "uptime_s inferences_since_last errors_since_last buffer_depth releases",
    ADVERSE: "ae_id reported_at awareness_at seriousness public_health_threat suspected_device_role"
    " linked_inference_ids imdrf narrative_ref country udi",
    "pms.feedback": "feedback_id inference_id kind theme_code severity",
    "pms.deployment": "actor from_digest to_digest scope reason change_request effective_from",
    "pms.config_change": "actor from_digest to_digest scope reason change_request effective_from",
    "pms.correction": "corrects payload",
    "pms.withdrawal": "encounter_token scope effective_from",
}
OPTIONAL: Mapping[tuple[str, int], str] = {
    (INFERENCE, 1): "model_digest encounter_token output_class input_quality latency_ms context",
    (INFERENCE, 2): "preprocessing_digest feature_schema_digest inference_config_digest threshold_config_digest"
    " explanation_id uncertainty ood_score abstained abstain_reason probabilities quality_flags device_context"
    " eligibility timings alert payload_ref",
    (OUTCOME, 2): "revision verification treated_before_label adjudication censored follow_up_days",
    (ACTION, 2): "alert_id reason_code latency_from_alert_ms",
    (HEARTBEAT, 2): "firmware fallback_mode threshold_config_digest cert_not_after ack_of_command sensor_self_test",
    (ADVERSE, 2): "stage remedial_action potential_seriousness expectedness malfunction",
}
PARTS = {
    "clock": "source offset_ms uncertainty_ms synced_at",
    "context": "age_years sex setting body_part race_ethnicity",
    "device_context": "vendor model firmware sensor_id protocol",
    "eligibility": "intended_use reason",
    "payload_ref": "uri sha256 bytes",
    "releases": "component release_id digest state",
    "ack_of_command": "command_id result",
}
ENUMS = {
    "mode": "active shadow parallel canary drill",
    "arm": "candidate control",
    "clock.source": "ntp ptp none",
    "label_kind": "reference_standard report code clinician_read",
    "verification": "flagged random_sample routine incidental",
    "action": "delivered displayed ack override dismiss escalate snooze expired",
    "releases.state": "active standby suspended",
    "seriousness": "death life_threatening hospitalisation impairment intervention near_miss none",
    "potential_seriousness": "death life_threatening hospitalisation impairment intervention near_miss none",
    "suspected_device_role": "caused contributed unknown none",
    "stage": "initial follow_up final",
    "expectedness": "expected unexpected unknown",
}
LENGTHS = {"event_id": 64, "inference_id": 64} | dict.fromkeys(("product", "site_id", "device_id", "release_id"), 128)
REASONS = (
    "not_json too_large too_deep schema_unknown version_unknown field_missing field_invalid score_not_finite time_invalid"
    " clock_skew release_unknown manifest_unknown forbidden_field batch_too_large decompression_limit"
)
PROSE_NAMES = {"report": "stage", "sensor": "sensor_self_test"}
"""How the document calls two fields in its prose."""
WRITTEN_BY_REPLAY = "ingest_time"

SCHEMAS = event_json_schemas()


def definition(schema: str) -> Mapping[str, Any]:
    found = SCHEMAS["$defs"][schema]
    assert isinstance(found, Mapping)
    return found


def leaf(schema: str, path: str) -> Mapping[str, Any]:
    """The shape under a dotted path, behind references, lists and the null beside it."""
    shape: Mapping[str, Any] = definition(schema)
    for name in path.split("."):
        shape = _open(shape["properties"][name])
    return shape


def _open(shape: Mapping[str, Any]) -> Mapping[str, Any]:
    if "anyOf" in shape:
        shape = next(one for one in shape["anyOf"] if one != {"type": "null"})
    shape = shape.get("items", shape)
    return SCHEMAS["$defs"][shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape


def optional(schema: str, version: int) -> set[str]:
    return {*ENVELOPE_OPTIONAL[version].split(), *OPTIONAL.get((schema, version), "").split()}


@pytest.mark.parametrize("schema", REQUIRED)
def test_version_1_is_the_required_set(schema: str) -> None:
    assert set(definition(schema)["required"]) == {*ENVELOPE_REQUIRED.split(), *REQUIRED[schema].split()}


@pytest.mark.parametrize("schema", REQUIRED)
@pytest.mark.parametrize("version", [1, 2])
def test_optional_fields_say_since_which_version(schema: str, version: int) -> None:
    shape = definition(schema)
    found = {name for name, one in shape["properties"].items() if one["x-since-version"] == version}
    assert found - set(shape["required"]) - {WRITTEN_BY_REPLAY} == optional(schema, version)


def test_there_is_a_schema_for_each_kind_and_no_other() -> None:
    assert {one["$ref"].removeprefix("#/$defs/") for one in SCHEMAS["oneOf"]} == REQUIRED.keys() == SMALLEST.keys()


@pytest.mark.parametrize("schema", REQUIRED)
def test_nested_objects_have_the_parts_of_the_contract(schema: str) -> None:
    fields = declared.fields({name: kind for kind, name in SCHEMA_OF.items()}[schema])
    found: dict[str, set[str]] = {}
    for path in fields:
        head, _, part = path.partition(".")
        if part:
            found.setdefault(head, set()).add(part)
    found.pop("narrative_ref", None)  # a pointer as text or as an object, the same as payload_ref
    assert found == {name: set(PARTS[name].split()) for name in found}
    assert "clock" in found


@pytest.mark.parametrize("path", ENUMS)
def test_enumerations_are_those_of_the_contract(path: str) -> None:
    having = [schema for schema in REQUIRED if path.partition(".")[0] in definition(schema)["properties"]]
    assert having
    for schema in having:
        assert set(leaf(schema, path)["enum"]) == set(ENUMS[path].split())


@pytest.mark.parametrize("name", LENGTHS)
def test_text_has_the_lengths_of_the_contract_and_the_decoder_holds_them(name: str) -> None:
    assert leaf(INFERENCE, name)["maxLength"] == LENGTHS[name]
    assert reason_of(event(**{name: "x" * (LENGTHS[name] + 1)})) == f"field_invalid:{name}"


def test_numbers_have_the_bounds_of_the_contract() -> None:
    score, quality, seq = (leaf(INFERENCE, name) for name in ("score", "input_quality", "seq"))
    assert (score["minimum"], score["maximum"]) == (quality["minimum"], quality["maximum"]) == (0, 1)
    assert (seq["minimum"], seq["maximum"]) == (0, 2**64 - 1)
    assert leaf(OUTCOME, "label")["enum"] == [0, 1]
    assert (leaf(INFERENCE, "schema_version")["minimum"], leaf(INFERENCE, "schema_version")["maximum"]) == (1, 2)


def test_a_digest_is_sha256_and_times_are_rfc_3339() -> None:
    assert leaf(INFERENCE, "manifest_digest")["pattern"] == "^sha256:[0-9a-fA-F]{64}$"
    assert leaf(INFERENCE, "event_time")["format"] == leaf(ADVERSE, "awareness_at")["format"] == "date-time"


def test_unknown_fields_are_allowed_by_the_schemas() -> None:
    assert all("additionalProperties" not in definition(schema) for schema in REQUIRED)


def test_every_reference_in_the_schemas_leads_somewhere() -> None:
    used = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(SCHEMAS)))
    assert used == SCHEMAS["$defs"].keys()


def test_reason_codes_are_those_of_the_contract() -> None:
    assert set(REASONS.split()) == NAMED | NAMELESS


# ------------------------------------------------------------------------------------- the tables above, and the document
@pytest.fixture(scope="module")
def document() -> str:
    if not DOCUMENT.is_file():
        pytest.skip("shared/data and the documents beside it are absent")
    return DOCUMENT.read_text(encoding="utf-8")


def section(document: str, heading: str) -> str:
    return document.partition(f"## {heading}")[2].partition("\n## ")[0]


def rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and not set(cells[0]) <= {"-"} and cells[0] != "field":
            yield cells


def fields_of_table(text: str) -> dict[str, set[str]]:
    """Names by what the `since` column says."""
    found: dict[str, set[str]] = {}
    for cells in rows(text):
        found.setdefault(cells[1], set()).update(name.strip() for name in cells[0].split(","))
    return found


def fields_of_prose(text: str) -> tuple[set[str], set[str]]:
    """Names of version 1 and of version 2."""
    bare = text.strip()
    for bracket in (r"\([^()]*\)", r"\{[^{}]*\}", r"\[[^\[\]]*\]"):
        bare = re.sub(bracket, "", bare)
    bare = re.sub(r"\[[^\[\]]*\]", "", bare).split(". ")[0]
    first, _, second = re.sub(r"; v2( optional)?:", "|", bare).partition("|")
    return _names(first), _names(second)


def _names(text: str) -> set[str]:
    words = [match.group() for part in text.split(",") if (match := re.match(r"[a-z_]+", part.strip()))]
    return {PROSE_NAMES.get(word, word) for word in words}


def test_the_envelope_is_that_of_the_document(document: str) -> None:
    found = fields_of_table(section(document, "Envelope, every kind"))
    assert found == {
        "1": set(ENVELOPE_REQUIRED.split()),
        "1, optional": set(ENVELOPE_OPTIONAL[1].split()),
        "2, optional": set(ENVELOPE_OPTIONAL[2].split()),
    }


def test_an_inference_is_that_of_the_document(document: str) -> None:
    found = fields_of_table(section(document, INFERENCE))
    assert found == {
        "1": set(REQUIRED[INFERENCE].split()),
        "1, optional": set(OPTIONAL[INFERENCE, 1].split()),
        "2, optional": set(OPTIONAL[INFERENCE, 2].split()),
    }


@pytest.mark.parametrize("schema", [OUTCOME, ACTION, HEARTBEAT, ADVERSE])
def test_a_kind_written_as_prose_is_that_of_the_document(schema: str, document: str) -> None:
    required, added = fields_of_prose(section(document, schema))
    assert (required, added) == (set(REQUIRED[schema].split()), set(OPTIONAL[schema, 2].split()))


@pytest.mark.parametrize("path", ENUMS)
def test_enumerations_are_those_of_the_document(path: str, document: str) -> None:
    values = re.sub(r"\s*\\?\|\s*", " ", document)
    assert all(re.search(rf"\b{value}\b", values) for value in ENUMS[path].split())


def test_reason_codes_are_those_of_the_document(document: str) -> None:
    named = re.findall(r"`([a-z_]+)(?::<name>)?`", section(document, "What bad input gets").partition("A quarantined event")[0])
    assert set(named) == set(REASONS.split())


def test_the_default_limits_take_a_whole_batch_of_the_design() -> None:
    assert DecodeLimits().max_batch_events >= 500
