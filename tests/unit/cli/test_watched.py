"""What a run that watched nothing says of the events that it left out: the reasons that occurred, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from surveillance.cli.main import run
from tests.unit.cli.pump import HOUR_MS, Event, inference, manifest_file, release, telemetry, written


def warned(capsys: pytest.CaptureFixture[str], manifest: Path, stream: Path, *arguments: str) -> str:
    assert run(["replay", "--manifest", str(manifest), *arguments, str(stream)]) == 0
    return capsys.readouterr().err


def test_events_that_all_arrived_after_until_are_counted_and_the_first_is_named(
    manifest: Path, stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = warned(capsys, manifest, stream, "--until", "2020-01-01T00:00:00Z")
    assert f"all {len(telemetry())} event(s) arrived after --until, the first at 2026-03-02T00:00:00Z, so nothing" in said
    assert "no event was read" not in said


def test_nothing_is_said_of_until_where_some_events_arrived_before_it(
    manifest: Path, stream: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--until" not in warned(capsys, manifest, stream, "--until", "2026-03-02T01:00:00Z")


def test_the_releases_of_events_and_of_manifests_are_named(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [inference(number, number, release_id=f"pump-{number}") for number in range(9, 2, -1)]
    said = warned(capsys, manifest, written(tmp_path, "e.ndjson", *events))
    assert 'release_unknown: the events name release "pump-9", "pump-8", "pump-7", each --manifest is of "pump-1"' in said
    assert "not_json" not in said
    assert "effective_from" not in said


def test_a_manifest_that_comes_into_force_later_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = manifest_file(tmp_path, release(effective_from="2026-03-02T01:00:00Z"))
    said = warned(capsys, later, written(tmp_path, "e.ndjson", inference(1, HOUR_MS - 1)))
    assert "where they are the same, it came into force (effective_from) after they arrived" in said


@pytest.mark.parametrize("lines", [(b"a,b", b"1,2"), (b"1", b"[]")])
def test_a_table_is_told_to_be_no_ndjson_and_nothing_of_releases(
    lines: tuple[Event | bytes, ...], manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = warned(capsys, manifest, written(tmp_path, "rows.csv", *lines))
    assert "not_json: it is no NDJSON" in said
    assert "release_unknown" not in said
