import json

from surveillance.manifest.json_schema import manifest_json_schema
from surveillance.manifest.model_metrics import METRIC_CLASSES


def test_the_schema_is_json_and_names_every_required_section():
    schema = json.loads(json.dumps(manifest_json_schema()))
    assert schema["required"] == [
        "api_version",
        "kind",
        "manifest_id",
        "revision",
        "release",
        "strata",
        "baselines",
        "surveillance",
        "owners",
    ]


def test_keys_of_the_schema_are_those_of_the_contract():
    definitions = manifest_json_schema()["$defs"]
    assert {"allowed_lateness", "out_of_orderness", "retransmit_window"} <= definitions["Telemetry"]["properties"].keys()
    assert {"T", "M"} <= definitions["MaxSprtPoisson"]["properties"].keys()


def test_every_metric_type_is_in_the_schema():
    metric = manifest_json_schema()["$defs"]["Monitor"]["properties"]["metric"]
    assert metric["discriminator"]["mapping"].keys() == METRIC_CLASSES.keys()


def test_monitors_are_closed_and_other_sections_open():
    definitions = manifest_json_schema()["$defs"]
    closed = {name for name, node in definitions.items() if node.get("additionalProperties") is False}
    assert {"Monitor", "LevelLimit", "Limits", "PersistencePart", "IntervalChoice", "Drift", "RunRule"} <= closed
    assert closed.isdisjoint({"Release", "Strata", "Telemetry", "Rollback"})


def test_a_callers_change_does_not_reach_the_next_caller():
    manifest_json_schema()["required"] = []
    assert manifest_json_schema()["required"]
