"""Columns between numpy, Python text and Arrow: what the tables write and what they read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from surveillance.arrays import Int
from surveillance.coded_texts import CodedTexts


def constant(text: str, rows: int) -> Any:
    """The same text in every row, held once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype=np.int32)), pa.array([text], pa.string()))


def repeating(texts: Sequence[str]) -> Any:
    """Text that repeats, as a dictionary."""
    return pa.array(texts, pa.string()).dictionary_encode()


def dictionary(texts: CodedTexts) -> Any:
    """Coded text as a dictionary, as it is."""
    return pa.DictionaryArray.from_arrays(pa.array(texts.codes), pa.array(texts.values, pa.string()))


def plain(texts: Sequence[str]) -> Any:
    """Text that rarely repeats."""
    return pa.array(texts, pa.string())


def int_lists(flat: Int, lengths: Int) -> Any:
    """Rows of integers, `lengths` of them each, from their values one after another."""
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), pa.array(flat, pa.int64()))


def numbers(column: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """A numeric column as a new array that may be written to."""
    return np.array(column.to_numpy(), dtype=dtype)


def texts(column: Any) -> list[str]:
    """A text column, which arrives as UTF-8 bytes; equal texts of a dictionary are one object."""
    found: list[str] = []
    for chunk in column.chunks:
        if pa.types.is_dictionary(chunk.type):
            values = chunk.dictionary.cast(pa.string()).to_pylist()
            found.extend([values[code] for code in chunk.indices.to_pylist()])
        else:
            found.extend(chunk.cast(pa.string()).to_pylist())
    return found


def coded_texts(column: Any) -> CodedTexts:
    """A text column that arrives as dictionaries, or as UTF-8 bytes, in coded form."""
    parts = []
    for chunk in column.chunks:
        coded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        values = tuple(coded.dictionary.cast(pa.string()).to_pylist())
        parts.append(CodedTexts(coded.indices.to_numpy(zero_copy_only=False).astype(np.int32), values))
    return CodedTexts.joined(parts)


def flat_lists(column: Any) -> tuple[Int, Int]:
    """A column of integer lists as (values one after another, length of each row)."""
    if not len(column):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    flat = [np.asarray(chunk.flatten().to_numpy(zero_copy_only=False), dtype=np.int64) for chunk in column.chunks]
    lengths = [np.asarray(chunk.value_lengths().to_numpy(zero_copy_only=False), dtype=np.int64) for chunk in column.chunks]
    return np.concatenate(flat), np.concatenate(lengths)
