"""A small release and its telemetry, as files for the commands that read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surveillance.cli.main import run
from tests.unit.cli.pump import Printed, ndjson, release, telemetry


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(release()), encoding="utf-8")
    return path


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_bytes(ndjson(telemetry()))
    return path


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], manifest: Path) -> Printed:
    """What `pms replay --json` of files prints, of the manifest of the fixture unless others are given."""

    def replay(*arguments: object, manifests: tuple[Path, ...] = (manifest,)) -> str:
        named = [word for path in manifests for word in ("--manifest", str(path))]
        assert run(["replay", *named, "--json", *map(str, arguments)]) == 0
        return capsys.readouterr().out

    return replay
