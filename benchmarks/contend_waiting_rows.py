"""A store as a worker leaves it whose inferences of the last day all wait for their outcomes."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.fleet import DEVICES, PARTITIONS, fleet_plan
from surveillance.coded_texts import CodedTexts
from surveillance.events.batch import Kind
from surveillance.ingest.classify import Disposition
from surveillance.ingest.join import FIELD_USE_BIT
from surveillance.ingest.raw import PACKED_COLUMNS
from surveillance.store.opening import open_store
from surveillance.store.protocol import Progress, RawRows, Store
from surveillance.times import DAY_MS

LOG_ID = "benchmark/waiting/1"
NOW_MS = 1_772_409_600_000
_CHUNK = 100_000


def contend(folder: str, waiting: int) -> dict[str, Any]:
    """Writes `waiting` inferences over all partitions, and their progress."""
    store = open_store(f"chdb://{folder}")
    try:
        for partition in range(PARTITIONS):
            _write(store, partition, waiting // PARTITIONS)
    finally:
        store.close()
    return {"rows": waiting // PARTITIONS * PARTITIONS}


def _write(store: Store, partition: int, rows: int) -> None:
    rng = np.random.default_rng(partition)
    for start in range(0, rows, _CHUNK):
        store.write_raw(LOG_ID, _inferences(rng, partition, start, min(_CHUNK, rows - start), rows))
    store.write_progress(LOG_ID, Progress(partition, rows - 1, NOW_MS - 60_000, NOW_MS))


def _inferences(rng: np.random.Generator, partition: int, start: int, n: int, rows: int) -> RawRows:
    offset = np.arange(start, start + n, dtype=np.int64)
    at_ms = NOW_MS - DAY_MS + DAY_MS * offset // rows
    packed = np.zeros((n, PACKED_COLUMNS), np.int64)
    packed[:, 0] = rng.integers(0, 1_000_000, n) + FIELD_USE_BIT
    packed[:, 2] = -1
    device = rng.integers(0, DEVICES, n).tolist()
    ids = [f"{partition}-{number:09d}" for number in offset.tolist()]
    sites = [f"age_band=18-44&setting=ED&sex=F&site=site-{number % 12:02d}&vendor=VendorA" for number in device]
    return RawRows(
        partition=partition, offset=offset, index=np.zeros(n, np.int64), broker_ms=at_ms, event_ms=at_ms,
        kind=np.full(n, Kind.INFERENCE, np.uint8), disposition=np.full(n, Disposition.COUNTED, np.uint8),
        tenant=CodedTexts.of(["default"] * n), device_id=CodedTexts.of(f"device-{number:03d}" for number in device),
        release_id=CodedTexts.of(["benchmark-1"] * n), manifest_digest=CodedTexts.of([fleet_plan().digest] * n),
        event_id=ids, subject_id=ids,
        event=rng.integers(1, 2**64, n, np.uint64), subject=rng.integers(1, 2**64, n, np.uint64), token=np.zeros(n, np.uint64),
        cell=CodedTexts.of(sites), packed=packed, payload=[b"{}"] * n,
    )  # fmt: skip
