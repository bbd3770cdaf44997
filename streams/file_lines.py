"""Lines of event files as they stand: plain, .gz, .zst, or standard input."""

from __future__ import annotations

import errno
import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard

from surveillance.errors import InvalidInput
from surveillance.events.column_files import COLUMN_SUFFIXES

STDIN = "-"
_CHUNK_BYTES = 256 * 1024


def check_readable(path: str) -> None:
    """Raises InvalidInput where there is no such file to read. Nothing is opened: a pipe can be opened only once."""
    if path == STDIN:
        return
    fault = None
    if not os.path.exists(path):
        fault = errno.ENOENT
    elif os.path.isdir(path):
        fault = errno.EISDIR
    elif not os.access(path, os.R_OK):
        fault = errno.EACCES
    if fault is not None:
        raise InvalidInput(f"{path}: cannot be read: {os.strerror(fault)}", "check the path and its permissions")


def read_lines(path: str) -> Iterator[bytes]:
    """Each line that is not blank, without its line end. Raises InvalidInput for a file that cannot be read or unpacked."""
    try:
        for line in _lines(path):
            text = line.rstrip(b"\r\n")
            if text.strip():
                yield text
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise InvalidInput(f"{path}: cannot be read: {error}", "check the path and that the file is complete") from error


def _lines(path: str) -> Iterator[bytes]:
    if path == STDIN:
        yield from sys.stdin.buffer
    elif path.endswith(".gz"):
        with gzip.open(path, "rb") as unpacked:
            yield from unpacked
    elif path.endswith(".zst"):
        yield from _zst_lines(Path(path))
    elif path.endswith(COLUMN_SUFFIXES):
        raise InvalidInput(f"{path}: columns cannot be published as lines", "convert it to NDJSON")
    else:
        with open(path, "rb") as plain:
            yield from plain


def _zst_lines(path: Path) -> Iterator[bytes]:
    """The library reads a file that was cut off as if it were whole, so the end of each frame is looked at here."""
    rest, unpacker = b"", zstandard.ZstdDecompressor().decompressobj()
    with path.open("rb") as packed:
        while chunk := packed.read(_CHUNK_BYTES):
            while chunk:
                if unpacker.eof:
                    unpacker = zstandard.ZstdDecompressor().decompressobj()
                *whole, rest = (rest + unpacker.decompress(chunk)).split(b"\n")
                yield from whole
                chunk = unpacker.unused_data
    if not unpacker.eof:
        raise EOFError("it ends too early")
    yield rest
