"""`pms manifest lint` and `pms manifest digest`: every problem at once, each with its path, whatever the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from surveillance.cli.main import run
from tests.unit.cli.pump import release
from tests.unit.test_registering import watching

YAML = """
api_version: pms.manifest/v1
created_at: 2026-05-04T09:12:00Z
supersedes_digest: null
answer: no
share: 1.0
small: 1e-7
extensions: {2026-05-04: [yes, ~, 0o17, 0x1f]}
"""
AS_JSON = {
    "extensions": {"2026-05-04": ["yes", None, 15, 31]},
    "small": 0.0000001,
    "share": 1,
    "answer": "no",
    "supersedes_digest": None,
    "created_at": "2026-05-04T09:12:00Z",
    "api_version": "pms.manifest/v1",
}


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_dates_and_words_stay_text_so_yaml_and_json_have_one_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = written(tmp_path, "m.yaml", YAML), written(tmp_path, "m.json", json.dumps(AS_JSON))
    assert run(["manifest", "digest", "--json", *map(str, files)]) == 1  # no manifests
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["source"] for row in rows] == [str(path) for path in files]
    assert rows[0]["digest"] == rows[1]["digest"]


REFUSED = {
    "a: 1\nb: {c: 1, c: 2}\na: 2\n": ['key "c" stands twice', 'key "a" stands twice'],
    "a: &x 1\nb: *x\n": ["anchor", "alias"],
    "a: !!str 1\nb: !own 2\n": ["tag"],
    "a: 1\n---\nb: 2\n": ["document"],
    "a: .nan\n": ["finite"],
    '{"a": 1}\n{"a": 2}\n': ["not JSON: Extra data: line 2", "line 2, column 1: not YAML"],
    "- a\n- b\n": ["expected a map of sections"],
    "": ["expected a map of sections"],
}


@pytest.mark.parametrize("command", ["lint", "digest"])
@pytest.mark.parametrize("text", REFUSED)
def test_what_no_manifest_may_hold_is_named_by_lint_and_digest_alike(
    command: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["manifest", command, str(written(tmp_path, "m.yaml", text))]) == 1
    said = capsys.readouterr()
    for told in REFUSED[text]:
        assert told in said.out + said.err


@pytest.mark.parametrize("command", ["lint", "digest"])
def test_a_bad_file_does_not_hide_what_is_to_be_said_of_the_others(
    command: str, tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent, broken = tmp_path / "absent.yaml", written(tmp_path, "broken.yaml", "a: [1\n")
    assert run(["manifest", command, str(absent), str(tmp_path), str(broken), str(manifest)]) == 1
    said = capsys.readouterr()
    assert str(manifest) in said.out
    assert f"{absent} cannot be read: No such file or directory" in said.err
    assert f"{tmp_path} cannot be read: Is a directory" in said.err
    assert f"{broken}: " in said.out + said.err


def test_lint_names_faults_of_structure_and_of_sense_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = release()
    first, second = document["surveillance"]["monitors"]
    first["limits"]["investigate"]["abs"] = "high"
    second["playbook"] = "PB-2"
    document["baselines"]["features"][0]["bins"] = {"edges": [1, 0], "probs": [1]}
    assert run(["manifest", "lint", "--json", str(written(tmp_path, "m.json", json.dumps(document)))]) == 1
    (found,) = map(json.loads, capsys.readouterr().out.splitlines())
    errors = {problem["path"] for problem in found["problems"] if problem["severity"] == "error"}
    assert errors == {
        "surveillance.monitors[0].limits.investigate.abs",
        "surveillance.monitors[1].playbook",
        "baselines.features[0].bins.edges",
    }


def test_warnings_exit_0(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", "lint", str(manifest)]) == 0
    assert "warning: status: " in capsys.readouterr().out


@pytest.mark.parametrize("group", [[], ["manifest"], ["topics"]])
def test_a_group_without_a_command_shows_its_commands(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(group) == 2
    said = capsys.readouterr().err
    assert said.startswith("Usage: pms")
    assert "Commands:" in said


def test_register_tells_of_a_filter_that_nothing_matches_and_sends_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    def register_manifest(bootstrap: str, prefix: str, document: Any, security: Any) -> str:
        sent.append(document)
        return "sha256:0"

    monkeypatch.setattr("streams.publish.register_manifest", register_manifest)
    document = watching({"type": "event_count", "filter": {"seriousnes": "death"}}, {"ge": 1})
    assert run(["manifest", "register", str(written(tmp_path, "m.json", json.dumps(document)))]) == 0
    assert sent == [document]
    told = capsys.readouterr().err
    assert "m.json: warning: surveillance.monitors[0].metric.filter.seriousnes: " in told
    assert 'did you mean "seriousness"?' in told
