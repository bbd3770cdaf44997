from __future__ import annotations

import threading

import pytest

from surveillance.errors import EvidenceConflict, StoreError
from surveillance.store.documents import DOCUMENT_TABLES
from surveillance.store.protocol import Store
from tests.contract.store.rows import HOSTILE, T0, document


@pytest.mark.parametrize("table", DOCUMENT_TABLES)
def test_every_table_keeps_what_is_appended(store: Store, tenant: str, table: str) -> None:
    first, second = document(tenant, "a", 0, body='{"n":0}'), document(tenant, "a", 1, body='{"n":1}')
    store.append(table, [first])
    store.append(table, [second])
    assert list(store.newest(table, tenant=tenant)) == [second]
    assert list(store.history(table, tenant=tenant)) == [first, second]


def test_the_same_document_again_changes_nothing(store: Store, tenant: str) -> None:
    kept = document(tenant, "a", body='{"n":0}')
    store.append("evidence", [kept])
    store.append("evidence", [kept, kept])
    assert list(store.history("evidence", tenant=tenant)) == [kept]


def test_another_body_for_a_revision_is_refused_and_the_first_stays(store: Store, tenant: str) -> None:
    kept = document(tenant, "a", 4, body='{"n":0}')
    store.append("evidence", [kept])
    with pytest.raises(EvidenceConflict, match="revision 4 of 'a'"):
        store.append("evidence", [document(tenant, "b"), document(tenant, "a", 4, body='{"n":1}')])
    assert list(store.history("evidence", tenant=tenant)) == [kept]


def test_two_bodies_for_a_revision_in_one_call_are_refused(store: Store, tenant: str) -> None:
    with pytest.raises(EvidenceConflict):
        store.append("audit", [document(tenant, "chain", 0, body="{}"), document(tenant, "chain", 0, body="[]")])
    assert list(store.history("audit", tenant=tenant)) == []


def test_the_same_key_and_revision_in_another_tenant_or_table_is_no_conflict(store: Store, tenant: str) -> None:
    for table, owner, body in (("evidence", tenant, "1"), ("evidence", tenant + "x", "2"), ("audit", tenant, "3")):
        store.append(table, [document(owner, "a", body=body)])
    assert [found.body for found in store.newest("evidence", tenant=tenant)] == ["1"]
    assert [found.body for found in store.newest("evidence", tenant=tenant + "x")] == ["2"]


def test_newest_takes_the_highest_revision_whatever_the_order_of_writes(store: Store, tenant: str) -> None:
    for revision in (5, 12, -1, 7):
        store.append("triggers", [document(tenant, "t", revision, at_ms=T0 - revision)])
    store.append("triggers", [document(tenant, "s", 1), document(tenant, "u", 2)])
    found = store.newest("triggers", tenant=tenant)
    assert [(one.key, one.revision) for one in found] == [("s", 1), ("t", 12), ("u", 2)]
    assert [one.key for one in store.newest("triggers", tenant=tenant, keys=["u", "t", "nobody"])] == ["t", "u"]
    assert list(store.newest("triggers", tenant=tenant, keys=[])) == []


def test_newest_of_all_tenants_is_sorted_by_tenant_and_key(store: Store, tenant: str) -> None:
    keys = [f"{tenant}/k{i}" for i in range(3)]
    store.append("meta", [document(owner, key) for owner in (tenant + "b", tenant + "a") for key in reversed(keys)])
    found = store.newest("meta", keys=keys)
    assert [(one.tenant, one.key) for one in found] == [(tenant + owner, key) for owner in "ab" for key in keys]


def test_history_is_in_order_of_time_and_bounded(store: Store, tenant: str) -> None:
    documents = [document(tenant, f"k{i % 3}", i, at_ms=T0 + 100 - 10 * (i // 2)) for i in range(10)]
    store.append("incident_events", documents)
    ordered = sorted(documents, key=lambda one: (one.at_ms, one.tenant, one.key, one.revision))
    assert list(store.history("incident_events", tenant=tenant)) == ordered
    assert list(store.history("incident_events", tenant=tenant, limit=4)) == ordered[:4]
    assert list(store.history("incident_events", tenant=tenant, since_ms=T0 + 80)) == [
        one for one in ordered if one.at_ms >= T0 + 80
    ]
    assert list(store.history("incident_events", tenant=tenant, key="k1")) == [one for one in ordered if one.key == "k1"]


def test_times_before_the_epoch_are_kept_and_found(store: Store, tenant: str) -> None:
    store.append("meta", [document(tenant, "old", at_ms=-(2**62))])
    assert list(store.history("meta", tenant=tenant)) == []
    assert len(store.history("meta", tenant=tenant, since_ms=-(2**63))) == 1


def test_hostile_text_survives(store: Store, tenant: str) -> None:
    kept = document(tenant + HOSTILE, HOSTILE, body=HOSTILE * 50)
    store.append("evidence", [kept])
    assert list(store.newest("evidence", tenant=tenant + HOSTILE, keys=[HOSTILE])) == [kept]
    assert list(store.history("evidence", tenant=tenant + HOSTILE, key=HOSTILE)) == [kept]
    with pytest.raises(EvidenceConflict):
        store.append("evidence", [document(tenant + HOSTILE, HOSTILE, body="{}")])


def test_thousands_of_documents_in_one_call_are_kept_once(store: Store, tenant: str) -> None:
    documents = [document(tenant, f"{i:05d}", at_ms=T0 + i, body=f'{{"i":{i}}}') for i in range(6_000)]
    store.append("evidence", documents)
    store.append("evidence", documents[4_000:])
    assert list(store.history("evidence", tenant=tenant)) == documents


def test_keys_longer_than_one_parameter_of_a_server_are_asked_in_parts(store: Store, tenant: str) -> None:
    documents = [document(tenant, f"{i:04d}" + "'k\\" * 100) for i in range(900)]
    store.append("evidence", documents)
    store.append("evidence", documents)
    assert list(store.newest("evidence", tenant=tenant, keys=[kept.key for kept in reversed(documents)])) == documents


def test_empty_inputs_are_no_mistakes(store: Store, tenant: str) -> None:
    store.append("evidence", [])
    assert list(store.newest("evidence", tenant=tenant)) == []


@pytest.mark.parametrize("table", ["panes", "evidence; DROP TABLE panes", "", "Evidence"])
def test_no_other_name_reaches_the_engine_as_a_table(store: Store, table: str) -> None:
    for use in (lambda: store.append(table, [document("t", "k")]), lambda: store.newest(table), lambda: store.history(table)):
        with pytest.raises(StoreError, match="no document table"):
            use()


def test_of_two_threads_with_different_bodies_exactly_one_is_refused(store: Store, tenant: str) -> None:
    for round_number in range(10):
        start, refused = threading.Barrier(2), []

        def append(
            body: str, revision: int = round_number, start: threading.Barrier = start, refused: list[str] = refused
        ) -> None:
            start.wait()
            try:
                store.append("audit", [document(tenant, "chain", revision, body=body)])
            except EvidenceConflict:
                refused.append(body)

        threads = [threading.Thread(target=append, args=(body,)) for body in ("left", "right")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(refused) == 1
        assert [one.body for one in store.history("audit", tenant=tenant) if one.revision == round_number] == [
            "right" if refused == ["left"] else "left"
        ]


def test_a_store_says_what_it_is(store: Store) -> None:
    assert {"store", "version", "schema_version", "replicated"} <= set(store.describe())


def test_the_suite_ran_on_a_real_server_too(server_store: Store) -> None:
    assert server_store.describe()["store"] == "clickhouse"
