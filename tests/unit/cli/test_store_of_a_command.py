"""What a command says of a store that it can use, and that is not the one its user may have meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.replay import run_replay
from surveillance.cli.main import run
from surveillance.log_identity import record_log
from surveillance.store.memory import MemoryStore


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """What every command opens, in place of a directory that takes seconds to make."""
    store = MemoryStore()
    monkeypatch.setattr(store, "close", lambda: None)
    for module in ("surveillance.store.open_store", "streams.replay.open_store"):
        monkeypatch.setattr(module, lambda _: store)
    return store


def test_status_says_that_a_store_holds_a_replay(
    kept: MemoryStore, manifest: Path, stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(run_replay([str(stream)], [manifest], store="chdb:///kept"))
    assert run(["status", "--store", "memory"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "error: memory holds the log of a replay" in said.err
    assert "to mend: `pms replay` prints the statuses at its end" in said.err
    assert "nothing was judged" not in said.err


def test_status_of_a_service_that_took_over_the_store_of_a_replay_is_its_own(
    kept: MemoryStore, manifest: Path, stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(run_replay([str(stream)], [manifest], store="chdb:///kept"))
    record_log(kept, "cluster/pms.telemetry/0", "pms.telemetry", 1, now_ms=1_772_409_600_000)
    assert run(["status", "--store", "memory"]) == 0
    assert capsys.readouterr().err == "nothing was judged yet\n"


@pytest.mark.parametrize(("store", "warned"), [("memory", True), ("chdb:///var/lib/pms", False)])
def test_up_warns_of_a_store_that_forgets(
    store: str, warned: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("streams.services.run_up", lambda *_: 0)
    assert run(["up", "--store", store, "--api-port", "0"]) == 0
    assert ("the store is memory: what is counted and judged is lost" in capsys.readouterr().err) is warned
