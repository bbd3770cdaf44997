"""The `panes` table: the newest row of each key, by whatever conditions a worker or an evaluator asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.store.arrow_columns import constant, flat_lists, int_lists, numbers, repeating, texts
from surveillance.store.connection import Connection
from surveillance.store.parameters import batches, coded, key_rows

_KEY_COLUMNS = "tenant, manifest_digest, `partition`, statistic, `group`, pane_ms"
_TEXT_COLUMNS = ("tenant", "manifest_digest", "statistic", "group")

_KEYS = f"({', '.join(f'`{name}`' for name in _TEXT_COLUMNS)}, `partition`, pane_ms) IN " + key_rows(
    _TEXT_COLUMNS, {"partitions": "Array(Int32)", "panes": "Array(Int64)"}
)


class PaneTable:
    """Every condition of a read names key columns or a least version, so it never hides the newest row of a key behind
    an older one: filtering before or after deduplication is the same."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def write(self, log_id: str, rows: Sequence[PaneRow]) -> None:
        if not rows:
            return
        keys = [row.key for row in rows]
        tenants, digests, partitions, statistics, groups, panes = zip(*keys, strict=True)
        counts = [np.asarray(row.counts, dtype=np.int64) for row in rows]
        columns: dict[str, Any] = {
            "log_id": constant(log_id, len(rows)),
            "tenant": repeating(tenants),
            "manifest_digest": repeating(digests),
            "partition": pa.array(partitions, pa.int32()),
            "statistic": repeating(statistics),
            "group": repeating(groups),
            "pane_ms": pa.array(panes, pa.int64()),
            "version": pa.array([row.version for row in rows], pa.uint64()),
            "counts": int_lists(np.concatenate(counts), np.fromiter(map(len, counts), dtype=np.int64, count=len(counts))),
        }
        self._connection.insert("panes", pa.table(columns))

    def read(
        self,
        log_id: str,
        *,
        partition: int | None,
        keys: Sequence[PaneKey] | None,
        above: Mapping[int, int] | None,
        since_ms: int | None,
    ) -> list[PaneRow]:
        conditions = ["log_id = {log_id:String}"]
        bound: dict[str, Any] = {"log_id": log_id}
        if partition is not None:
            conditions.append("`partition` = {partition:Int32}")
            bound["partition"] = partition
        if since_ms is not None:
            conditions.append("pane_ms >= {since:Int64}")
            bound["since"] = since_ms
        if above is not None:
            conditions.append(_above(above, bound))
        if keys is None:
            return self._select(conditions, bound)
        found: list[PaneRow] = []
        for some in batches(sorted(set(keys)), _texts):
            found += self._select([*conditions, _KEYS], bound | _bound_keys(some))
        return found

    def max_version(self, log_id: str, partition: int) -> int:
        answer = self._connection.select(
            """SELECT max(version) AS newest, count() AS found FROM panes
            WHERE log_id = {log_id:String} AND `partition` = {partition:Int32}""",
            {"log_id": log_id, "partition": partition},
        )
        return int(answer["newest"][0].as_py()) if answer["found"][0].as_py() else -1

    def _select(self, conditions: Sequence[str], bound: Mapping[str, Any]) -> list[PaneRow]:
        answer = self._connection.select(
            f"""SELECT {_KEY_COLUMNS}, version, counts FROM panes WHERE {" AND ".join(conditions)}
            ORDER BY {_KEY_COLUMNS}, version DESC LIMIT 1 BY {_KEY_COLUMNS}""",  # noqa: S608 - constants of this module; values are bound
            bound,
        )
        columns = [texts(answer["tenant"]), texts(answer["manifest_digest"]), answer["partition"].to_pylist()]
        columns += [texts(answer["statistic"]), texts(answer["group"]), answer["pane_ms"].to_pylist()]
        keys = map(PaneKey._make, zip(*columns, strict=True))
        flat, lengths = flat_lists(answer["counts"])
        versions = numbers(answer["version"], np.int64).tolist()
        counts = np.split(flat.copy(), np.cumsum(lengths)[:-1]) if len(lengths) else []
        return [PaneRow(key, version, row) for key, version, row in zip(keys, versions, counts, strict=True)]


def _above(above: Mapping[int, int], bound: dict[str, Any]) -> str:
    """Version beyond the given one, partition by partition, written so that the skip index can tell; fills `bound`."""
    bound["named"] = sorted(above)
    choices = ["`partition` NOT IN {named:Array(Int32)}"]
    for i, (number, version) in enumerate(sorted(above.items())):
        bound[f"partition_{i}"], bound[f"version_{i}"] = number, version
        choices.append(f"(`partition` = {{partition_{i}:Int32}} AND version > {{version_{i}:Int64}})")
    return f"({' OR '.join(choices)})"


def _texts(key: PaneKey) -> tuple[str, ...]:
    return key.tenant, key.manifest_digest, key.statistic, key.group


def _bound_keys(keys: Sequence[PaneKey]) -> dict[str, Any]:
    """Keys repeat most of their texts, so each distinct text is sent once."""
    bound: dict[str, Any] = {"partitions": [key.partition for key in keys], "panes": [key.pane_ms for key in keys]}
    for name, column in zip(_TEXT_COLUMNS, zip(*map(_texts, keys), strict=True), strict=True):
        bound[f"{name}_texts"], bound[f"{name}_codes"] = coded(column)
    return bound
