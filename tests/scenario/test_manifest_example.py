"""The contract's example manifest: refused by name where a detector is not built yet, and run without those monitors."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from surveillance.cli.main import run
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.yaml12 import load_document
from surveillance.panes.readings import BUILT_TYPES
from surveillance.times import from_text, to_text

EXAMPLE = Path(__file__).resolve().parents[3] / "shared" / "contract" / "manifest.example.yaml"
if not EXAMPLE.exists():
    pytest.skip("the contract's example is not here: ../shared is not part of this clone", allow_module_level=True)

Document = dict[str, Any]

REQUIRED_TYPES = {
    "psi", "missing_rate", "saturation_share", "identity_mismatch", "mismatch_count", "proportion_vs_floor", "auroc", "brier",
    "observed_expected", "calibration_slope", "poisson_rate_ratio", "rate", "heartbeat_gap", "duplicate_rate",
    "label_arrivals_vs_expected", "bernoulli_cusum",
}  # fmt: skip
START_MS = from_text("2026-05-06T00:00:00Z")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def example() -> Document:
    return load_document(EXAMPLE.read_bytes(), EXAMPLE.name)


@pytest.fixture
def reduced(example: Document) -> Document:
    """The example without the monitors that cannot run yet; nothing else of it is touched."""
    document = copy.deepcopy(example)
    monitors = document["surveillance"]["monitors"]
    document["surveillance"]["monitors"] = [one for one in monitors if one["metric"]["type"] in BUILT_TYPES]
    return document


def written(folder: Path, document: Document) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def inference(number: int, at_ms: int, identities: Document, **fields: Any) -> Document:
    return {
        "schema": "pms.inference", "schema_version": 2, "event_id": f"e-{number}", "product": "chest-triage",
        "site_id": "site-01", "device_id": f"gw-{number % 4}", "gateway_id": "gw", "release_id": "cxr-triage-4.2.0",
        "event_time": to_text(START_MS + at_ms), "inference_id": f"i-{number}", "score": 0.05, "alert_raised": False,
        "threshold_applied": 0.42, "features": {"px_mean": 0.1 * (number % 11 - 5), "view_position": "PA"},
        "model_digest": identities["model"]["digest"], "preprocessing_digest": identities["preprocessing"]["digest"],
        "feature_schema_digest": identities["feature_schema"]["digest"],
        "threshold_config_digest": identities["threshold_config_digest"],
        "context": {"age_years": 50, "sex": "F", "setting": "ED"}, "device_context": {"vendor": "VendorA"},
    } | fields  # fmt: skip


def stream(folder: Path, identities: Document) -> Path:
    """Three hours of 300 inferences; in the last every px_mean is the sentinel, and one event names another model."""
    events = [inference(n, n * HOUR_MS // 300, identities) for n in range(900)]
    for event in events[600:]:
        event["features"]["px_mean"] = -9
    events[700]["model_digest"] = "sha256:" + "0" * 64
    path = folder / "events.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


def test_every_type_this_stage_asks_for_is_built() -> None:
    assert REQUIRED_TYPES <= BUILT_TYPES


def test_the_example_is_refused_with_each_monitor_and_type_that_is_not_built(
    example: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = stream(tmp_path, example["release"]["identities"])
    assert run(["replay", "--manifest", str(EXAMPLE), "--json", str(events)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    for index, monitor in enumerate(example["surveillance"]["monitors"]):
        place = f'surveillance.monitors[{index}].metric.type: monitor "{monitor["id"]}"'
        assert (place in said.err) == (monitor["metric"]["type"] not in BUILT_TYPES)


def test_without_those_monitors_it_runs(
    example: Document, reduced: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, events = written(tmp_path, reduced), stream(tmp_path, example["release"]["identities"])
    assert run(["replay", "--manifest", str(manifest), "--until", "2026-05-06T04:00:00Z", "--json", str(events)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (summary,) = [line for line in lines if line["kind"] == "summary"]
    assert (summary["events"], summary["counted"], summary["quarantined"]) == (900, 900, {})
    assert {line["manifest_digest"] for line in lines if "manifest_digest" in line} == {manifest_digest(reduced)}
    identity = [line for line in lines if line["kind"] == "incident" and line["monitor_id"] == "identity.release"]
    assert [(line["state"], line["level"], line["estimate"]["value"]) for line in identity] == [
        ("open", "pause", 1),
        ("resolved", "pause", 0),
    ]
    (pause,) = [line for line in lines if line["kind"] == "trigger" and line["monitor_id"] == "identity.release"]
    assert (pause["action"], pause["scope"]) == ("pause_rollout", {})
    missing = {
        line["scope"]["feature"]: line for line in lines if line["kind"] == "status" and line["monitor_id"] == "dq.missing"
    }
    # Nothing came in the last hour, so its window reaches back over the one before (below_min: accumulate).
    assert missing["px_mean"]["window"] == {"start": "2026-05-06T02:00:00Z", "end": "2026-05-06T04:00:00Z"}
    assert (missing["px_mean"]["verdict"], missing["px_mean"]["estimate"]["value"]) == ("breached", 1.0)
    assert (missing["view_position"]["verdict"], missing["view_position"]["estimate"]["value"]) == ("met", 0.0)


def test_lint_names_what_cannot_run_yet_and_finds_no_error(example: Document, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", "lint", "--json", str(EXAMPLE)]) == 0
    (found,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {problem["severity"] for problem in found["problems"]} == {"warning"}
    unbuilt = [
        f"surveillance.monitors[{index}].metric.type"
        for index, monitor in enumerate(example["surveillance"]["monitors"])
        if monitor["metric"]["type"] not in BUILT_TYPES
    ]
    assert [problem["path"] for problem in found["problems"] if problem["path"].endswith(".metric.type")] == unbuilt


def test_the_example_has_one_digest_as_yaml_and_as_json(
    example: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["manifest", "digest", "--json", str(EXAMPLE), str(written(tmp_path, example))]) == 0
    first, second = (json.loads(line)["digest"] for line in capsys.readouterr().out.splitlines())
    assert first == second == manifest_digest(example)
