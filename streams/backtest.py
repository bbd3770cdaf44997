"""`pms manifest backtest`: what would have fired on stored history under one manifest. Nothing is written anywhere.

History is read from files or from the raw table of a store, and replayed through the very ingest, evaluation and incident code
under the given manifest alone: whatever revision an event was sent under, it counts under this one.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from streams.event_files import read_event_lines
from streams.file_lines import check_readable
from streams.replay import Replay, ReplayRecord, load_registration
from surveillance.errors import InvalidInput
from surveillance.evaluation.verdict import Verdict
from surveillance.events.batch import Kind
from surveillance.incidents.lines import Line
from surveillance.log_identity import KnownLog, current_log
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.yaml12 import load_document
from surveillance.registry import ALWAYS_MS, Registration, Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.opening import open_store
from surveillance.store.protocol import RawRows, Store

_EVERYTHING = 2**62


class OneManifest(Registry):
    """A registry in which every event of one release, under whatever revision it was sent, counts under one manifest."""

    def __init__(self, registration: Registration, revisions: Collection[str]) -> None:
        """`revisions` = digests of other revisions of the same manifest."""
        self._only = Registration(registration.plan, ALWAYS_MS)
        self._revisions = frozenset(revisions)
        super().__init__([self._only])

    def resolve(self, release_id: str, digest: str | None, broker_ms: int) -> Registration | None:
        """The one manifest for its own release and revisions, nothing for those of others."""
        return self._only if release_id == self._only.release_id or digest in self._revisions else None


def backtest_files(files: Sequence[str], manifest: Path, *, until_ms: int | None = None) -> Iterator[Line]:
    """Lines of a replay of files, then what each monitor and level would have raised, then the summary.

    Raises InvalidManifest or InvalidInput.
    """
    registration = load_registration(manifest)
    for path in files:
        check_readable(path)
    lines = (line for path in files for line in read_event_lines(path))
    replay = Replay(OneManifest(registration, ()), MemoryStore(), is_kept=False)
    return _counted(replay.run(lines, until_ms), registration.plan.manifest)


def backtest_store(dsn: str, manifest: Path, *, until_ms: int | None = None) -> Iterator[Line]:
    """The same of all that the store's present log holds, in order of broker time.

    Raises InvalidManifest, InvalidInput or StoreError.
    """
    registration = load_registration(manifest)
    store = open_store(dsn)
    try:
        log = current_log(store)
        if log is None:
            raise InvalidInput(f"the store at {dsn} holds no telemetry yet", "name the store that a service writes to")
        registry = OneManifest(registration, _revisions(store, registration.manifest_id))
        replay = Replay(registry, MemoryStore(), is_kept=False)
        yield from _counted(replay.run_records(_history(store, log), until_ms), registration.plan.manifest)
    finally:
        store.close()


def _revisions(store: Store, manifest_id: str) -> set[str]:
    known = ((one.manifest_digest, load_document(one.body.encode(), one.key)) for one in store.newest("manifests"))
    return {digest for digest, document in known if document.get("manifest_id") == manifest_id}


def _history(store: Store, log: KnownLog) -> Iterator[ReplayRecord]:
    """Every stored event as a record of one partition: by broker time, and by position where times are equal."""
    partitions = (_partition(store, log.log_id, partition) for partition in range(log.partitions))
    for offset, (broker_ms, _, _, _, payload) in enumerate(heapq.merge(*partitions)):
        yield ReplayRecord(offset, broker_ms, payload)


def _partition(store: Store, log_id: str, partition: int) -> Iterator[tuple[int, int, int, int, bytes]]:
    """(broker time never falling, partition, offset, index, payload) of a partition in order of position."""
    last_ms = 0
    kinds = [int(kind) for kind in Kind]
    for rows in store.read_raw(log_id, partition, last_offset=_EVERYTHING, since_ms=0, kinds=kinds, ids=False):
        for broker_ms, offset, index, payload in _with_payloads(store, log_id, rows):
            last_ms = max(last_ms, broker_ms)
            yield last_ms, partition, offset, index, payload


def _with_payloads(store: Store, log_id: str, rows: RawRows) -> Iterator[tuple[int, int, int, bytes]]:
    """Bulk reads leave payloads out, so they are asked for by event; an id that stands elsewhere, too, is not of this chunk."""
    if not len(rows):
        return
    wanted = set(zip(rows.offset.tolist(), rows.index.tolist(), strict=True))
    found = store.find_raw(
        log_id,
        rows.partition,
        event=np.unique(rows.event),
        before=int(rows.offset.max()) + 1,
        since_ms=int(rows.broker_ms.min()),
    )
    for at in range(len(found)):
        offset, index = int(found.offset[at]), int(found.index[at])
        if (offset, index) in wanted:
            yield int(found.broker_ms[at]), offset, index, found.payload[at]


def _counted(lines: Iterator[Line], manifest: Manifest) -> Iterator[Line]:
    """The lines, and before the summary one for each monitor and level: how many incidents it raised, where and when first.

    `judged` = scopes of the monitor that were conclusive at least once: to raise nothing is good news of these alone.
    """
    raised: Counter[tuple[str, str]] = Counter()
    scopes: dict[tuple[str, str], set[str]] = {}
    first: dict[tuple[str, str], str] = {}
    judged: dict[str, set[str]] = {}
    known: dict[str, str] = {}
    for line in lines:
        if line["kind"] == "incident" and line["state"] == "open" and known.get(line["incident_id"]) != line["level"]:
            key = (line["monitor_id"], line["level"])
            known[line["incident_id"]] = line["level"]
            raised[key] += 1
            scopes.setdefault(key, set()).add(str(line["scope"]))
            first.setdefault(key, line["changed_at"])
        if line["kind"] == "status" and (line["verdict"] != Verdict.INCONCLUSIVE.value or "last_conclusive" in line):
            judged.setdefault(line["monitor_id"], set()).add(str(line["scope"]))
        if line["kind"] == "summary":
            for monitor in manifest.surveillance.monitors:
                for level in monitor.limits.by_level:
                    key = (monitor.id, level)
                    body: Line = {"kind": "backtest", "monitor_id": monitor.id, "level": level, "raised": raised[key]}
                    body["scopes"] = len(scopes.get(key, ()))
                    body["judged"] = len(judged.get(monitor.id, ()))
                    yield body | ({"first": first[key]} if key in first else {})
        yield line
