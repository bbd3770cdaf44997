"""`pms topics create`, `pms publish` and `pms manifest register` against a real broker, as an operator would type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surveillance.cli.main import run

pytestmark = pytest.mark.kafka

SMALL = Path(__file__).parents[1] / "unit" / "manifest" / "small.yaml"


@pytest.fixture(autouse=True)
def _broker_by_environment(kafka_bootstrap: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMS_KAFKA_BOOTSTRAP", kafka_bootstrap)
    monkeypatch.setenv("PMS_TOPIC_PREFIX", topic_prefix)


def test_topics_are_created_once_and_a_difference_is_named(topic_prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["topics", "create", "--partitions", "2"]) == 0
    assert f"{topic_prefix}telemetry: created" in capsys.readouterr().out
    assert run(["topics", "create", "--partitions", "2"]) == 0
    assert f"{topic_prefix}telemetry: exists; as it should be" in capsys.readouterr().out
    assert run(["topics", "create", "--partitions", "3"]) == 1
    assert f"{topic_prefix}telemetry: exists; 2 partitions, expected 3" in capsys.readouterr().out


def test_a_file_is_published_and_its_lines_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.ndjson"
    lines = [json.dumps({"device_id": f"dev-{number}", "event_time": "2026-05-06T00:00:00Z"}) for number in range(20)]
    events.write_text("\n".join([*lines, "no json"]), encoding="utf-8")
    assert run(["publish", str(events)]) == 1
    assert "pms topics create" in capsys.readouterr().err
    assert run(["topics", "create", "--partitions", "2"]) == 0
    capsys.readouterr()
    assert run(["publish", str(events), "--until", "2026-05-07T00:00:00Z"]) == 0
    said = capsys.readouterr().out
    assert said == "published 21 lines to 2 partitions (1 unreadable), time up to 2026-05-07T00:00:00Z\n"


def test_what_is_no_manifest_is_not_registered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("kind: Something\n", encoding="utf-8")
    assert run(["manifest", "register", str(path)]) == 1
    assert "manifest_id" in capsys.readouterr().err


def test_a_manifest_is_registered_where_the_topics_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", "register", str(SMALL)]) == 1
    assert "pms topics create" in capsys.readouterr().err
    assert run(["topics", "create", "--partitions", "2"]) == 0
    assert run(["manifest", "digest", str(SMALL)]) == 0
    digest = capsys.readouterr().out.splitlines()[-1].split()[0]
    assert run(["manifest", "register", str(SMALL)]) == 0
    said = capsys.readouterr()
    assert said.out == f"{digest}\n"
    assert "in force in 60 s" in said.err


@pytest.mark.parametrize("command", [["topics", "create"], ["manifest", "register", str(SMALL)]])
def test_a_broker_that_is_not_there_is_named(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PMS_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert run(command) == 1
    assert "no Kafka broker answers at 127.0.0.1:1" in capsys.readouterr().err
