"""The schema: numbered SQL files beside this module, rendered for one server or a cluster, applied once and in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import pyarrow as pa

from surveillance.errors import InvalidInput
from surveillance.store.connection import Connection
from surveillance.store.documents import DOCUMENT_TABLES

_FILE_NAME = re.compile(r"(\d{3})_[a-z_]+\.sql")
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9_.-]+|\{[a-z_]+\}")
_RETENTION_COLUMNS = {"telemetry": "broker_ms", "quarantine": "broker_ms", "panes": "pane_ms"}
_MOST_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file: its statements still hold `{on_cluster}` and `{replicated}`."""

    number: int
    name: str
    statements: Sequence[str]


@cache
def migrations() -> tuple[Migration, ...]:
    """Every numbered file, ascending; a file with `{document_table}` gives one statement for each document table."""
    found = []
    for path in files("surveillance.store").joinpath("ddl").iterdir():
        match = _FILE_NAME.fullmatch(path.name)
        if match:
            text = path.read_text(encoding="utf-8")
            each = DOCUMENT_TABLES if "{document_table}" in text else ("",)
            found.append(Migration(int(match[1]), path.name, [text.replace("{document_table}", table) for table in each]))
    return tuple(sorted(found, key=lambda migration: migration.number))


def rendered(statement: str, cluster: str = "") -> str:
    """The statement for one server, or for every replica of `cluster`. Raises InvalidInput for a malformed cluster name."""
    if cluster and not _CLUSTER_NAME.fullmatch(cluster):
        raise InvalidInput(f"{cluster!r} is not a cluster name", "use the name in system.clusters, or a macro such as {cluster}")
    on_cluster = f"ON CLUSTER '{cluster}'" if cluster else ""
    return statement.replace("{on_cluster}", on_cluster).replace("{replicated}", "Replicated" if cluster else "")


def render_cluster_ddl(cluster: str) -> list[str]:
    """All statements that make the tables on a cluster: one shard, any number of replicas."""
    return [rendered(statement, cluster) for migration in migrations() for statement in migration.statements]


def migrate(connection: Connection, cluster: str = "") -> int:
    """Apply what is missing and return the schema's number. Safe to run from several processes at once.

    Raises InvalidInput if the store was written by a newer version of this program.
    """
    first, *_ = migrations()
    for statement in first.statements:
        connection.command(rendered(statement, cluster))
    applied = schema_number(connection)
    newest = migrations()[-1].number
    if applied > newest:
        raise InvalidInput(
            f"the store at {connection.place} has schema {applied}, this program knows {newest}",
            "run the newer version of this program",
        )
    for migration in migrations():
        if migration.number > applied:
            for statement in migration.statements:
                connection.command(rendered(statement, cluster))
            connection.insert(
                "schema_versions", pa.table({"number": pa.array([migration.number], pa.uint32()), "name": [migration.name]})
            )
    return newest


def schema_number(connection: Connection) -> int:
    """The largest number applied, 0 = none."""
    answer = connection.select("SELECT max(number) AS number FROM schema_versions", {})
    return int(answer["number"][0].as_py())


def is_replicated(connection: Connection) -> bool:
    """Whether the tables have replicas, so that reads and writes must agree on a quorum."""
    sql = "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'panes'"
    return any(str(engine).startswith(("Replicated", "Shared")) for engine in connection.select(sql, {})["engine"].to_pylist())


def set_retention(connection: Connection, table: str, days: int, cluster: str = "") -> None:
    """Let rows of `telemetry`, `quarantine` or `panes` older than `days` go at the next merge.

    Changes the table only if it keeps another number of days: a change rewrites the age of every stored part.
    Raises InvalidInput for another table, less than a day, or more than a hundred years.
    """
    column = _RETENTION_COLUMNS.get(table)
    if column is None or not 1 <= days <= _MOST_DAYS:
        raise InvalidInput(
            f"retention of {table!r} cannot be {days} days", f"give 1 to {_MOST_DAYS} days for {', '.join(_RETENTION_COLUMNS)}"
        )
    # DateTime ends in 2106: a sum beyond it would wrap and turn a long retention into an immediate one.
    until = f"toDateTime(least(intDiv({column}, 1000) + {days * 86_400}, 4294967295), 'UTC')"
    kept = connection.select(
        """SELECT count() AS found FROM system.tables
        WHERE database = currentDatabase() AND name = {table:String} AND position(create_table_query, {until:String}) > 0""",
        {"table": table, "until": f"TTL {until}"},
    )
    if not kept["found"][0].as_py():
        connection.command(rendered(f"ALTER TABLE {table} {{on_cluster}} MODIFY TTL {until}", cluster))
