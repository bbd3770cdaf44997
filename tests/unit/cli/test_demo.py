"""`pms demo --kafka` where there is no Kafka to be had, and when a browser is opened."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from surveillance.cli import demo
from surveillance.cli.main import run


def test_an_installed_pms_without_a_broker_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PMS_KAFKA_BOOTSTRAP", raising=False)
    monkeypatch.setattr(demo, "KAFKA_SCRIPT", tmp_path / "kafka.py")
    assert run(["demo", "--kafka", "--once", "--port", "0"]) == 1
    told = capsys.readouterr()
    assert "deploy/kafka.py" in told.err
    assert "PMS_KAFKA_BOOTSTRAP=host:port" in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("flags", "screen", "opened"),
    [([], True, True), ([], False, False), (["--no-browser"], True, False), (["--once"], True, False)],
)
def test_a_browser_is_opened_where_there_is_a_screen_and_somebody_to_look(
    monkeypatch: pytest.MonkeyPatch, flags: list[str], screen: bool, opened: bool
) -> None:
    asked: dict[str, object] = {}

    def played(**given: object) -> int:
        asked.update(given)
        return 0

    monkeypatch.setattr("streams.demo.run_demo", played)
    monkeypatch.setattr(demo, "_has_screen", lambda: screen)
    assert run(["demo", "--port", "0", *flags]) == 0
    assert asked["open_browser"] is opened


def test_a_page_on_a_port_that_is_taken_is_told_with_the_option_of_the_demo(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["demo", "--port", str(taken.getsockname()[1])]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("error: the API cannot listen on 127.0.0.1 port ")
    assert "(--port; 0 picks one)" in told.err
    assert "api-port" not in told.err
    assert told.out == ""


def test_a_demo_that_ends_by_itself_takes_any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def played(**given: object) -> int:
        asked.update(given)
        return 0

    monkeypatch.setattr("streams.demo.run_demo", played)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(demo, "PORT", taken.getsockname()[1])
        assert run(["demo", "--once"]) == 0
    assert asked["port"] == 0
