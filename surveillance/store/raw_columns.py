"""Selecting and joining `RawRows`: the column operations that every store needs on raw events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from surveillance.arrays import Int
from surveillance.coded_texts import CodedTexts
from surveillance.store.protocol import RawRows

CODED = ("tenant", "device_id", "release_id", "manifest_digest", "cell")
IDS = ("event_id", "subject_id")
NUMBERS = {
    "offset": np.int64,
    "index": np.int64,
    "broker_ms": np.int64,
    "event_ms": np.int64,
    "kind": np.uint8,
    "disposition": np.uint8,
    "event": np.uint64,
    "subject": np.uint64,
    "token": np.uint64,
}


def take(rows: RawRows, at: Int, *, ids: bool = True, payload: bool = True) -> RawRows:
    """The rows at these positions, as copies; identifiers and payloads are empty unless asked for."""
    wanted = at.tolist()
    columns: dict[str, Any] = {name: np.array(getattr(rows, name)[at], dtype=dtype) for name, dtype in NUMBERS.items()}
    columns |= {name: getattr(rows, name).rows(at) for name in CODED}
    for name in IDS:
        column = getattr(rows, name)
        columns[name] = [column[i] for i in wanted] if ids else [""] * len(wanted)
    columns["payload"] = [rows.payload[i] for i in wanted] if payload else [b""] * len(wanted)
    return RawRows(partition=rows.partition, packed=np.array(rows.packed[at], dtype=np.int64), **columns)


def joined(partition: int, chunks: Sequence[RawRows]) -> RawRows:
    """All rows of the chunks, in the order given. Shorter `packed` rows are filled with zeros on the right."""
    columns: dict[str, Any] = {}
    for name, dtype in NUMBERS.items():
        parts = [np.asarray(getattr(chunk, name), dtype=dtype) for chunk in chunks]
        columns[name] = np.concatenate(parts) if parts else np.empty(0, dtype=dtype)
    columns |= {name: CodedTexts.joined([getattr(chunk, name) for chunk in chunks]) for name in CODED}
    for name in (*IDS, "payload"):
        columns[name] = [value for chunk in chunks for value in getattr(chunk, name)]
    width = max((chunk.packed.shape[1] for chunk in chunks if len(chunk)), default=0)
    packed = np.zeros((sum(map(len, chunks)), width), dtype=np.int64)
    start = 0
    for chunk in chunks:
        if len(chunk):
            packed[start : start + len(chunk), : chunk.packed.shape[1]] = chunk.packed
            start += len(chunk)
    return RawRows(partition=partition, packed=packed, **columns)


def newest(rows: RawRows) -> RawRows:
    """Ascending by (offset, index), the last given row of each position winning."""
    order = np.lexsort((np.arange(len(rows)), rows.index, rows.offset))
    offset, index = rows.offset[order], rows.index[order]
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = (offset[1:] != offset[:-1]) | (index[1:] != index[:-1])
    return take(rows, order[last])
