"""Law 3: what an event counts as depends on smaller positions of its partition and on the registrations in force only.

Not on the borders of fetches, not on when memory was given back, and not on a restart. Streams of months bring everything
that memory forgets: duplicates within and beyond their window, labels and revisions after the join's horizon, early ones.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.ingest.classify import Disposition
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from tests.oracle.streams import START_MS, manifest
from tests.oracle.times import format_time
from tests.property.folding import (
    Died,
    LogRecord,
    Owner,
    Trouble,
    TroubledStore,
    accept_all,
    again,
    decoded,
    fold_straight,
    ledger_of,
    log_of,
    registration,
    registry_of,
    scenario,
    versioned_panes_of,
)

DAY_MS, HOUR_MS = 86_400_000, 3_600_000

OCCURRENCE = st.tuples(
    st.sampled_from(["inference", "inference", "outcome", "outcome", "action", "repeat", "tick"]),
    st.integers(0, 12),  # which inference, or which earlier record
    st.sampled_from([0, 1_000, HOUR_MS, DAY_MS, 3 * DAY_MS, 7 * DAY_MS, 20 * DAY_MS, 36 * DAY_MS]),  # passes before it
    st.sampled_from([0, HOUR_MS, 20 * HOUR_MS, 2 * DAY_MS]),  # by so much it is delayed
    st.integers(0, 3),
)
HISTORIES = st.lists(OCCURRENCE, min_size=1, max_size=40)
CUTS = st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["go on", "flush", "flush and restart"])), max_size=40)


@lru_cache(maxsize=1)
def long_registry() -> Registry:
    document = manifest("rm-a", 1, "rel-a")
    document["surveillance"]["telemetry"] |= {"allowed_lateness": "P3D", "retransmit_window": "P7D"}
    return Registry([registration(document)])


def history_log(history: list[Any]) -> list[LogRecord]:
    """One device's months. An inference id is sent with its number, so outcomes may come before it, or never find it."""
    records: list[LogRecord] = []
    now_ms, known = START_MS, set()
    for number, (kind, of, passes_ms, delay_ms, choice) in enumerate(history):
        now_ms += passes_ms
        if kind == "repeat" and records:
            text = records[of % len(records)].value
        elif kind == "inference" and of in known:
            continue  # an inference id is used once
        else:
            known |= {of} if kind == "inference" else set()
            text = json.dumps(occurrence(kind, number, of, now_ms - delay_ms, choice)).encode()
        records.append(LogRecord(len(records), now_ms, text))
    return records


def occurrence(kind: str, number: int, of: int, event_ms: int, choice: int) -> dict[str, Any]:
    schema = {"action": "alert_action", "repeat": "tick"}.get(kind, kind)
    envelope = {
        "schema": f"pms.{schema}", "schema_version": 2, "event_id": f"e-{number}", "product": "p", "site_id": "s",
        "device_id": "d", "release_id": "rel-a", "event_time": format_time(event_ms),
    }  # fmt: skip
    if kind == "inference":
        score = (0.1, 0.45, 0.8, 0.99)[choice]
        said = {"inference_id": f"i-{of}", "score": score, "alert_raised": score > 0.4, "threshold_applied": 0.4, "features": {}}
        return envelope | said | {"encounter_token": f"t-{of % 2}"}
    if kind == "outcome":
        word = ("code", "report", "clinician_read", "reference_standard")[choice]
        said = {"outcome_id": f"o-{number}", "inference_id": f"i-{of}", "label": number % 2, "label_kind": word}
        return envelope | said | {"label_time": envelope["event_time"]}
    if kind == "action":
        word = ("delivered", "ack", "override", "dismiss")[choice]
        said = {"action_id": f"a-{number}", "inference_id": f"i-{of}", "action": word, "action_time": envelope["event_time"]}
        return envelope | said | {"actor_role": "clinician"}
    return envelope


def facts_of(store: Any, log_id: str) -> list[tuple[int, int, int, int]]:
    """(offset, index, disposition, kind) of every raw row."""
    chunks = store.read_raw(log_id, 0, last_offset=10**9, since_ms=-(2**62), kinds=list(range(10)))
    columns = [(rows.offset, rows.index, rows.disposition, rows.kind) for rows in chunks]
    return [tuple(map(int, row)) for chunk in columns for row in zip(*chunk, strict=True)]


