"""Made-up rows for the store's tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from surveillance.coded_texts import CodedTexts
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.store.protocol import Document, Quarantined, RawRows
from surveillance.store.raw_columns import CODED

T0 = 1_767_225_600_000
"""2026-01-01T00:00:00Z"""
HOSTILE = 'it\'s "quoted" \\ back\\n {p:String} %s ; -- DROP TABLE panes\n\ttab \x00nul 心电图 🫀 ü'


def raw_rows(
    positions: Sequence[tuple[int, int]], *, partition: int = 0, width: int = 3, step_ms: int = 1_000, **changes: Any
) -> RawRows:
    """Rows at these (offset, index); every column is a function of the position."""
    at = np.array(positions, dtype=np.int64).reshape(-1, 2)
    offset, index = at[:, 0], at[:, 1]
    number = offset * 1_000 + index
    n = len(at)
    rows = RawRows(
        partition=partition,
        offset=offset.copy(),
        index=index.copy(),
        broker_ms=T0 + offset * step_ms,
        event_ms=T0 + offset * step_ms - 250,
        kind=(number % 3).astype(np.uint8),
        disposition=np.zeros(n, dtype=np.uint8),
        tenant=CodedTexts.of(["default"] * n),
        device_id=CodedTexts.of(f"device-{o % 7}" for o in offset.tolist()),
        release_id=CodedTexts.of(["release-1"] * n),
        manifest_digest=CodedTexts.of(["sha256:" + "a" * 64] * n),
        event_id=[f"event-{i}" for i in number.tolist()],
        subject_id=[f"subject-{i // 2}" for i in number.tolist()],
        event=(number + 1).astype(np.uint64),
        subject=(number // 2).astype(np.uint64) + np.uint64(2**63),
        token=(number % 11).astype(np.uint64),
        cell=CodedTexts.of(f"site=s{o % 4}" for o in offset.tolist()),
        packed=number[:, None] * 10 + np.arange(width),
        payload=[b'{"i":%d}' % i for i in number.tolist()],
    )
    return replace(rows, **{name: CodedTexts.of(value) if name in CODED else value for name, value in changes.items()})


def as_rows(rows: RawRows) -> list[tuple[Any, ...]]:
    """Comparable rows of Python values."""
    names = [name for name in RawRows.__dataclass_fields__ if name not in ("partition", "packed")]
    columns = [[value.item() if isinstance(value, np.generic) else value for value in getattr(rows, name)] for name in names]
    return [(rows.partition, *row) for row in zip(*columns, map(tuple, rows.packed.tolist()), strict=True)]


def pane(
    group: str = "",
    *,
    partition: int = 0,
    statistic: str = "use.v1",
    pane_ms: int = T0,
    version: int = 0,
    counts: Sequence[int] = (1,),
    tenant: str = "default",
    digest: str = "sha256:m",
) -> PaneRow:
    return PaneRow(PaneKey(tenant, digest, partition, statistic, group, pane_ms), version, np.array(counts, dtype=np.int64))


def as_panes(rows: Sequence[PaneRow]) -> list[tuple[PaneKey, int, tuple[int, ...]]]:
    return [(row.key, row.version, tuple(row.counts.tolist())) for row in rows]


def document(tenant: str, key: str, revision: int = 0, *, at_ms: int = T0, body: str = "{}") -> Document:
    return Document(tenant=tenant, manifest_digest="sha256:m", key=key, revision=revision, at_ms=at_ms, body=body)


def quarantined(
    offset: int,
    *,
    index: int = 0,
    reason: str = "not_json",
    payload: bytes | None = b"\xff\x00{",
    broker_ms: int | None = None,
    detail: str = "",
) -> Quarantined:
    return Quarantined(
        "default",
        "pms.telemetry",
        0,
        offset,
        index,
        T0 + offset if broker_ms is None else broker_ms,
        reason,
        detail,
        "ab" * 32,
        payload,
    )
