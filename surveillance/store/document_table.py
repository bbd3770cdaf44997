"""The document tables: append only, a revision keeps the content it was first stored with."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from surveillance.store.arrow_columns import plain, repeating, texts
from surveillance.store.connection import Connection
from surveillance.store.documents import Coordinates, coordinates, known_table, refuse_conflicts
from surveillance.store.parameters import batches, coded, key_rows
from surveillance.store.protocol import Document

_COLUMNS = "tenant, manifest_digest, `key`, revision, at_ms, body"
_FIRST_STORED = "rank DESC, body"
_ASKED = key_rows(["tenant"], {"keys": "Array(String)", "revisions": "Array(Int64)"})


class DocumentTables:
    """ClickHouse has no unique keys, so a conflict is looked for before the insert and again after it: of two writers
    at once, in one process the lock and between processes the second look decides, and the earlier one stays."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def append(self, table: str, documents: Sequence[Document]) -> None:
        name = known_table(table)
        with self._lock:
            asked = list(dict.fromkeys(map(coordinates, documents)))
            fresh = refuse_conflicts(name, documents, self._bodies(name, asked))
            if fresh:
                self._insert(name, fresh)
                refuse_conflicts(name, fresh, self._bodies(name, list(map(coordinates, fresh))))

    def newest(self, table: str, *, tenant: str | None, keys: Sequence[str] | None) -> list[Document]:
        name, where, bound = known_table(table), "1", dict[str, Any]()
        if tenant is not None:
            where = "tenant = {tenant:String}"
            bound["tenant"] = tenant
        if keys is None:
            return self._newest(name, where, bound)
        found: list[Document] = []
        for some in batches(sorted(set(keys)), lambda key: (key,)):
            found += self._newest(name, f"{where} AND `key` IN {{keys:Array(String)}}", bound | {"keys": list(some)})
        return sorted(found, key=lambda document: (document.tenant, document.key))

    def history(self, table: str, *, tenant: str | None, key: str | None, since_ms: int, limit: int) -> list[Document]:
        name, conditions = known_table(table), ["at_ms >= {since:Int64}"]
        bound: dict[str, Any] = {"since": since_ms, "limit": limit}
        if tenant is not None:
            conditions.append("tenant = {tenant:String}")
            bound["tenant"] = tenant
        if key is not None:
            conditions.append("`key` = {key:String}")
            bound["key"] = key
        return self._select(
            f"""SELECT {_COLUMNS} FROM (
                SELECT {_COLUMNS} FROM {name} WHERE {" AND ".join(conditions)}
                ORDER BY tenant, `key`, revision, {_FIRST_STORED} LIMIT 1 BY tenant, `key`, revision
            ) ORDER BY at_ms, tenant, `key`, revision LIMIT {{limit:UInt64}}""",  # noqa: S608 - known names; values are bound
            bound,
        )

    def _newest(self, table: str, where: str, bound: Mapping[str, Any]) -> list[Document]:
        return self._select(
            f"""SELECT {_COLUMNS} FROM {table} WHERE {where} AND (tenant, `key`, revision) IN (
                SELECT tenant, `key`, max(revision) FROM {table} WHERE {where} GROUP BY tenant, `key`
            ) ORDER BY tenant, `key`, {_FIRST_STORED} LIMIT 1 BY tenant, `key`""",  # noqa: S608 - as above
            bound,
        )

    def _insert(self, table: str, documents: Sequence[Document]) -> None:
        columns: dict[str, Any] = {
            "tenant": repeating([document.tenant for document in documents]),
            "manifest_digest": repeating([document.manifest_digest for document in documents]),
            "key": plain([document.key for document in documents]),
            "revision": pa.array([document.revision for document in documents], pa.int64()),
            "at_ms": pa.array([document.at_ms for document in documents], pa.int64()),
            "body": plain([document.body for document in documents]),
        }
        self._connection.insert(table, pa.table(columns))

    def _bodies(self, table: str, asked: Sequence[Coordinates]) -> dict[Coordinates, str]:
        found: list[Document] = []
        for some in batches(asked, lambda at: at[:2]):
            tenants, codes = coded(at[0] for at in some)
            found += self._select(
                f"""SELECT {_COLUMNS} FROM {table} WHERE (tenant, `key`, revision) IN {_ASKED}
                ORDER BY tenant, `key`, revision, {_FIRST_STORED} LIMIT 1 BY tenant, `key`, revision""",  # noqa: S608 - as above
                {
                    "tenant_texts": tenants,
                    "tenant_codes": codes,
                    "keys": [at[1] for at in some],
                    "revisions": [at[2] for at in some],
                },
            )
        return {coordinates(document): document.body for document in found}

    def _select(self, sql: str, bound: Mapping[str, Any]) -> list[Document]:
        answer = self._connection.select(sql, bound)
        tenants, digests, keys, bodies = (texts(answer[name]) for name in ("tenant", "manifest_digest", "key", "body"))
        rows = zip(tenants, digests, keys, answer["revision"].to_pylist(), answer["at_ms"].to_pylist(), bodies, strict=True)
        return [Document(*row) for row in rows]
