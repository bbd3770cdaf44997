from __future__ import annotations

from pathlib import Path

import pytest

from surveillance.errors import InvalidInput
from surveillance.store import migrate as schema
from surveillance.store.arrow_columns import texts
from surveillance.store.clickhouse import ClickHouseStore
from surveillance.store.connection import Connection
from surveillance.store.documents import DOCUMENT_TABLES
from surveillance.store.dsn import ChdbTarget
from surveillance.store.protocol import Store
from tests.contract.store.rows import quarantined

SHOW = "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'quarantine'"
ASKED = ["insert_quorum", "insert_quorum_parallel", "select_sequential_consistency"]


@pytest.fixture
def connection(chdb_store: Store) -> Connection:
    assert isinstance(chdb_store, ClickHouseStore)
    return chdb_store._connection


def test_the_files_are_numbered_without_gaps() -> None:
    assert [migration.number for migration in schema.migrations()] == list(range(1, len(schema.migrations()) + 1))


def test_every_table_is_made_and_nothing_else(connection: Connection) -> None:
    made = connection.select("SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name", {})
    others = {"schema_versions", "telemetry", "quarantine", "panes", "progress", "status"}
    assert set(texts(made["name"])) == {*others, *DOCUMENT_TABLES}


def test_applying_again_changes_nothing(connection: Connection) -> None:
    assert schema.migrate(connection) == schema.migrate(connection) == schema.schema_number(connection)


def test_a_store_written_by_a_newer_version_is_refused(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    known = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: known[:-1])
    with pytest.raises(InvalidInput, match="this program knows"):
        schema.migrate(connection)


def test_only_missing_files_are_applied(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(connection, "command", lambda sql, parameters=None: ran.append(sql))
    schema.migrate(connection)
    assert len(ran) == 1
    assert "schema_versions" in ran[0]


@pytest.mark.parametrize("statement", schema.render_cluster_ddl("main"))
def test_cluster_ddl_parses_and_is_replicated(connection: Connection, statement: str) -> None:
    with connection.client() as client:
        tree = str(client.command(f"EXPLAIN AST {statement}"))
    assert "CreateQuery" in tree
    assert "ReplicatedReplacingMergeTree" in tree
    assert "ON CLUSTER 'main'" in statement
    assert "{" not in statement


def test_ddl_for_one_server_names_no_cluster() -> None:
    for migration in schema.migrations():
        for statement in migration.statements:
            text = schema.rendered(statement)
            assert "Replicated" not in text
            assert "ON CLUSTER" not in text
            assert "{" not in text


@pytest.mark.parametrize("cluster", ["a'b", "a b", "x; DROP TABLE panes", "{a}{b}"])
def test_a_malformed_cluster_name_is_refused(cluster: str) -> None:
    with pytest.raises(InvalidInput, match="not a cluster name"):
        schema.render_cluster_ddl(cluster)


def test_a_cluster_macro_is_allowed() -> None:
    assert all("ON CLUSTER '{cluster}'" in statement for statement in schema.render_cluster_ddl("{cluster}"))


def test_retention_becomes_a_table_ttl_and_can_be_changed(
    chdb_store: Store, connection: Connection, log_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(chdb_store, ClickHouseStore)
    chdb_store.write_quarantine(log_id, [quarantined(0), quarantined(1, broker_ms=1_000)])
    for days in (36_500, 14_600):
        chdb_store.keep_days("quarantine", days)
        (shown,) = texts(connection.select(SHOW, {})["create_table_query"])
        assert f"TTL toDateTime(least(intDiv(broker_ms, 1000) + {days * 86_400}, 4294967295), 'UTC')" in shown
        connection.command("OPTIMIZE TABLE quarantine FINAL")
    assert [row.offset for row in chdb_store.read_quarantine(log_id)] == [0]
    ran: list[str] = []
    monkeypatch.setattr(connection, "command", lambda sql, parameters=None: ran.append(sql))
    chdb_store.keep_days("quarantine", 14_600)
    assert ran == []


@pytest.mark.parametrize(
    ("table", "days"), [("telemetry", 0), ("panes", -1), ("panes", 36_501), ("audit", 10), ("panes; DROP TABLE panes", 10)]
)
def test_a_retention_that_makes_no_sense_is_refused(chdb_store: Store, table: str, days: int) -> None:
    assert isinstance(chdb_store, ClickHouseStore)
    with pytest.raises(InvalidInput, match="retention"):
        chdb_store.keep_days(table, days)


def test_replicated_tables_ask_for_quorum_and_sequential_reads(chdb_dsn: str, chdb_store: Store) -> None:
    """Held on the settings alone: an embedded engine has no replicas to lose."""
    connection = Connection(ChdbTarget(chdb_dsn.removeprefix("chdb://")))
    try:
        connection.require_quorum()
        sql = "SELECT name, value FROM system.settings WHERE name IN {names:Array(String)}"
        answer = connection.select(sql, {"names": ASKED})
        found = dict(zip(texts(answer["name"]), texts(answer["value"]), strict=True))
        assert found == dict(zip(ASKED, ("auto", "0", "1"), strict=True))
    finally:
        connection.close()


def test_every_statement_file_is_part_of_the_package() -> None:
    folder = Path(schema.__file__).with_name("ddl")
    assert sorted(path.name for path in folder.iterdir()) == [migration.name for migration in schema.migrations()]
