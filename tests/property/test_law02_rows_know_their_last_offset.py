"""Law 2: a row knows the last offset it contains, so repeated delivery, crashes and double owners leave the totals exact.

`versioned_panes_of` compares counts and versions, so equal means bit-equal.
"""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.errors import StoreUnavailable
from surveillance.ingest.pane_table import Delta, PaneTable
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from tests.oracle.streams import START_MS
from tests.property.folding import (
    WRITES,
    Died,
    LogRecord,
    Owner,
    Trouble,
    TroubledStore,
    accept_all,
    decoded,
    fold_straight,
    ledger_of,
    log_of,
    owner,
    registry_of,
    scenario,
    versioned_panes_of,
)

SEEDS = st.integers(0, 7)
STEP = st.fixed_dictionaries(
    {
        "who": st.integers(0, 1),
        "count": st.integers(1, 150),
        "flush": st.booleans(),
        "trouble": st.sampled_from(["none", "none", "dies", "dies after it landed", "restarts", "store away", "answer lost"]),
        "at": st.integers(1, 6),
    }
)


def live(store: Store, log_id: str, seed: int, steps: list[dict[str, Any]]) -> None:
    """Two owners of one partition, each from its own view of the store, until one of them reads the log to its end."""
    records, registry = log_of(scenario(seed).lines), registry_of(seed)
    fronts = [TroubledStore(store, Trouble()) for _ in range(2)]
    owners = [Owner(front, log_id, registry) for front in fronts]
    for step in steps:
        front, worker = fronts[step["who"]], owners[step["who"]]
        front.trouble = trouble_of(step)
        try:
            worker.step(records, step["count"], step["flush"])
        except Died:
            front.trouble = Trouble()
            worker.take_over()
        except StoreUnavailable:
            pass  # the same records come again
        front.trouble = Trouble()
        if step["trouble"] == "restarts":
            worker.take_over()
    owners[0].finish(records)


def trouble_of(step: dict[str, Any]) -> Trouble:
    if step["trouble"] in ("dies", "dies after it landed"):
        return Trouble(dies_at_write=step["at"], after_it_landed=step["trouble"] == "dies after it landed")
    if step["trouble"] in ("store away", "answer lost"):
        names = (*WRITES, "find_raw", "read_panes")
        return Trouble(failing={names[step["at"] % len(names)]: {1}}, landed_first=step["trouble"] == "answer lost")
    return Trouble()


@settings(max_examples=35)
@given(SEEDS, st.lists(STEP, max_size=12))
def test_crashes_repeats_and_double_owners_leave_the_bits_of_one_straight_fold(seed, steps):
    store = MemoryStore()
    live(store, "log", seed, steps)
    straight = fold_straight(registry_of(seed), log_of(scenario(seed).lines))
    assert versioned_panes_of(store, "log") == versioned_panes_of(straight, "straight")


def seeded_steps(seed: int) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    troubles = ["none", "dies", "dies after it landed", "restarts", "store away", "answer lost"]
    return [
        {
            "who": chance.randrange(2),
            "count": chance.randrange(20, 150),
            "flush": chance.random() < 0.7,
            "trouble": chance.choice(troubles),
            "at": chance.randrange(1, 7),
        }
        for _ in range(6)
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["chdb", "http"])
def test_so_they_do_on_an_embedded_store_and_over_http(kind, seed, log_id, request):
    store = request.getfixturevalue(f"{kind}_store")
    live(store, log_id, seed, seeded_steps(seed))
    straight = fold_straight(registry_of(seed), log_of(scenario(seed).lines))
    assert versioned_panes_of(store, log_id) == versioned_panes_of(straight, "straight")


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("write", range(1, 13))
def test_a_crash_between_any_two_writes_costs_nothing(write, landed):
    """Three flushes of four kinds of writes, and death before or after each of them."""
    seed = 5
    records, registry, store = log_of(scenario(seed).lines), registry_of(seed), MemoryStore()
    front = TroubledStore(store, Trouble(dies_at_write=write, after_it_landed=landed))
    worker = Owner(front, "log", registry)
    with pytest.raises(Died):
        flush_three_times(worker, records)
    worker.take_over()
    worker.finish(records)
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


