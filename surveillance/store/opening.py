"""From an address to an open store."""

from __future__ import annotations

from surveillance.store.chdb_directory import check_directory, check_unlocked
from surveillance.store.dsn import ChdbTarget, MemoryTarget, parse_dsn
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store


def open_store(dsn: str) -> Store:
    """Open `memory`, `chdb:///dir`, `clickhouse://...` or `clickhouses://...`, creating or upgrading its tables.

    Raises InvalidInput for an address that is wrong and for a directory that cannot be used, StoreUnavailable for one that does
    not answer; no password in either.
    """
    target = parse_dsn(dsn)
    if isinstance(target, MemoryTarget):
        return MemoryStore()
    if isinstance(target, ChdbTarget):
        check_directory(target.directory)
        check_unlocked(target.directory)
    # Imported here: the memory twin must not wait for, or need, the ClickHouse driver.
    from surveillance.store.clickhouse import ClickHouseStore

    return ClickHouseStore(target)
