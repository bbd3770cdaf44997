"""What keeps a directory from being an embedded store, told before the engine opens it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from surveillance.cli.main import run
from surveillance.errors import InvalidInput
from surveillance.store.chdb_directory import check_directory, check_unlocked
from surveillance.store.opening import open_store


@pytest.mark.parametrize("below", ["", "/store", "/store/deep"])
def test_a_file_is_no_directory_of_a_store(below: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(InvalidInput) as refused:
        open_store(f"chdb://{path}{below}")
    assert refused.value.what == f"chdb://{path}{below} cannot be opened: {path} is a file"


@pytest.mark.parametrize("below", ["", "/store"])
def test_a_directory_that_may_not_be_written_is_told_so(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(InvalidInput) as refused:
        open_store(f"chdb://{tmp_path}{below}")
    assert refused.value.what.endswith(f"permission denied for {tmp_path}")
    assert refused.value.mend == "choose a directory you may write"
    run(["doctor", "--store", f"chdb://{tmp_path}{below}", "--kafka-bootstrap", "127.0.0.1:1"])
    assert f"missing   store: {refused.value.what}" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_a_store_whose_lock_belongs_to_somebody_else_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "status"
    lock.touch()
    check_directory(str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != lock)
    with pytest.raises(InvalidInput, match=r"permission denied for .*status"):
        check_directory(str(tmp_path))


def test_a_store_that_another_process_holds_is_refused_before_the_engine_speaks(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("PID: 1\nStarted at: 2026-03-02 00:00:00\n", encoding="utf-8")
    check_unlocked(str(tmp_path))
    with (tmp_path / "status").open(encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InvalidInput, match="process 1 has it open") as refused:
            open_store(f"chdb://{tmp_path}")
    assert "pms status --api URL" in refused.value.mend


def test_a_store_that_this_process_holds_is_shared(tmp_path: Path) -> None:
    lock = tmp_path / "status"
    lock.write_text(f"PID: {os.getpid()}\n", encoding="utf-8")
    with lock.open(encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        check_unlocked(str(tmp_path))


def test_status_says_that_a_file_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "file"
    path.touch()
    assert run(["status", "--store", f"chdb://{path}"]) == 1
    assert f"{path} is a file" in capsys.readouterr().err
