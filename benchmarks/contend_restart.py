"""A worker that takes over all partitions of a store: how long it reads, and what it then holds."""

from __future__ import annotations

import resource
from time import perf_counter, process_time
from typing import Any

from benchmarks.contend_waiting_rows import LOG_ID
from benchmarks.fleet import PARTITIONS, fleet_plan
from surveillance.ingest.owned import LogPartition, OwnedPartition
from surveillance.registry import ALWAYS_MS, Registration, Registry
from surveillance.store.opening import open_store

_MIB = 1024


def contend(folder: str) -> dict[str, Any]:
    """Seconds from opening the store to the last partition taken over; bytes of the join; resident MiB, now and at most."""
    registry = Registry([Registration(fleet_plan(), ALWAYS_MS)])
    started_s, cpu_s = perf_counter(), process_time()
    store = open_store(f"chdb://{folder}")
    try:
        places = [LogPartition(LOG_ID, "telemetry", partition, PARTITIONS) for partition in range(PARTITIONS)]
        owned = [OwnedPartition(place, store, registry) for place in places]
        return {
            "seconds": perf_counter() - started_s,
            "cpu_seconds": process_time() - cpu_s,
            "waiting": sum(len(one.fold.join.index) for one in owned),
            "join_bytes": sum(one.fold.join.index.nbytes for one in owned),
            "resident_mib": _resident_mib(),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB,
        }
    finally:
        store.close()


def _resident_mib() -> float:
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / _MIB