def flush_three_times(worker: Owner, records: list[LogRecord]) -> None:
    for _ in range(3):
        worker.step(records, len(records) // 4, flush=True)


def test_crash_after_raw_and_before_panes_an_event_does_not_find_itself():
    seed = 2
    records, registry, store = log_of(scenario(seed).lines), registry_of(seed), MemoryStore()
    front = TroubledStore(store, Trouble(dies_at_write=1, after_it_landed=True))
    worker = Owner(front, "log", registry)
    with pytest.raises(Died):
        worker.step(records, len(records), flush=True)
    raw = list(store.read_raw("log", 0, last_offset=10**9, since_ms=0, kinds=list(range(10))))
    assert sum(map(len, raw)) > 100, "the raw rows are there"
    assert not store.read_panes("log"), "and no panes"
    worker.take_over()
    worker.finish(records)
    straight = fold_straight(registry, records)
    assert ledger_of(store, "log").duplicates == ledger_of(straight, "straight").duplicates
    assert versioned_panes_of(store, "log") == versioned_panes_of(straight, "straight")


def test_500_events_in_one_record_are_in_a_row_together_or_not_at_all():
    """The record is delivered again to an owner whose stored rows already hold it, between others that they do not hold."""
    seed = 4
    registry = registry_of(seed)
    texts = [record.value for record in log_of(scenario(seed, 150).lines) if record.value and record.value[:1] == b"{"]
    events = [text for text in texts if b"ingest_time" in text and text.endswith(b"}")][:500]
    assert len([json.loads(event) for event in events]) == 500
    batch = [("content-type", b"application/json-batch")]
    records = [
        LogRecord(0, START_MS, events[0]),
        LogRecord(1, START_MS + 9 * 3_600_000, b"[" + b",".join(events) + b"]", None, batch),
        LogRecord(2, START_MS + 9 * 3_600_000, events[1]),
    ]
    store = MemoryStore()
    front = TroubledStore(store, Trouble(dies_at_write=4))  # after the panes, before progress
    worker = Owner(front, "log", registry)
    with pytest.raises(Died):
        worker.step(records, 2, flush=True)
    assert {row.version for row in store.read_panes("log")} >= {1}
    worker.take_over()
    assert worker.owned.offset == -1, "the record comes again"
    worker.finish(records)
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


@pytest.mark.parametrize("method", ["find_raw", "read_panes"])
@pytest.mark.parametrize("call", range(1, 5))
def test_a_look_up_that_fails_leaves_the_fetch_as_if_it_had_not_come(method, call):
    seed = 1
    records, registry, store = log_of(scenario(seed).lines), registry_of(seed), MemoryStore()
    front = TroubledStore(store, Trouble())
    worker = Owner(front, "log", registry)
    front.trouble = Trouble(failing={method: {call}})
    forget_panes(worker)
    failures = 0
    while worker.owned.offset + 1 < len(records):
        try:
            worker.step(records, 60, flush=True)
            forget_panes(worker)
        except StoreUnavailable:
            failures += 1
    assert failures == 1, "the trouble was met"
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


def forget_panes(worker: Owner) -> None:
    """Whatever is stored is read back when it is needed."""
    worker.owned.fold.table._limit = 0
    worker.owned.fold.table.mark_stored([])
    worker.owned.fold.table._complete_from_ms = 2**62


def test_a_flush_writes_nothing_of_a_fetch_that_is_only_prepared():
    seed = 6
    records, registry, store = log_of(scenario(seed).lines), registry_of(seed), MemoryStore()
    front = TroubledStore(store, Trouble())
    worker = owner(front, "log", registry)
    worker.take(decoded(records[:200]))
    forgetful(worker)
    front.trouble = Trouble(failing={"read_panes": {1}})
    with pytest.raises(StoreUnavailable):
        worker.take(decoded(records[200:]))
    worker.flush(accept_all)
    progress = store.read_progress("log")[0]
    straight = fold_straight(registry, records[:200])
    assert progress == straight.read_progress("straight")[0], "offset and clocks are those of what was applied"
    assert versioned_panes_of(store, "log") == versioned_panes_of(straight, "straight")
    worker.take(decoded(records[200:]))
    worker.flush(accept_all)
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


def forgetful(worker: Any) -> None:
    worker.fold.table._complete_from_ms = 2**62


def test_another_fetch_while_one_is_prepared_is_refused():
    records = log_of(scenario(6).lines)
    worker = owner(MemoryStore(), "log", registry_of(6))
    worker.prepare(decoded(records[:10]))
    with pytest.raises(RuntimeError, match="prepared and not applied"):
        worker.prepare(decoded(records[:11]))


def test_rows_that_another_owner_wrote_meanwhile_are_not_added_to_twice():
    """A stale owner reads a row back that the new owner has carried beyond it: its version lies within the next fetch."""
    seed = 3
    records, registry, store = log_of(scenario(seed).lines), registry_of(seed), MemoryStore()
    stale, fresh = Owner(store, "log", registry), Owner(store, "log", registry)
    stale.step(records, 100, flush=True)
    forget_panes(stale)
    fresh.take_over()
    for count in (37, 41, 60):
        fresh.step(records, count, flush=True)
    stale.step(records, len(records), flush=True)
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


KEY = PaneKey("t", "sha256:0", 0, "use.v1", "", 0)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=30))
def test_a_delta_at_or_below_the_version_of_its_row_changes_nothing(deltas):
    table = PaneTable(lambda keys: [], rows=[PaneRow(KEY, 10, [7])])
    version, total = 10, 7
    for offset, count in deltas:
        table.apply([Delta(KEY, offset, np.array([count]))])
        if offset > version:
            version, total = offset, total + count
    (row,) = table.changed() or [PaneRow(KEY, 10, [7])]
    assert (row.version, list(row.counts)) == (version, [total])