@settings(max_examples=150)
@given(HISTORIES, CUTS)
def test_months_with_flushes_and_restarts_equal_one_uninterrupted_fold(history, cuts):
    records, store = history_log(history), MemoryStore()
    worker = Owner(store, "log", long_registry())
    for count, then in cuts:
        worker.step(records, count, flush=then != "go on")
        if then == "flush and restart":
            worker.take_over()
    worker.finish(records)
    straight = fold_straight(long_registry(), records)
    assert facts_of(store, "log") == facts_of(straight, "straight")
    assert versioned_panes_of(store, "log") == versioned_panes_of(straight, "straight")


@settings(max_examples=15)
@given(st.integers(0, 7), st.integers(0, 500))
def test_the_facts_of_a_prefix_are_those_it_has_in_the_whole(seed, length):
    records, registry = log_of(scenario(seed).lines), registry_of(seed)
    prefix = records[: min(length, len(records))]
    whole = [fact for fact in facts_of(fold_straight(registry, records), "straight") if fact[0] < len(prefix)]
    assert facts_of(fold_straight(registry, prefix), "straight") == whole if prefix else True


@settings(max_examples=10)
@given(st.integers(0, 7), st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_a_restart_after_any_flush_changes_nothing(seed, counts):
    records, registry, store = log_of(scenario(seed).lines), registry_of(seed), MemoryStore()
    worker = Owner(store, "log", registry)
    for count in counts:
        worker.step(records, count, flush=True)
        worker.take_over()
    worker.finish(records)
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


def test_manifest_revised_between_two_reads_of_the_same_record():
    """The owner dies after the first read; the next one knows of a revision that came into force after the record."""
    first, second = manifest("rm-a", 1, "rel-a"), manifest("rm-a", 2, "rel-a")
    in_force_ms = START_MS + HOUR_MS
    lines = [inference_line(number, START_MS + number * 10 * 60_000) for number in range(12)]
    records, store = log_of(lines), MemoryStore()
    front = TroubledStore(store, Trouble(dies_at_write=3))
    before = Owner(front, "log", Registry([registration(first)]))
    with pytest.raises(Died):
        before.step(records, 5, flush=True)
    revised = Registry([registration(first), registration(second, in_force_ms)])
    after = Owner(store, "log", revised)
    after.finish(records)
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(revised, records), "straight")
    (rows,) = store.read_raw("log", 0, last_offset=100, since_ms=0, kinds=list(range(10)))
    digests = [registration(document).digest for document in (first, second)]
    assert [digests.index(digest) for digest in rows.manifest_digest] == [0] * 6 + [1] * 6


def inference_line(number: int, at_ms: int) -> bytes:
    document = occurrence("inference", number, number, at_ms, 1)
    return json.dumps(document | {"ingest_time": format_time(at_ms)}).encode()


def test_the_same_id_is_a_duplicate_within_its_window_after_a_restart_and_counts_again_beyond():
    repeats_ms = [0, 6 * DAY_MS, 13 * DAY_MS, 21 * DAY_MS]  # each within or beyond seven days of the one before
    text = json.dumps(occurrence("tick", 0, 0, START_MS, 0) | {"schema": "pms.feedback", "feedback_id": "f", "inference_id": "i"})
    texts = [
        json.dumps(
            json.loads(text) | {"theme_code": "x", "severity": "low", "kind": "other", "event_time": format_time(START_MS + ms)}
        )
        for ms in repeats_ms
    ]
    records = [LogRecord(at, START_MS + ms, one.encode()) for at, (ms, one) in enumerate(zip(repeats_ms, texts, strict=True))]
    store = MemoryStore()
    worker = Owner(store, "log", long_registry())
    for _ in records:
        worker.step(records, 1, flush=True)
        worker.take_over()
    standing = [Disposition(disposition) for _, _, disposition, _ in facts_of(store, "log")]
    assert standing == [Disposition.COUNTED, Disposition.DUPLICATE, Disposition.DUPLICATE, Disposition.COUNTED]
    assert ledger_of(store, "log").duplicates == 2


def test_a_collision_of_hashes_drops_no_event():
    """Every event id has the same hash: only their text in the raw table tells them apart."""
    records = log_of([inference_line(number, START_MS + number * 1000) for number in range(4)])
    store = MemoryStore()
    worker = Owner(store, "log", long_registry())
    for fetch in (records, [again(record, offset=4 + at) for at, record in enumerate(records[:2])]):
        batch = decoded(fetch)
        batch.envelope.ids("event_id").hash[:] = 7
        worker.owned.take(batch)
        worker.owned.flush(accept_all)
    assert (ledger_of(store, "log").counted, ledger_of(store, "log").duplicates) == (4, 2)
