"""A small release and its telemetry, as files for the commands that read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.pump import ndjson, release, telemetry


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
