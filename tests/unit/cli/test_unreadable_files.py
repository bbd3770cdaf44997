"""Files that cannot be read: exit code 1 for input, 2 for settings, and how to mend it, whatever stands in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from surveillance.cli.main import run

COMMANDS = (
    ["replay", "events.ndjson", "--manifest"],
    ["manifest", "lint"],
    ["manifest", "digest"],
    ["manifest", "power"],
    ["manifest", "register"],
    ["manifest", "baseline", "events.ndjson", "--manifest"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_manifest_that_is_a_directory_is_unreadable_input(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"error: manifest {tmp_path} cannot be read: Is a directory\n  to mend: check the path and its permissions\n"
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_manifest_without_permission_is_unreadable_input(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.yaml"
    path.touch()

    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    monkeypatch.setattr(Path, "read_bytes", denied)
    assert run([*command, str(path)]) == 1
    assert f"error: manifest {path} cannot be read: Permission denied\n  to mend: check the path" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["doctor", "status", "up"])
@pytest.mark.parametrize(
    ("content", "told", "mend"),
    [
        (None, "cannot be read: No such file", "check the path and its permissions; --config or PMS_CONFIG names it"),
        ("store: memory", "not TOML: ", 'write it as: kafka_bootstrap = "127.0.0.1:9092"'),
    ],
)
def test_a_settings_file_that_cannot_be_read_is_told_with_how_to_mend_it(
    command: str, content: str | None, told: str, mend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pms.toml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    assert run([command, "--config", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path}: {told}")
    assert said.endswith(f"\n  to mend: {mend}\n")
