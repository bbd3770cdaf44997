"""The contract's example manifest runs as it stands: every monitor says what it found, or why it can say nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from surveillance.cli.main import run
from surveillance.manifest.digest import manifest_digest
from surveillance.manifest.yaml12 import load_document
from surveillance.times import from_text, to_text

EXAMPLE = Path(__file__).resolve().parents[3] / "shared" / "contract" / "manifest.example.yaml"
if not EXAMPLE.exists():
    pytest.skip("the contract's example is not here: ../shared is not part of this clone", allow_module_level=True)

Document = dict[str, Any]

START_MS = from_text("2026-05-06T00:00:00Z")
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def example() -> Document:
    return load_document(EXAMPLE.read_bytes(), EXAMPLE.name)


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


def test_every_monitor_has_a_status_with_a_number_or_a_named_reason(
    example: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = stream(tmp_path, example["release"]["identities"])
    assert run(["replay", "--manifest", str(EXAMPLE), "--until", "2026-05-06T04:00:00Z", "--json", str(events)]) == 0
    status = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["kind"] == "status"]
    said = {line["monitor_id"] for line in status}
    # No day, week or month has ended yet, no heartbeat has said when its certificate ends, nobody has labelled anything.
    waiting = {one["id"] for one in example["surveillance"]["monitors"]} - said
    assert waiting <= {"trend.art88", "sec.cert", "dev.silent"} | {
        one["id"] for one in example["surveillance"]["monitors"] if one.get("window") in ("w1d", "w7d", "w28d")
    }
    assert all(line["reason"] or "value" in line["estimate"] for line in status)


def test_what_goes_wrong_in_three_hours_is_found(example: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, events = written(tmp_path, example), stream(tmp_path, example["release"]["identities"])
    assert run(["replay", "--manifest", str(manifest), "--until", "2026-05-06T04:00:00Z", "--json", str(events)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (summary,) = [line for line in lines if line["kind"] == "summary"]
    assert (summary["events"], summary["counted"], summary["quarantined"]) == (900, 900, {})
    assert {line["manifest_digest"] for line in lines if "manifest_digest" in line} == {manifest_digest(example)}
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


def test_lint_finds_no_error_and_foretells_a_quiet_field_inside_the_budget(
    example: Document, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["manifest", "lint", "--json", str(EXAMPLE)]) == 0
    (found,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {problem["severity"] for problem in found["problems"]} == {"warning"}


def test_the_example_has_one_digest_as_yaml_and_as_json(
    example: Document, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["manifest", "digest", "--json", str(EXAMPLE), str(written(tmp_path, example))]) == 0
    first, second = (json.loads(line)["digest"] for line in capsys.readouterr().out.splitlines())
    assert first == second == manifest_digest(example)
