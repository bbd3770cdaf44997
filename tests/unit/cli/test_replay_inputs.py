"""What `pms replay` reads: formats, standard input, `--until`, several manifests, and files that cannot be read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet
import pytest
import zstandard

from surveillance.cli.main import run
from tests.unit.cli.pump import (
    HOUR_MS,
    MIDNIGHT_MS,
    Event,
    Printed,
    arrival_ms,
    inference,
    lines_of,
    manifest_file,
    ndjson,
    release,
    summary_of,
    telemetry,
    written,
)


def table(*, typed_times: bool = False, dotted: bool = False) -> pa.Table:
    """The telemetry as columns: one per field of any event, null where an event has none."""
    events = telemetry()
    if dotted:
        events = [{k: v for k, v in one.items() if k != "features"} | dotted_features(one) for one in events]
    names = list(dict.fromkeys(name for one in events for name in one))
    columns: dict[str, list[Any]] = {name: [one.get(name) for one in events] for name in names}
    if typed_times:
        columns["event_time"] = [datetime.fromisoformat(text) for text in columns["event_time"]]
    return pa.table(columns)


def dotted_features(one: Event) -> Event:
    return {f"features.{name}": value for name, value in one.get("features", {}).items()}


def write_arrow_file(path: Path, columns: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, columns.schema) as writer:
        writer.write_table(columns, max_chunksize=50)


def write_arrow_stream(path: Path, columns: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, columns.schema) as writer:
        writer.write_table(columns, max_chunksize=50)


FORMATS: dict[str, Callable[[Path], object]] = {
    "events.ndjson.gz": lambda path: path.write_bytes(gzip.compress(ndjson(telemetry()))),
    "events.ndjson.zst": lambda path: path.write_bytes(zstandard.compress(ndjson(telemetry()))),
    "events.parquet": lambda path: pyarrow.parquet.write_table(table(), path),
    "times.parquet": lambda path: pyarrow.parquet.write_table(table(typed_times=True), path),
    "events.feather": lambda path: pyarrow.feather.write_feather(table(), str(path), compression="zstd"),
    "file.arrow": lambda path: write_arrow_file(path, table()),
    "file.ipc": lambda path: write_arrow_file(path, table()),
    "stream.arrow": lambda path: write_arrow_stream(path, table()),
    "stream.arrows": lambda path: write_arrow_stream(path, table()),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_bytes_of_ndjson(name: str, printed: Printed, stream: Path, tmp_path: Path) -> None:
    FORMATS[name](tmp_path / name)
    assert printed(tmp_path / name) == printed(stream)


def test_dotted_columns_are_nested_fields(printed: Printed, tmp_path: Path) -> None:
    path = tmp_path / "dotted.parquet"
    pyarrow.parquet.write_table(table(dotted=True), path)
    found = summary_of(printed(path))
    assert (found["counted"], found["quarantined"]) == (len(telemetry()), {})


def test_a_dash_is_standard_input(printed: Printed, stream: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_file = printed(stream)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stream.read_bytes())))
    assert printed("-") == from_file


def test_files_are_read_one_after_the_other(printed: Printed, stream: Path, tmp_path: Path) -> None:
    events = telemetry()
    first, second = written(tmp_path, "1.ndjson", *events[:70]), written(tmp_path, "2.ndjson", *events[70:])
    assert printed(first, second) == printed(stream)
    assert summary_of(printed(second, first, second))["duplicates"] == len(events[70:])


def test_a_replay_of_the_same_input_prints_the_same_bytes(printed: Printed, stream: Path) -> None:
    assert printed(stream) == printed(stream)


# --until ---------------------------------------------------------------------------------------------------
def test_what_arrives_after_until_is_not_read(printed: Printed, stream: Path, tmp_path: Path) -> None:
    early = [one for one in telemetry() if arrival_ms(one) <= MIDNIGHT_MS + HOUR_MS]
    found = printed("--until", "2026-03-02T01:00:00Z", stream)
    assert summary_of(found)["events"] == len(early)
    assert found == printed("--until", "2026-03-02T02:00:00+01:00", written(tmp_path, "early.ndjson", *early))


def test_silence_up_to_until_is_seen(printed: Printed, stream: Path) -> None:
    quiet = [line["monitor_id"] for line in lines_of(printed(stream), "incident")]
    assert "dev.silent" not in quiet
    found = printed("--until", "2026-03-02T03:00:00Z", stream)
    (silent,) = [line for line in lines_of(found, "incident") if line["monitor_id"] == "dev.silent"]
    assert (silent["state"], silent["scope"], silent["opened_at"]) == ("open", {"device": "d1"}, "2026-03-02T02:20:00Z")
    assert "; not heard since 2026-03-02T02:05:00Z. Acknowledge by " in silent["summary"]
    assert summary_of(found)["watermark"] == "2026-03-02T03:00:00Z"


# several manifests -----------------------------------------------------------------------------------------
def test_each_release_is_judged_by_its_own_manifest(printed: Printed, tmp_path: Path) -> None:
    manifests = tuple(manifest_file(tmp_path, release(name)) for name in ("pump-1", "pump-2"))
    events = [inference(n, n, release_id=f"pump-{n % 2 + 1}", px=None if n % 2 else 0.5) for n in range(200)]
    stream = written(tmp_path, "both.ndjson", *events)
    found = printed("--until", "2026-03-02T01:00:00Z", stream, manifests=manifests)
    verdicts = {line["manifest_digest"]: line["verdict"] for line in lines_of(found, "status")}
    assert list(verdicts.values()) == ["met", "breached"]
    assert summary_of(found)["quarantined"] == {}
    alone = summary_of(printed(stream, manifests=manifests[:1]))
    assert (alone["counted"], alone["quarantined"]) == (100, {"release_unknown": 100})


def test_a_revision_counts_from_the_time_it_comes_into_force(printed: Printed, tmp_path: Path) -> None:
    later = release(revision=2, effective_from="2026-03-02T01:00:00Z")
    manifests = (manifest_file(tmp_path, release()), manifest_file(tmp_path, later))
    events = [inference(n, n * HOUR_MS // 10) for n in range(20)]
    found = printed("--until", "2026-03-02T02:00:00Z", written(tmp_path, "e.ndjson", *events), manifests=manifests)
    windows = [line["window"]["end"] for line in lines_of(found, "status") if line["monitor_id"] == "dq.missing"]
    assert windows == ["2026-03-02T01:00:00Z", "2026-03-02T02:00:00Z"]
    digests = {line["manifest_digest"] for line in lines_of(found, "status")}
    assert len(digests) == 2


def test_events_before_the_manifest_is_in_force_are_of_an_unknown_release(printed: Printed, tmp_path: Path) -> None:
    path = manifest_file(tmp_path, release(effective_from="2026-03-02T01:00:00Z"))
    stream = written(tmp_path, "e.ndjson", inference(1, HOUR_MS - 1), inference(2, HOUR_MS))
    assert summary_of(printed(stream, manifests=(path,)))["quarantined"] == {"release_unknown": 1}


# what cannot be read -------------------------------------------------------------------------------------
UNREADABLE: dict[str, bytes | None] = {
    "absent.ndjson": None,
    "cut.ndjson.gz": gzip.compress(ndjson(telemetry()))[:-20],
    "cut.ndjson.zst": zstandard.compress(ndjson(telemetry()))[:-20],
    "text.gz": b"no gzip",
    "text.zst": b"no zstd",
    "text.parquet": b"no parquet",
    "text.arrow": b"no arrow",
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_and_exits_1(
    name: str, tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = UNREADABLE[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert run(["replay", "--manifest", str(manifest), str(tmp_path / name)]) == 1
    said = capsys.readouterr().err
    assert f"{name}: cannot be read: " in said
    assert "to mend: check the path" in said
    assert "Traceback" not in said


def test_a_file_that_is_not_there_is_told_before_anything_is_printed(
    tmp_path: Path, manifest: Path, stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", "--manifest", str(manifest), str(stream), str(tmp_path / "absent.ndjson")]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("postgres://h/d", "no kind of store is called 'postgres'"),
        ("memry", "does not begin with a kind of store"),
        ("chdb://relative/dir", "an embedded store needs an absolute directory"),
        ("clickhouse://user:hunter2@127.0.0.1:1/pms", "a replay is no live telemetry"),
    ],
)
def test_a_store_a_replay_cannot_use_is_wrong_usage(
    store: str, told: str, manifest: Path, stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", "--manifest", str(manifest), "--store", store, str(stream)]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "hunter2" not in said


def test_a_manifest_with_an_error_is_refused_with_every_path(
    tmp_path: Path, stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = release()
    document["surveillance"]["monitors"][0] |= {"window": "day", "limits": {"investigate": {"abs": "high"}}}
    document["hazards"] = 7
    assert run(["replay", "--manifest", str(manifest_file(tmp_path, document)), str(stream)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "surveillance.monitors[0].limits.investigate.abs: " in said.err
    assert "hazards: " in said.err


def test_a_warning_of_lint_does_not_stop_a_replay(
    tmp_path: Path, manifest: Path, stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["manifest", "lint", str(manifest)]) == 0
    assert "warning: status: no status: not approved for the field" in capsys.readouterr().out
    assert run(["replay", "--manifest", str(manifest), str(stream)]) == 0
