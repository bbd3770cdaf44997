"""Lines of event files: as they stand, whatever packs them, and a file that is cut off is said to be."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from streams.file_lines import read_lines
from surveillance.errors import InvalidInput

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".ndjson": lambda data: data,
    ".ndjson.gz": gzip.compress,
    ".ndjson.zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lines")


@pytest.mark.parametrize("suffix", PACK)
@given(lines=st.lists(st.binary(max_size=40).filter(lambda line: not set(line) & set(b"\r\n"))), ended=st.booleans())
def test_every_line_that_is_not_blank_comes_as_it_stands(folder: Path, suffix: str, lines: list[bytes], ended: bool) -> None:
    path = folder / f"events{suffix}"
    path.write_bytes(PACK[suffix](b"\n".join(lines) + (b"\n" if ended else b"")))
    assert list(read_lines(str(path))) == [line for line in lines if line.strip()]


@pytest.mark.parametrize("suffix", PACK)
def test_line_ends_of_windows_are_no_part_of_a_line_and_blank_lines_are_none(folder: Path, suffix: str) -> None:
    path = folder / f"windows{suffix}"
    path.write_bytes(PACK[suffix](b"one\r\n\r\n  \ntwo\r\nthree"))
    assert list(read_lines(str(path))) == [b"one", b"two", b"three"]


@pytest.mark.parametrize("suffix", [".ndjson.gz", ".ndjson.zst"])
def test_several_packed_parts_in_one_file_are_one_file(folder: Path, suffix: str) -> None:
    path = folder / f"parts{suffix}"
    path.write_bytes(PACK[suffix](b"one\ntw") + PACK[suffix](b"o\nthree\n"))
    assert list(read_lines(str(path))) == [b"one", b"two", b"three"]


@pytest.mark.parametrize("suffix", [".ndjson.gz", ".ndjson.zst"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_that_was_cut_off_is_said_to_be(folder: Path, suffix: str, share: float) -> None:
    path = folder / f"cut{suffix}"
    whole = PACK[suffix](b"".join(b"line %d\n" % number for number in range(5000)))
    path.write_bytes(whole[: int(len(whole) * share)] if share else whole[:-1])
    with pytest.raises(InvalidInput, match="cannot be read"):
        list(read_lines(str(path)))


@pytest.mark.parametrize("suffix", [".ndjson.gz", ".ndjson.zst"])
def test_what_is_not_packed_at_all_is_said_to_be_unreadable(folder: Path, suffix: str) -> None:
    path = folder / f"plain{suffix}"
    path.write_bytes(b'{"device_id":"dev-1"}\n' * 10)
    with pytest.raises(InvalidInput, match="cannot be read"):
        list(read_lines(str(path)))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing\.ndjson"):
        list(read_lines(str(tmp_path / "missing.ndjson")))


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_columns_are_refused_with_what_to_do(suffix: str) -> None:
    with pytest.raises(InvalidInput, match="NDJSON"):
        list(read_lines(f"events{suffix}"))


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\n\ntwo\n")))
    assert list(read_lines("-")) == [b"one", b"two"]
