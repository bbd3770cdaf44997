"""The memory twin of the ClickHouse store: the same promises, gone with the process. For replay, tests and demonstrations."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from surveillance.arrays import Bool, Hashes
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.store.documents import DOCUMENT_TABLES, Coordinates, coordinates, known_table, refuse_conflicts
from surveillance.store.protocol import Document, Progress, Quarantined, RawRows, StatusRow
from surveillance.store.raw_columns import joined, newest, take

_CHUNK_ROWS = 200_000


class MemoryStore:
    """A `Store` in dictionaries behind one lock. Values are copied in and out, so callers may change theirs."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._raw: dict[tuple[str, int], list[RawRows]] = defaultdict(list)
        self._quarantine: dict[str, dict[tuple[str, int, int, int], Quarantined]] = defaultdict(dict)
        self._panes: dict[str, dict[PaneKey, PaneRow]] = defaultdict(dict)
        self._pane_versions: dict[tuple[str, int], int] = {}
        self._progress: dict[str, dict[int, Progress]] = defaultdict(dict)
        self._status: dict[str, dict[str, StatusRow]] = defaultdict(dict)
        self._documents: dict[str, dict[Coordinates, Document]] = {table: {} for table in DOCUMENT_TABLES}

    def close(self) -> None:
        """Nothing to give back."""

    def write_raw(self, log_id: str, *rows: RawRows) -> None:
        with self._lock:
            for chunk in rows:
                if len(chunk):
                    self._raw[log_id, chunk.partition].append(take(chunk, np.arange(len(chunk))))

    def read_raw(
        self, log_id: str, partition: int, *, last_offset: int, since_ms: int, kinds: Sequence[int], ids: bool = True
    ) -> Iterator[RawRows]:
        with self._lock:
            chunks = list(self._raw.get((log_id, partition), ()))
        wanted = [
            take(
                chunk,
                _where((chunk.offset <= last_offset) & (chunk.broker_ms >= since_ms) & np.isin(chunk.kind, list(kinds))),
                ids=ids,
                payload=False,
            )
            for chunk in chunks
        ]
        rows = newest(joined(partition, wanted))
        for start in range(0, len(rows), _CHUNK_ROWS):
            yield take(rows, np.arange(start, min(start + _CHUNK_ROWS, len(rows))))

    def find_raw(
        self,
        log_id: str,
        partition: int,
        *,
        event: Hashes | None = None,
        subject: Hashes | None = None,
        before: int,
        since_ms: int | None = None,
    ) -> RawRows:
        with self._lock:
            chunks = list(self._raw.get((log_id, partition), ()))
        found = []
        for chunk in chunks:
            match = chunk.offset < before
            if since_ms is not None:
                match &= chunk.broker_ms >= since_ms
            hit = np.zeros(len(chunk), dtype=np.bool_)
            if event is not None:
                hit |= np.isin(chunk.event, event)
            if subject is not None:
                hit |= np.isin(chunk.subject, subject)
            found.append(take(chunk, _where(match & hit)))
        return newest(joined(partition, found))

    def write_quarantine(self, log_id: str, rows: Sequence[Quarantined]) -> None:
        with self._lock:
            self._quarantine[log_id].update({(row.topic, row.partition, row.offset, row.index): row for row in rows})

    def read_quarantine(self, log_id: str, *, limit: int = 1000) -> Sequence[Quarantined]:
        with self._lock:
            rows = list(self._quarantine[log_id].values())
        rows.sort(key=lambda row: (row.broker_ms, row.topic, row.partition, row.offset, row.index))
        return rows[max(0, len(rows) - limit) :]

    def write_panes(self, log_id: str, rows: Sequence[PaneRow]) -> None:
        with self._lock:
            kept = self._panes[log_id]
            for row in rows:
                old = kept.get(row.key)
                if old is None or row.version >= old.version:
                    kept[row.key] = PaneRow(row.key, row.version, np.array(row.counts, dtype=np.int64))
                at = (log_id, row.key.partition)
                self._pane_versions[at] = max(self._pane_versions.get(at, -1), row.version)

    def read_panes(
        self,
        log_id: str,
        *,
        partition: int | None = None,
        keys: Sequence[PaneKey] | None = None,
        above: Mapping[int, int] | None = None,
        since_ms: int | None = None,
    ) -> Sequence[PaneRow]:
        with self._lock:
            kept = self._panes[log_id]
            rows = list(kept.values()) if keys is None else [kept[key] for key in dict.fromkeys(keys) if key in kept]
        wanted = [
            row
            for row in rows
            if (partition is None or row.key.partition == partition)
            and (above is None or row.version > above.get(row.key.partition, -1))
            and (since_ms is None or row.key.pane_ms >= since_ms)
        ]
        wanted.sort(key=lambda row: row.key)
        return [PaneRow(row.key, row.version, row.counts.copy()) for row in wanted]

    def max_pane_version(self, log_id: str, partition: int) -> int:
        with self._lock:
            return self._pane_versions.get((log_id, partition), -1)

    def write_progress(self, log_id: str, *progress: Progress) -> None:
        with self._lock:
            for one in progress:
                old = self._progress[log_id].get(one.partition)
                if old is None or (one.offset, one.partition_ms) >= (old.offset, old.partition_ms):
                    self._progress[log_id][one.partition] = one

    def read_progress(self, log_id: str) -> Mapping[int, Progress]:
        with self._lock:
            return dict(sorted(self._progress[log_id].items()))

    def write_status(self, log_id: str, rows: Sequence[StatusRow]) -> None:
        with self._lock:
            kept = self._status[log_id]
            for row in rows:
                if row.key not in kept or row.revision >= kept[row.key].revision:
                    kept[row.key] = row

    def read_status(self, log_id: str) -> Sequence[StatusRow]:
        with self._lock:
            return sorted(self._status[log_id].values(), key=lambda row: row.key.encode())

    def append(self, table: str, documents: Sequence[Document]) -> None:
        with self._lock:
            kept = self._documents[known_table(table)]
            asked = [coordinates(document) for document in documents]
            fresh = refuse_conflicts(table, documents, {at: kept[at].body for at in asked if at in kept})
            kept.update({coordinates(document): document for document in fresh})

    def newest(self, table: str, *, tenant: str | None = None, keys: Sequence[str] | None = None) -> Sequence[Document]:
        wanted = None if keys is None else set(keys)
        last: dict[tuple[str, str], Document] = {}
        for document in self._documents_of(table, tenant):
            if wanted is not None and document.key not in wanted:
                continue
            old = last.get((document.tenant, document.key))
            if old is None or document.revision > old.revision:
                last[document.tenant, document.key] = document
        return [last[at] for at in sorted(last)]

    def history(
        self, table: str, *, tenant: str | None = None, key: str | None = None, since_ms: int = 0, limit: int = 100_000
    ) -> Sequence[Document]:
        found = [
            document
            for document in self._documents_of(table, tenant)
            if document.at_ms >= since_ms and (key is None or document.key == key)
        ]
        found.sort(key=lambda document: (document.at_ms, document.tenant, document.key, document.revision))
        return found[:limit]

    def describe(self) -> Mapping[str, Any]:
        return {"store": "memory", "version": "", "schema_version": 0, "replicated": False}

    def _documents_of(self, table: str, tenant: str | None) -> list[Document]:
        with self._lock:
            return [
                document
                for document in self._documents[known_table(table)].values()
                if tenant is None or document.tenant == tenant
            ]


def _where(mask: Bool) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.flatnonzero(mask).astype(np.int64, copy=False)
