"""From the releases topic to the registry, the key of the service, and the identity of the log: first writers decide."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.header_key import header_key
from streams.registrar import Registrar
from surveillance.errors import InvalidManifest
from surveillance.log_identity import current_log, known_logs, record_log
from surveillance.manifest.digest import canonical_bytes, manifest_digest
from surveillance.registry import ALWAYS_MS, IN_FORCE_DELAY_MS, Registry
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from surveillance.times import to_text
from tests.property.deciding import monitor, release

IDENTITY = monitor("identity", {"type": "identity_mismatch", "fields": ["model_digest"]}, {"pause": {"ge": 1}}, window="w1h")
T = 1_800_000_000_000


def registrar(store: Store, *, allow_unsigned: bool = True, header_time: bool = False) -> tuple[Registrar, Registry]:
    registry = Registry()
    return Registrar(registry, store, allow_unsigned=allow_unsigned, header_time=header_time), registry


def in_force_ms(registry: Registry, document: dict[str, Any]) -> int:
    found = registry.get(manifest_digest(document))
    assert found is not None
    return found.in_force_ms


def test_the_first_registration_of_a_digest_stands_for_processes_that_see_only_a_later_one() -> None:
    store, document = MemoryStore(), release(IDENTITY)
    first, known = registrar(store)
    first(canonical_bytes(document), T)
    first(canonical_bytes(document), T + 5_000)
    assert in_force_ms(known, document) == T + IN_FORCE_DELAY_MS
    later, also_known = registrar(store)
    later(canonical_bytes(document), T + 5_000)  # compaction left the second record alone
    assert in_force_ms(also_known, document) == T + IN_FORCE_DELAY_MS


def test_another_spelling_of_a_manifest_is_the_same_registration() -> None:
    store, document = MemoryStore(), release(IDENTITY)
    first, _ = registrar(store)
    first(canonical_bytes(document), T)
    second, known = registrar(store)
    second(json.dumps(document, indent=3).encode(), T + 1)
    assert in_force_ms(known, document) == T + IN_FORCE_DELAY_MS


def test_effective_from_counts_where_it_is_later() -> None:
    document = release(IDENTITY)
    document["surveillance"]["effective_from"] = to_text(T + 3_600_000)
    one, known = registrar(MemoryStore())
    one(canonical_bytes(document), T)
    assert in_force_ms(known, document) == T + 3_600_000


def test_in_header_time_it_is_in_force_from_the_start_whenever_it_was_registered() -> None:
    one, known = registrar(MemoryStore(), header_time=True)
    one(canonical_bytes(release(IDENTITY)), T)
    assert in_force_ms(known, release(IDENTITY)) == ALWAYS_MS


@pytest.mark.parametrize(("header_time", "since"), [(False, to_text(T + IN_FORCE_DELAY_MS)), (True, "the start")])
def test_without_a_signature_the_log_says_so_and_from_when_it_counts(
    header_time: bool, since: str, caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = registrar(MemoryStore(), header_time=header_time)
    one(canonical_bytes(release(IDENTITY)), T)
    assert [record.getMessage() for record in caplog.records if record.name == "streams.registrar"] == [
        f"manifest {manifest_digest(release(IDENTITY))} is in force from {since} on, WITHOUT a signature"
    ]


def test_what_is_not_signed_is_refused_by_name_and_leaves_nothing_behind() -> None:
    store = MemoryStore()
    one, known = registrar(store, allow_unsigned=False)
    with pytest.raises(InvalidManifest, match=r"rm-a[\s\S]*no signature[\s\S]*PMS_ALLOW_UNSIGNED"):
        one(canonical_bytes(release(IDENTITY)), T)
    assert len(known) == 0
    assert list(store.newest("manifests")) == []


HOSTILE = [
    b"", b"\xff\xfe", b"null", b"[]", b'"text"', b"1e999", b"{", b"[" * 5000, b'{"a":' * 5000, b"a: &x [*x]", b"a: 1\na: 2",
    b"\x00", b'{"manifest_id": NaN}', b'{"revision": 1' + b"0" * 400 + b"}", b'{"manifest_id": "\\ud800"}', b"- " * 5000,
    b"? " * 3000,
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("allow_unsigned", [True, False])
def test_a_document_that_is_no_manifest_is_refused_and_stops_nothing(value: bytes, allow_unsigned: bool) -> None:
    one, known = registrar(MemoryStore(), allow_unsigned=allow_unsigned)
    with pytest.raises(InvalidManifest):
        one(value, T)
    assert len(known) == 0


PATHS = st.sampled_from(
    [("release",), ("strata",), ("baselines",), ("surveillance",), ("owners",), ("playbooks",), ("revision",), ("manifest_id",),
     ("surveillance", "monitors"), ("surveillance", "windows"), ("surveillance", "telemetry"), ("surveillance", "levels"),
     ("surveillance", "effective_from"), ("surveillance", "persistence_default"), ("release", "release_id"),
     ("baselines", "score"), ("strata", "axes"), ("rollback",), ("privacy",)]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(PATHS, ANYTHING)
def test_a_manifest_with_anything_at_all_in_one_place_is_registered_or_refused(path: tuple[str, ...], value: Any) -> None:
    document = release(IDENTITY)
    place: Any = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    one, known = registrar(MemoryStore())
    try:
        one(json.dumps(document).encode(), T)
    except InvalidManifest:
        assert len(known) == 0
    else:
        assert len(known) == 1


# the key that authenticates what the service produces again -----------------------------------------------------
def test_workers_that_start_at_once_agree_on_one_key() -> None:
    store = MemoryStore()
    start, keys = threading.Barrier(8), list[bytes]()

    def work() -> None:
        start.wait()
        keys.append(header_key(store, T))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    assert header_key(MemoryStore(), T) != keys[0]


class BothAtOnce:
    """A store on which another worker writes its key between our look and our write."""

    def __init__(self, store: MemoryStore) -> None:
        self._store, self.theirs = store, b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, table: str, documents: Any) -> None:
        self.theirs = header_key(self._store, T)
        self._store.append(table, documents)


def test_the_worker_that_writes_second_takes_the_key_of_the_first() -> None:
    store: Any = BothAtOnce(MemoryStore())
    assert header_key(store, T) == store.theirs


# the log whose counts a store holds -----------------------------------------------------------------------------
def test_the_newest_epoch_is_the_current_log_and_a_known_one_stays_as_it_was_recorded() -> None:
    store = MemoryStore()
    assert current_log(store) is None
    record_log(store, "cluster/pms.telemetry/1", "pms.telemetry", 4, T)
    record_log(store, "cluster/pms.telemetry/2", "pms.telemetry", 8, T + 10)
    record_log(store, "cluster/pms.telemetry/1", "pms.telemetry", 4, T + 20)  # a worker on it starts again
    current = current_log(store)
    assert current is not None
    assert (current.log_id, current.partitions) == ("cluster/pms.telemetry/2", 8)
    assert known_logs(store)["cluster/pms.telemetry/1"].first_seen_ms == T


def test_other_documents_of_the_service_are_no_logs() -> None:
    store = MemoryStore()
    header_key(store, T)
    assert known_logs(store) == {}
