"""The `telemetry` table: raw events by position, read in order or found by hash."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from surveillance.arrays import Hashes, Int
from surveillance.store.arrow_columns import coded_texts, constant, dictionary, flat_lists, int_lists, numbers, plain, texts
from surveillance.store.connection import Connection
from surveillance.store.parameters import MOST_ITEMS
from surveillance.store.protocol import RawRows
from surveillance.store.raw_columns import CODED, IDS, NUMBERS, joined, newest

_CHUNK_ROWS = 250_000
_PARTITION = "log_id = {log_id:String} AND `partition` = {partition:Int32}"
_WANTED = (
    f"{_PARTITION} AND `offset` > {{after:Int64}} AND `offset` <= {{upto:Int64}} "
    "AND broker_ms >= {since:Int64} AND kind IN {kinds:Array(UInt8)}"
)


class RawTable:
    """Rows are replaced by position: writing them again changes nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, log_id: str, chunks: Sequence[RawRows]) -> None:
        tables = [_table(log_id, rows) for rows in chunks if len(rows)]
        if tables:
            self._connection.insert("telemetry", pa.concat_tables(tables).unify_dictionaries())

    def read(
        self, log_id: str, partition: int, *, last_offset: int, since_ms: int, kinds: Sequence[int], ids: bool
    ) -> Iterator[RawRows]:
        bound = {"log_id": log_id, "partition": partition, "since": since_ms, "kinds": [int(kind) for kind in kinds]}
        after = -1
        while (upto := self._chunk_end(bound | {"after": after, "upto": last_offset})) is not None:
            yield self._select(partition, _WANTED, bound | {"after": after, "upto": upto}, ids=ids, payload=False)
            after = upto

    def find(
        self, log_id: str, partition: int, *, event: Hashes | None, subject: Hashes | None, before: int, since_ms: int | None
    ) -> RawRows:
        where = f"{_PARTITION} AND `offset` < {{before:Int64}}"
        bound: dict[str, Any] = {"log_id": log_id, "partition": partition, "before": before}
        if since_ms is not None:
            where += " AND broker_ms >= {since:Int64}"
            bound["since"] = since_ms
        found = []
        for column, hashes in (("event", event), ("subject", subject)):
            wanted = [] if hashes is None else np.unique(hashes).tolist()
            for start in range(0, len(wanted), MOST_ITEMS):
                some = bound | {"hashes": wanted[start : start + MOST_ITEMS]}
                found.append(self._select(partition, f"{where} AND {column} IN {{hashes:Array(UInt64)}}", some))
        rows = joined(partition, found)
        return newest(rows) if len(found) > 1 else rows

    def _chunk_end(self, bound: Mapping[str, Any]) -> int | None:
        """The offset at which the next chunk ends; no offset is split between chunks. None = nothing is left."""
        answer = self._connection.select(
            f"""SELECT max(`offset`) AS upto, count() AS found FROM (
                SELECT `offset` FROM telemetry WHERE {_WANTED} ORDER BY log_id, `partition`, `offset` LIMIT {_CHUNK_ROWS:d}
            )""",  # noqa: S608 - constants of this module; values are bound
            bound,
        )
        return int(answer["upto"][0].as_py()) if answer["found"][0].as_py() else None

    def _select(self, partition: int, where: str, bound: Mapping[str, Any], *, ids: bool = True, payload: bool = True) -> RawRows:
        asked = [*NUMBERS, *CODED, *(IDS if ids else ()), *(["payload"] if payload else [])]
        listed = ", ".join(f"`{name}`" for name in asked)
        answer = self._connection.select(
            f"""SELECT {listed}, packed FROM telemetry FINAL WHERE {where} ORDER BY `offset`, `index`""",  # noqa: S608 - as above
            bound,
        )
        columns: dict[str, Any] = {name: numbers(answer[name], dtype) for name, dtype in NUMBERS.items()}
        columns |= {name: coded_texts(answer[name]) for name in CODED}
        columns |= {name: texts(answer[name]) if ids else [""] * len(answer) for name in IDS}
        columns["payload"] = answer["payload"].to_pylist() if payload else [b""] * len(answer)
        return RawRows(partition=partition, packed=_matrix(*flat_lists(answer["packed"])), **columns)


def _table(log_id: str, rows: RawRows) -> Any:
    n = len(rows)
    columns: dict[str, Any] = {name: pa.array(np.asarray(getattr(rows, name), dtype=dtype)) for name, dtype in NUMBERS.items()}
    columns |= {name: dictionary(getattr(rows, name)) for name in CODED}
    columns |= {name: plain(getattr(rows, name)) for name in IDS}
    packed = np.ascontiguousarray(rows.packed, dtype=np.int64)
    columns |= {
        "log_id": constant(log_id, n),
        "partition": pa.array(np.full(n, rows.partition, dtype=np.int32)),
        "packed": int_lists(packed.reshape(-1), np.full(n, packed.shape[1], dtype=np.int64)),
        "payload": pa.array(rows.payload, pa.binary()),
    }
    return pa.table(columns)


def _matrix(flat: Int, lengths: Int) -> Int:
    """Rows of equal length as a view; rows of unequal length (two layouts) filled with zeros on the right."""
    width = int(lengths.max(initial=0))
    if bool((lengths == width).all()):
        return flat.reshape(len(lengths), width)
    matrix = np.zeros((len(lengths), width), dtype=np.int64)
    matrix[np.arange(width) < lengths[:, None]] = flat
    return matrix
