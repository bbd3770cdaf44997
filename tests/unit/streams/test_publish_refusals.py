"""What `pms publish` refuses to send: files that hold no events at all, told before a broker is asked where they can be."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from streams.publish import FIRST_LINES, _lines, publish_files
from surveillance.errors import InvalidInput

NO_BROKER = "127.0.0.1:1"
EVENT = b'{"device_id": "d1"}\n'
ROW = b"1,2,3\n"


def told(path: Path) -> str:
    with pytest.raises(InvalidInput) as refused:
        publish_files(NO_BROKER, "pms.", [str(path)], state_folder=path.parent / "state")
    return refused.value.what


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("table.csv", ROW * (FIRST_LINES + 1)),
        ("short.csv", b"a,b\n" + ROW),
        ("numbers.ndjson", b"1\n[]\nnull\n"),
        ("packed.csv.gz", gzip.compress(ROW * 7)),
    ],
)
def test_a_file_without_a_json_object_in_its_first_lines_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    said = told(path)
    assert said.startswith(f"{path}: not one of its first ")
    assert said.endswith("so nothing of it was sent")


@pytest.mark.parametrize("content", [ROW * (FIRST_LINES - 1) + EVENT, EVENT + ROW * FIRST_LINES, b"[" + EVENT[:-1] + b"]", b""])
def test_a_file_with_an_event_among_its_first_lines_goes_as_nothing_may_be_lost(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    path.write_bytes(content)
    assert "no Kafka broker answers" in told(path)


def test_what_cannot_be_read_twice_is_refused_before_its_first_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ROW * 3)))
    with pytest.raises(InvalidInput, match="-: not one of its first 3 line"):
        next(_lines("-"))


def test_nothing_of_what_cannot_be_read_twice_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    content = ROW + EVENT * 2 * FIRST_LINES
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert list(_lines("-")) == content.splitlines()
