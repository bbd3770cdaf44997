"""Canonical payloads of many rows, cut or made only when somebody asks for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import overload


class Lines(Sequence[bytes]):
    """Payloads out of text with a line for each; JSON has no line break of its own."""

    def __init__(self, blobs: Callable[[], Sequence[bytes]], count: int) -> None:
        self._blobs, self._count = blobs, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, row: int) -> bytes: ...
    @overload
    def __getitem__(self, row: slice) -> list[bytes]: ...
    def __getitem__(self, row: int | slice) -> bytes | list[bytes]:
        return self._lines[row]

    @cached_property
    def _lines(self) -> list[bytes]:
        return [line for blob in self._blobs() for line in blob.split(b"\n") if line]
