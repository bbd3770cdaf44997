"""Arrow string arrays as numpy views: where each text starts, how many bytes it has, and the bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from surveillance.arrays import Bool, Int, Small

LANE = 8
"""Bytes that are kept readable behind the last text, so that eight bytes can be read at any start."""


class Utf8(NamedTuple):
    """n texts: `starts` and `lengths` in bytes, shape (n,); `data` their bytes; `present` False for a null."""

    starts: Int
    lengths: Int
    data: Small
    present: Bool

    @property
    def uniform(self) -> int:
        """The one length of all texts when they stand densely one behind the other, else 0."""
        if not len(self.starts):
            return 0
        length = int(self.lengths[0])
        dense = int(self.starts[-1]) == int(self.starts[0]) + length * (len(self.starts) - 1)
        return length if dense and bool((self.lengths == length).all()) else 0

    def matrix(self) -> Small:
        """Bytes as shape (n, uniform): only where `uniform` is not 0."""
        length, first = self.uniform, int(self.starts[0])
        return self.data[first : first + length * len(self.starts)].reshape(len(self.starts), length)


def strings(values: Sequence[str | None]) -> pa.StringArray:
    """Texts as an Arrow array; None is null."""
    return pa.array(values, type=pa.string())


def utf8(array: pa.Array) -> Utf8:
    """Views of a string or large_string array. A null has length 0."""
    wide = pa.types.is_large_string(array.type)
    buffers = array.buffers()
    offsets = np.frombuffer(buffers[1], dtype=np.int64 if wide else np.int32)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(buffers[2], dtype=np.uint8) if buffers[2] is not None else np.zeros(0, dtype=np.uint8)
    starts, ends = offsets[:-1].astype(np.int64), offsets[1:].astype(np.int64)
    if array.null_count == 0:
        return Utf8(starts, ends - starts, data, np.ones(len(array), dtype=np.bool_))
    present = np.asarray(array.is_valid())
    return Utf8(starts, np.where(present, ends - starts, 0), data, present)
