"""The state of an interrupted publication: one per log and files, old or new after a crash, gone when it is done."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from streams.publish_state import LINE_HEADER, PublishState, StateFile, _lines_of
from streams.topics import Log
from surveillance.errors import InvalidInput

LOG = Log("cluster/pms.telemetry/epoch", "pms.telemetry", 2)
STATE = PublishState("run", 5000, {0: 17, 1: 40}, "2026-05-06T00:00:00Z", 1_778_025_600_000, 3)


@pytest.fixture
def events(tmp_path: Path) -> Path:
    path = tmp_path / "events.ndjson"
    path.write_text("{}\n")
    return path


def state_file(folder: Path, *paths: Path, log: Log = LOG) -> StateFile:
    return StateFile(folder / "state", log, [str(path) for path in paths])


def test_what_is_written_is_read_back_as_it_was(tmp_path: Path, events: Path) -> None:
    assert state_file(tmp_path, events).read() is None
    state_file(tmp_path, events).write(STATE)
    assert state_file(tmp_path, events).read() == STATE


def test_a_finished_publication_leaves_nothing(tmp_path: Path, events: Path) -> None:
    state_file(tmp_path, events).write(STATE)
    state_file(tmp_path, events).remove()
    state_file(tmp_path, events).remove()
    assert state_file(tmp_path, events).read() is None
    assert list((tmp_path / "state").iterdir()) == []


def test_another_log_other_files_or_a_changed_file_have_a_state_of_their_own(tmp_path: Path, events: Path) -> None:
    state_file(tmp_path, events).write(STATE)
    assert state_file(tmp_path, events, log=replace(LOG, log_id="cluster/pms.telemetry/later")).read() is None
    assert state_file(tmp_path, events, events).read() is None
    events.write_text("{}\n{}\n")
    assert state_file(tmp_path, events).read() is None


def test_a_file_that_was_touched_is_another_file(tmp_path: Path, events: Path) -> None:
    state_file(tmp_path, events).write(STATE)
    os.utime(events, ns=(1, 1))
    assert state_file(tmp_path, events).read() is None


def test_a_crash_while_writing_leaves_the_state_before(tmp_path: Path, events: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state_file(tmp_path, events).write(STATE)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        state_file(tmp_path, events).write(replace(STATE, line=10_000))
    assert state_file(tmp_path, events).read() == STATE


def test_standard_input_cannot_be_resumed_so_it_has_no_state(tmp_path: Path) -> None:
    stdin = StateFile(tmp_path / "state", LOG, ["-"])
    stdin.write(STATE)
    stdin.remove()
    assert stdin.read() is None
    assert not (tmp_path / "state").exists()


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing\.ndjson"):
        state_file(tmp_path, tmp_path / "missing.ndjson")


def test_a_record_is_known_by_the_mark_of_its_run_and_by_no_other() -> None:
    assert _lines_of([STATE.header(7), ("content-type", b"application/json")], "run") == [7]
    assert _lines_of([STATE.header(7)], "another run") == []
    hostile = [
        (LINE_HEADER, b"run:-1"),
        (LINE_HEADER, b"run:"),
        (LINE_HEADER, b"\xff:3"),
        (LINE_HEADER, b"3"),
        ("other", b"run:4"),
    ]
    assert _lines_of(hostile, "run") == []
