"""The store on ClickHouse: one implementation for a server and for embedded chDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from surveillance.arrays import Hashes
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.store.arrow_columns import constant, plain, repeating, texts
from surveillance.store.connection import Connection
from surveillance.store.document_table import DocumentTables
from surveillance.store.dsn import ChdbTarget, ServerTarget
from surveillance.store.migrate import is_replicated, migrate, set_retention
from surveillance.store.pane_table import PaneTable
from surveillance.store.protocol import Document, Progress, Quarantined, RawRows, StatusRow
from surveillance.store.raw_table import RawTable


class ClickHouseStore:
    """A `Store` in ClickHouse or chDB. Opening it creates or upgrades the tables.

    Raises InvalidInput for a wrong address, user or database, StoreUnavailable where nothing answers.
    """

    def __init__(self, target: ChdbTarget | ServerTarget) -> None:
        self._cluster = target.cluster if isinstance(target, ServerTarget) else ""
        self._kind = "chdb" if isinstance(target, ChdbTarget) else "clickhouse"
        self._connection = Connection(target)
        try:
            self._schema = migrate(self._connection, self._cluster)
            self._replicated = is_replicated(self._connection)
            if self._replicated:
                self._connection.require_quorum()
        except BaseException:
            self._connection.close()
            raise
        self._raw = RawTable(self._connection)
        self._panes = PaneTable(self._connection)
        self._documents = DocumentTables(self._connection)

    def close(self) -> None:
        """Give the connections back. An embedded engine stops when the last store on it is closed."""
        self._connection.close()

    def write_raw(self, log_id: str, *rows: RawRows) -> None:
        self._raw.write(log_id, rows)

    def read_raw(
        self, log_id: str, partition: int, *, last_offset: int, since_ms: int, kinds: Sequence[int], ids: bool = True
    ) -> Iterable[RawRows]:
        return self._raw.read(log_id, partition, last_offset=last_offset, since_ms=since_ms, kinds=kinds, ids=ids)

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
        return self._raw.find(log_id, partition, event=event, subject=subject, before=before, since_ms=since_ms)

    def write_quarantine(self, log_id: str, rows: Sequence[Quarantined]) -> None:
        if not rows:
            return
        columns: dict[str, Any] = {
            "log_id": constant(log_id, len(rows)),
            "topic": repeating([row.topic for row in rows]),
            "tenant": repeating([row.tenant for row in rows]),
            "reason": repeating([row.reason for row in rows]),
            "detail": plain([row.detail for row in rows]),
            "sha256": plain([row.sha256 for row in rows]),
            "partition": pa.array([row.partition for row in rows], pa.int32()),
            "offset": pa.array([row.offset for row in rows], pa.int64()),
            "index": pa.array([row.index for row in rows], pa.int32()),
            "broker_ms": pa.array([row.broker_ms for row in rows], pa.int64()),
            "payload": pa.array([row.payload for row in rows], pa.binary()),
        }
        self._connection.insert("quarantine", pa.table(columns))

    def read_quarantine(self, log_id: str, *, limit: int = 1000) -> Sequence[Quarantined]:
        answer = self._connection.select(
            """SELECT * FROM (
                SELECT * FROM quarantine FINAL WHERE log_id = {log_id:String}
                ORDER BY broker_ms DESC, topic DESC, `partition` DESC, `offset` DESC, `index` DESC LIMIT {limit:UInt64}
            ) ORDER BY broker_ms, topic, `partition`, `offset`, `index`""",
            {"log_id": log_id, "limit": limit},
        )
        words = {name: texts(answer[name]) for name in ("tenant", "topic", "reason", "detail", "sha256")}
        others = {name: answer[name].to_pylist() for name in ("partition", "offset", "index", "broker_ms", "payload")}
        columns = words | others
        return [Quarantined(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]

    def write_panes(self, log_id: str, rows: Sequence[PaneRow]) -> None:
        self._panes.write(log_id, rows)

    def read_panes(
        self,
        log_id: str,
        *,
        partition: int | None = None,
        keys: Sequence[PaneKey] | None = None,
        above: Mapping[int, int] | None = None,
        since_ms: int | None = None,
    ) -> Sequence[PaneRow]:
        return self._panes.read(log_id, partition=partition, keys=keys, above=above, since_ms=since_ms)

    def max_pane_version(self, log_id: str, partition: int) -> int:
        return self._panes.max_version(log_id, partition)

    def write_progress(self, log_id: str, *progress: Progress) -> None:
        if not progress:
            return
        columns: dict[str, Any] = {
            "log_id": plain([log_id] * len(progress)),
            "partition": pa.array([one.partition for one in progress], pa.int32()),
            "offset": pa.array([one.offset for one in progress], pa.int64()),
            "watermark_ms": pa.array([one.watermark_ms for one in progress], pa.int64()),
            "partition_ms": pa.array([one.partition_ms for one in progress], pa.int64()),
            "stopped": plain([one.stopped for one in progress]),
        }
        self._connection.insert("progress", pa.table(columns))

    def read_progress(self, log_id: str) -> Mapping[int, Progress]:
        answer = self._connection.select(
            "SELECT * FROM progress FINAL WHERE log_id = {log_id:String} ORDER BY `partition`", {"log_id": log_id}
        )
        columns = [answer[name].to_pylist() for name in ("partition", "offset", "watermark_ms", "partition_ms")]
        rows = zip(*columns, texts(answer["stopped"]), strict=True)
        return {row[0]: Progress(*row) for row in rows}

    def write_status(self, log_id: str, rows: Sequence[StatusRow]) -> None:
        if not rows:
            return
        columns: dict[str, Any] = {
            "log_id": constant(log_id, len(rows)),
            "key": plain([row.key for row in rows]),
            "revision": pa.array([row.revision for row in rows], pa.int64()),
            "body": plain([row.body for row in rows]),
        }
        self._connection.insert("status", pa.table(columns))

    def read_status(self, log_id: str) -> Sequence[StatusRow]:
        answer = self._connection.select(
            "SELECT `key`, revision, body FROM status FINAL WHERE log_id = {log_id:String} ORDER BY `key`", {"log_id": log_id}
        )
        rows = zip(texts(answer["key"]), answer["revision"].to_pylist(), texts(answer["body"]), strict=True)
        return [StatusRow(*row) for row in rows]

    def append(self, table: str, documents: Sequence[Document]) -> None:
        self._documents.append(table, documents)

    def newest(self, table: str, *, tenant: str | None = None, keys: Sequence[str] | None = None) -> Sequence[Document]:
        return self._documents.newest(table, tenant=tenant, keys=keys)

    def history(
        self, table: str, *, tenant: str | None = None, key: str | None = None, since_ms: int = 0, limit: int = 100_000
    ) -> Sequence[Document]:
        return self._documents.history(table, tenant=tenant, key=key, since_ms=since_ms, limit=limit)

    def keep_days(self, table: str, days: int) -> None:
        """Let rows of `telemetry`, `quarantine` or `panes` go at this age; InvalidInput for another table or no days."""
        set_retention(self._connection, table, days, self._cluster)

    def describe(self) -> Mapping[str, Any]:
        return {
            "store": self._kind,
            "place": self._connection.place,
            "version": self._connection.version,
            "schema_version": self._schema,
            "replicated": self._replicated,
        }
