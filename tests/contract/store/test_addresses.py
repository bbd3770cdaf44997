from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from surveillance.errors import InvalidInput
from surveillance.store import open_store
from surveillance.store.dsn import ChdbTarget, MemoryTarget, ServerTarget, parse_dsn
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Progress, Store


def test_the_three_kinds_of_address_are_understood() -> None:
    assert parse_dsn("memory") == MemoryTarget()
    assert parse_dsn("chdb:///var/lib/p%20ms") == ChdbTarget("/var/lib/p ms")
    assert parse_dsn("clickhouse://us%40er:p%2Fw%3A@db.example:9000/pms?cluster=main&timeout_s=7") == ServerTarget(
        host="db.example", port=9000, user="us@er", password="p/w:", database="pms", tls=False, cluster="main", timeout_s=7
    )


def test_what_an_address_leaves_out_is_filled_in() -> None:
    plain, secure = parse_dsn("clickhouse://db"), parse_dsn("clickhouses://[::1]")
    assert plain == ServerTarget(host="db", port=8123, user="default", password="", database="default", tls=False)
    assert secure == ServerTarget(host="::1", port=8443, user="default", password="", database="default", tls=True)


@pytest.mark.parametrize(
    ("dsn", "names"),
    [
        ("", "does not begin with a kind of store"),
        ("postgres://user:hunter2@db/x", "postgres"),
        ("chdb://relative/dir", "absolute"),
        ("chdb:///", "absolute"),
        ("chdb:///dir?path=/other", "no options"),
        ("clickhouse://user:hunter2@", "no host"),
        ("clickhouse://user:hunter2@db:port/x", "malformed"),
        ("clickhouse://user:hunter2@db:99999/x", "malformed"),
        ("clickhouse://user:hunter2@db/x?timeout=3", "'timeout'"),
        ("clickhouse://user:hunter2@db/x?timeout_s=0", "timeout_s"),
        ("clickhouse://user:hunter2@db/x?timeout_s=²", "timeout_s"),
        ("user:hunter2@db", "no kind of store"),
    ],
)
def test_a_wrong_address_is_named_without_its_password(dsn: str, names: str) -> None:
    with pytest.raises(InvalidInput, match=names) as refused:
        parse_dsn(dsn)
    assert "hunter2" not in str(refused.value)
    assert refused.value.mend


def test_a_target_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(parse_dsn("clickhouse://user:hunter2@db/x"))


def test_the_memory_store_needs_no_driver() -> None:
    code = "import sys, surveillance.store as s; s.open_store('memory'); assert 'clickhouse_connect' not in sys.modules"
    assert run(code).returncode == 0
    assert isinstance(open_store("memory"), MemoryStore)


def test_a_second_chdb_directory_in_one_process_is_refused_with_the_reason(chdb_store: Store, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="one process uses one chDB directory"):
        open_store(f"chdb://{tmp_path}")


def test_a_chdb_directory_that_another_process_uses_is_refused(chdb_store: Store, chdb_dsn: str) -> None:
    found = run(f"from surveillance.store import open_store; open_store({chdb_dsn!r})")
    assert found.returncode != 0
    assert "InvalidInput" in found.stderr


def test_what_one_process_wrote_the_next_one_reads(tmp_path: Path) -> None:
    write = "store.write_progress('log', Progress(0, 5, 1, 2)); store.close()"
    read = "assert store.read_progress('log') == {0: Progress(0, 5, 1, 2)}"
    for act in (write, read):
        found = run(
            "from surveillance.store import open_store; from surveillance.store.protocol import Progress; "
            f"store = open_store('chdb://{tmp_path}'); {act}"
        )
        assert found.returncode == 0, found.stderr


def test_two_stores_on_one_chdb_directory_see_each_others_writes(chdb_store: Store, chdb_dsn: str, log_id: str) -> None:
    second = open_store(chdb_dsn)
    second.write_progress(log_id, Progress(0, 5, 1, 2))
    assert chdb_store.read_progress(log_id) == {0: Progress(0, 5, 1, 2)}
    second.close()
    assert chdb_store.read_progress(log_id) == {0: Progress(0, 5, 1, 2)}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
