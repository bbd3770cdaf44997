"""`pms manifest backtest`: history under another manifest, from files or from a store that stays as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from surveillance.cli.main import run
from tests.unit.cli.pump import Event, inference, lines_of, manifest_file, release, summary_of, telemetry, written

OTHER_DIGEST = "sha256:" + "a" * 64


def revised(limit: float) -> Event:
    """A later revision that only moves the limit of missing values, and comes into force after all of the telemetry."""
    document = release(revision=2, effective_from="2027-01-01T00:00:00Z")
    document["surveillance"]["monitors"][0]["limits"] = {"investigate": {"abs": limit}}
    return document


def raised(text: str) -> dict[tuple[str, str], int]:
    return {(line["monitor_id"], line["level"]): line["raised"] for line in lines_of(text, "backtest")}


def backtested(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run(["manifest", "backtest", "--json", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_it_tells_how_often_each_monitor_and_level_would_have_fired(
    stream: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = backtested(capsys, "--manifest", manifest, stream)
    assert raised(text) == {("dq.missing", "investigate"): 0, ("dq.missing", "pause"): 1, ("dev.silent", "investigate"): 0}
    (incident,) = lines_of(text, "incident")
    (fired,) = [line for line in lines_of(text, "backtest") if line["raised"]]
    assert fired["first"] == incident["changed_at"]
    assert list(lines_of(text))[-1]["kind"] == "summary"


def test_a_history_of_nothing_is_told_from_a_quiet_one(
    stream: Path, manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["manifest", "backtest", "--manifest", str(manifest), str(written(tmp_path, "empty.ndjson"))]) == 0
    empty = capsys.readouterr()
    assert "no event was read" in empty.err
    assert "dq.missing at investigate: 0 raised, nothing judged\n" in empty.out
    assert run(["manifest", "backtest", "--manifest", str(manifest), str(stream)]) == 0
    quiet = capsys.readouterr()
    assert "watched" not in quiet.err
    assert "dq.missing at investigate: 0 raised, 1 scope judged\n" in quiet.out


def test_its_other_lines_are_those_of_a_replay_of_the_same_files(
    stream: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = backtested(capsys, "--manifest", manifest, stream)
    assert run(["replay", "--manifest", str(manifest), "--json", str(stream)]) == 0
    assert [line for line in lines_of(text) if line["kind"] != "backtest"] == lines_of(capsys.readouterr().out)


def test_another_limit_is_tried_on_what_was_sent_under_an_earlier_revision_and_before_it_is_in_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = written(tmp_path, "e.ndjson", *(one | {"manifest_digest": OTHER_DIGEST} for one in telemetry()))
    strict = backtested(capsys, "--manifest", manifest_file(tmp_path, revised(0.3)), sent)
    assert raised(strict)["dq.missing", "investigate"] == 1
    assert summary_of(strict)["quarantined"] == {}
    never = backtested(capsys, "--manifest", manifest_file(tmp_path, revised(1.0)), sent)
    assert raised(never)["dq.missing", "investigate"] == 0


def test_events_of_another_release_stay_out(tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = written(tmp_path, "e.ndjson", inference(1, 0), inference(2, 1, release_id="pump-2"))
    assert summary_of(backtested(capsys, "--manifest", manifest, sent))["quarantined"] == {"release_unknown": 1}


STORE_AND_BACKTEST = """
import hashlib, sys
from surveillance.cli.main import run
from surveillance.store.opening import open_store

def contents(dsn):
    store = open_store(dsn)
    tables = ("evidence", "incident_events", "triggers", "manifests", "meta")
    held = [*(list(store.newest(table)) for table in tables), [str(row) for row in store.read_panes("replay/1")]]
    store.close()
    assert held[0] and held[-1], "an empty store could not change"
    return hashlib.sha256(repr(held).encode()).hexdigest()

dsn, manifest, revised, stream, printed = sys.argv[1:]
assert run(["replay", "--manifest", manifest, "--store", dsn, "--json", stream]) == 0
before = contents(dsn)
print(printed, flush=True)
assert run(["manifest", "backtest", "--json", "--manifest", revised, "--store", dsn]) == 0
assert contents(dsn) == before, "the store changed"
"""


def test_a_store_gives_what_its_file_gives_and_stays_as_it_was(
    tmp_path: Path, stream: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own, because chDB opens one directory per process."""
    path, mark = manifest_file(tmp_path, revised(0.3)), "-- backtest --"
    arguments = [f"chdb://{tmp_path / 'store'}", str(manifest), str(path), str(stream), mark]
    command = [sys.executable, "-c", STORE_AND_BACKTEST, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    from_store, from_file = ended.stdout.split(f"{mark}\n")[1], backtested(capsys, "--manifest", path, stream)
    assert from_store == from_file
    assert raised(from_store)["dq.missing", "investigate"] == 1


def test_a_scope_that_was_judged_once_counts_as_judged_whatever_it_is_at_the_end(
    tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = written(tmp_path, "e.ndjson", *telemetry())
    text = backtested(capsys, "--manifest", manifest, "--until", "2026-03-02T06:00:00Z", seen)
    (status,) = [line for line in lines_of(text, "status") if line["monitor_id"] == "dq.missing"]
    assert status["verdict"] == "inconclusive"
    assert {line["judged"] for line in lines_of(text, "backtest")} == {1}
    never = written(tmp_path, "n.ndjson", inference(1, 0))
    text = backtested(capsys, "--manifest", manifest, "--until", "2026-03-02T00:30:00Z", never)
    assert {line["judged"] for line in lines_of(text, "backtest") if line["monitor_id"] == "dq.missing"} == {0}


@pytest.mark.parametrize("arguments", [[], ["e.ndjson", "--store", "memory"]])
def test_history_is_either_files_or_a_store(arguments: list[str], manifest: Path) -> None:
    assert run(["manifest", "backtest", "--manifest", str(manifest), *arguments]) == 2


def test_a_misspelt_store_is_named_and_not_made(tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "nowhere"
    assert run(["manifest", "backtest", "--manifest", str(manifest), "--store", f"chdb://{nowhere}"]) == 1
    assert "there is no store" in capsys.readouterr().err
    assert not nowhere.exists()


def test_text_says_it_in_words(stream: Path, manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", "backtest", "--manifest", str(manifest), str(stream)]) == 0
    assert "dq.missing at pause: 1 raised in 1 scope, 1 scope judged, first at" in capsys.readouterr().out
