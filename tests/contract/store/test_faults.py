"""What callers may rely on when the store is away, slow, or silent after it wrote. The HTTP stand-in breaks on command."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from surveillance.errors import EvidenceConflict, InvalidInput, StoreError, StoreUnavailable
from surveillance.store import open_store
from surveillance.store.protocol import Progress, Store
from tests.contract.store.rows import T0, as_panes, as_rows, document, pane, quarantined, raw_rows
from tests.standins.clickhouse_http_over_chdb import ClickHouseStandIn

ALL = list(range(10))


def every_call(store: Store, log_id: str, tenant: str) -> list[Callable[[], object]]:
    return [
        lambda: store.write_raw(log_id, raw_rows([(0, 0)])),
        lambda: list(store.read_raw(log_id, 0, last_offset=9, since_ms=0, kinds=ALL)),
        lambda: store.find_raw(log_id, 0, event=raw_rows([(0, 0)]).event, before=9),
        lambda: store.write_quarantine(log_id, [quarantined(0)]),
        lambda: store.read_quarantine(log_id),
        lambda: store.write_panes(log_id, [pane()]),
        lambda: store.read_panes(log_id),
        lambda: store.read_panes(log_id, keys=[pane().key]),
        lambda: store.max_pane_version(log_id, 0),
        lambda: store.write_progress(log_id, Progress(0, 0, T0, T0)),
        lambda: store.read_progress(log_id),
        lambda: store.append("evidence", [document(tenant, "k")]),
        lambda: store.newest("evidence", tenant=tenant),
        lambda: store.history("evidence", tenant=tenant),
    ]


@pytest.fixture
def impatient_store(clickhouse_stand_in: ClickHouseStandIn) -> Iterator[Store]:
    store = open_store(clickhouse_stand_in.dsn(options="?timeout_s=1"))
    yield store
    store.close()


@pytest.mark.parametrize("kind", ["refuse", "status", "drop"])
def test_every_call_says_unavailable_and_works_again_once_the_store_is_back(
    clickhouse_stand_in: ClickHouseStandIn, http_store: Store, log_id: str, tenant: str, kind: str
) -> None:
    with clickhouse_stand_in.fault(kind):
        for call in every_call(http_store, log_id, tenant):
            with pytest.raises(StoreUnavailable):
                call()
    for call in every_call(http_store, log_id, tenant):
        call()
    assert as_panes(http_store.read_panes(log_id)) == as_panes([pane()])


def test_a_store_that_stalls_is_given_up_after_the_timeout(
    clickhouse_stand_in: ClickHouseStandIn, impatient_store: Store, log_id: str
) -> None:
    with clickhouse_stand_in.fault("stall"):
        with pytest.raises(StoreUnavailable, match="timed out"):
            impatient_store.write_panes(log_id, [pane()])
        assert clickhouse_stand_in.waiting() == 1
    impatient_store.write_panes(log_id, [pane()])
    assert len(impatient_store.read_panes(log_id)) == 1


def test_a_lost_acknowledgement_and_a_retry_leave_everything_once(
    clickhouse_stand_in: ClickHouseStandIn, http_store: Store, log_id: str, tenant: str
) -> None:
    raw, panes, kept = (
        raw_rows([(1, 0), (1, 1), (2, 0)]),
        [pane("a", version=2, counts=(4,)), pane("b", version=2)],
        document(tenant, "k"),
    )
    progress, refused = Progress(0, 2, T0, T0), quarantined(1)
    writes: list[Callable[[], None]] = [
        lambda: http_store.write_raw(log_id, raw),
        lambda: http_store.write_quarantine(log_id, [refused]),
        lambda: http_store.write_panes(log_id, panes),
        lambda: http_store.write_progress(log_id, progress),
        lambda: http_store.append("evidence", [kept]),
    ]
    for write in writes:
        with clickhouse_stand_in.fault("drop_ack", only="INSERT"), pytest.raises(StoreUnavailable):
            write()
        write()
    assert as_rows(http_store.find_raw(log_id, 0, event=raw.event, before=9)) == as_rows(raw)
    assert list(http_store.read_quarantine(log_id)) == [refused]
    assert as_panes(http_store.read_panes(log_id)) == as_panes(panes)
    assert dict(http_store.read_progress(log_id)) == {0: progress}
    assert list(http_store.history("evidence", tenant=tenant)) == [kept]


def test_a_write_whose_acknowledgement_was_lost_does_not_come_back_over_a_newer_one(
    clickhouse_stand_in: ClickHouseStandIn, http_store: Store, log_id: str
) -> None:
    """An old owner wrote and never heard so; the new owner folded further; then the old owner retries."""
    with clickhouse_stand_in.fault("drop_ack", only="INSERT"), pytest.raises(StoreUnavailable):
        http_store.write_panes(log_id, [pane(version=10, counts=(10,))])
    http_store.write_panes(log_id, [pane(version=12, counts=(12,))])
    http_store.write_panes(log_id, [pane(version=10, counts=(10,))])
    assert as_panes(http_store.read_panes(log_id)) == as_panes([pane(version=12, counts=(12,))])


def test_a_conflict_is_seen_although_the_first_acknowledgement_was_lost(
    clickhouse_stand_in: ClickHouseStandIn, http_store: Store, tenant: str
) -> None:
    with clickhouse_stand_in.fault("drop_ack", only="INSERT"), pytest.raises(StoreUnavailable):
        http_store.append("gate_decisions", [document(tenant, "k", body="1")])
    with pytest.raises(EvidenceConflict):
        http_store.append("gate_decisions", [document(tenant, "k", body="2")])
    assert [kept.body for kept in http_store.newest("gate_decisions", tenant=tenant)] == ["1"]


def test_two_processes_that_write_two_bodies_between_each_others_looks_are_not_both_told_yes(
    clickhouse_stand_in: ClickHouseStandIn, http_store: Store, tenant: str
) -> None:
    """Both look, both find nothing, both insert: ClickHouse has no unique keys, so the second look must tell."""
    others = [http_store, open_store(clickhouse_stand_in.dsn())]
    outcomes: list[str] = []

    def append(store: Store, body: str) -> None:
        try:
            store.append("audit", [document(tenant, "chain", body=body)])
            outcomes.append(body)
        except EvidenceConflict:
            outcomes.append("refused")

    with clickhouse_stand_in.fault("hold", only="INSERT"):
        threads = [threading.Thread(target=append, args=pair) for pair in zip(others, ("left", "right"), strict=True)]
        for thread in threads:
            thread.start()
        clickhouse_stand_in.wait_for_waiting(2)
    for thread in threads:
        thread.join()
    others[1].close()
    assert "refused" in outcomes
    kept = [found.body for found in http_store.newest("audit", tenant=tenant)]
    assert len(kept) == 1
    assert set(outcomes) - {"refused"} <= set(kept)


def test_opening_a_store_that_is_away_says_where_and_not_with_which_password(clickhouse_stand_in: ClickHouseStandIn) -> None:
    with clickhouse_stand_in.fault("refuse"), pytest.raises(StoreUnavailable) as refused:
        open_store(clickhouse_stand_in.dsn(password="hunter2"))
    assert f"127.0.0.1:{clickhouse_stand_in.port}" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_wrong_password_or_database_is_the_users_mistake(clickhouse_stand_in: ClickHouseStandIn) -> None:
    with pytest.raises(InvalidInput, match="user or password") as refused:
        open_store(clickhouse_stand_in.dsn(password="hunter2"))
    assert "hunter2" not in str(refused.value)
    with pytest.raises(InvalidInput, match="no such database"):
        open_store(clickhouse_stand_in.dsn(database="nowhere"))


def test_no_bound_value_is_repeated_in_an_error(clickhouse_stand_in: ClickHouseStandIn, http_store: Store) -> None:
    for kind in ("refuse", "drop", "status"):
        with clickhouse_stand_in.fault(kind), pytest.raises(StoreUnavailable) as lost:
            http_store.newest("evidence", keys=["private-key-7"])
        assert "private-key-7" not in str(lost.value)


def test_a_closed_store_says_so(chdb_store: Store, chdb_dsn: str) -> None:
    second = open_store(chdb_dsn)
    second.close()
    second.close()
    with pytest.raises(StoreError, match="closed"):
        second.read_progress("log")
    assert chdb_store.describe()["store"] == "chdb"


def test_a_forked_process_may_not_use_the_parents_store(chdb_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    with pytest.raises(StoreError, match="fork"):
        chdb_store.read_progress("log")
