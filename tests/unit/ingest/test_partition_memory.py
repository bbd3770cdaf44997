"""What a partition keeps in memory, and that what it no longer keeps is looked up."""

from __future__ import annotations

import json

import pytest

from surveillance.ingest import partition
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from tests.oracle.streams import START_MS, manifest
from tests.oracle.times import format_time
from tests.property.deciding import inference, outcome
from tests.property.folding import (
    LogRecord,
    Owner,
    Trouble,
    TroubledStore,
    fold_straight,
    ledger_of,
    log_of,
    registration,
    versioned_panes_of,
)

DAY_MS = 86_400_000


def registry_with(**telemetry):
    document = manifest("rm-a", 1, "rel-a")
    document["surveillance"]["telemetry"] |= telemetry
    return Registry([registration(document)])


def feedback(event_id, at_ms):
    return json.dumps(
        {
            "schema": "pms.feedback", "schema_version": 1, "event_id": event_id, "product": "p", "site_id": "s", "device_id": "d",
            "release_id": "rel-a", "event_time": format_time(START_MS + at_ms), "ingest_time": format_time(START_MS + at_ms),
            "feedback_id": "f", "inference_id": "i", "kind": "k", "theme_code": "t", "severity": "low",
        }
    ).encode()  # fmt: skip


def test_a_duplicate_within_a_window_longer_than_memory_is_found_in_the_raw_table():
    """Sixty days of retransmission, registered after memory had been cut to seven."""
    registry, store = registry_with(retransmit_window="P7D"), MemoryStore()
    worker = Owner(store, "log", registry)
    records = log_of([feedback("a", 0), feedback("b", 50 * DAY_MS), feedback("a", 50 * DAY_MS), feedback("a", 115 * DAY_MS)])
    for _ in range(2):
        worker.step(records, 1, flush=True)
    assert len(worker.owned.fold.classifier) == 1, "the first is forgotten"
    longer = manifest("rm-a", 2, "rel-a")
    longer["surveillance"]["telemetry"]["retransmit_window"] = "P60D"
    registry.add(registration(longer, START_MS + 50 * DAY_MS))
    worker.finish(records)
    assert (ledger_of(store, "log").counted, ledger_of(store, "log").duplicates) == (3, 1)


def test_a_label_after_the_horizon_is_joined_from_the_raw_table_as_if_memory_had_kept_it():
    lines = [
        inference("old", 0),
        outcome("first", 1, DAY_MS, of="old"),
        inference("new", 50 * DAY_MS),
        outcome("better", 0, 50 * DAY_MS + 1000, of="old", label_kind="reference_standard"),
        outcome("best", 1, 51 * DAY_MS, of="old", label_kind="reference_standard", revision=3),
    ]
    records, registry, store = log_of(lines), registry_with(), MemoryStore()
    front = TroubledStore(store, Trouble())
    worker = Owner(front, "log", registry)
    for _ in records:
        worker.step(records, 1, flush=True)
    assert front.trouble.calls["find_raw"] == 2, "once for each label that came too late for memory"
    assert len(worker.owned.fold.join.index) <= 2
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


def test_after_a_restart_labels_that_joined_long_ago_do_not_wait():
    lines = [inference("old", 0), outcome("o", 1, 20 * DAY_MS, of="old"), outcome("early", 1, 30 * DAY_MS, of="to come")]
    records, store = log_of([*lines, feedback("f", 50 * DAY_MS)]), MemoryStore()
    worker = Owner(store, "log", registry_with())
    worker.finish(records)
    worker.take_over()
    assert len(worker.owned.fold.join.index.waiting_outcomes) == 1, "the one whose inference has not come"


def test_day_cells_are_left_behind_and_nothing_changes(monkeypatch):
    lines = [line for day in range(30) for line in (inference(day, day * DAY_MS), outcome(day, 1, day * DAY_MS + 1000))]
    records, registry, store = log_of(lines), registry_with(), MemoryStore()
    monkeypatch.setattr(partition, "_MOST_DAY_CELLS", 5)
    worker = Owner(store, "log", registry)
    while worker.owned.offset + 1 < len(records):
        worker.step(records, 2, flush=True)
    assert len(worker.owned.fold._day_table.cells) <= 7
    assert not any("@day" in cell.text for cell in worker.owned.fold.cells.cells)
    monkeypatch.undo()
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


def test_memory_does_not_grow_with_days_that_bring_the_same():
    """A hundred days of the same traffic: every index levels off at its horizon."""
    registry, store = registry_with(), MemoryStore()
    worker = Owner(store, "log", registry)
    sizes = []
    offset = 0
    for day in range(100):
        lines = [inference(f"{day}-{at}", day * DAY_MS + at, encounter_token=f"t{day}-{at}") for at in range(10)]
        lines += [outcome(f"{day}-{at}", 1, day * DAY_MS + 60_000 + at) for at in range(10)]
        records = [LogRecord(offset + at, record.timestamp, record.value) for at, record in enumerate(log_of(lines))]
        offset += len(records)
        fetched = [LogRecord(0, 0, b"")] * (worker.owned.offset + 1) + records
        worker.step(fetched, len(records), flush=True)
        fold = worker.owned.fold
        sizes.append(
            (len(fold.classifier), len(fold.encounters), len(fold.join.index), len(fold.cells.cells), len(fold._pending))
        )
    assert all(late <= 2 * middle for late, middle in zip(sizes[-1], sizes[49], strict=True)), (sizes[49], sizes[-1])
    assert sizes[-1][3] == sizes[1][3]
    assert sizes[-1][4] == 0


def test_forgetting_is_no_matter_of_when_it_flushed():
    """One worker flushed daily, the other never until the end."""
    lines = [line for day in range(60) for line in (inference(day, day * DAY_MS), outcome(day, 1, (day + 40) * DAY_MS))]
    records, registry, store = sorted_by_arrival(lines), registry_with(), MemoryStore()
    worker = Owner(store, "log", registry)
    while worker.owned.offset + 1 < len(records):
        worker.step(records, 3, flush=True)
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


def sorted_by_arrival(lines):
    ordered = sorted(log_of(lines), key=lambda record: record.timestamp)
    return [LogRecord(at, record.timestamp, record.value) for at, record in enumerate(ordered)]


@pytest.mark.parametrize("write", ["write_panes", "write_progress"])
def test_a_flush_that_is_repeated_still_says_which_rows_it_wrote(write):
    records, store = log_of([inference(at, at) for at in range(5)]), MemoryStore()
    front = TroubledStore(store, Trouble())
    worker = Owner(front, "log", registry_with())
    worker.step(records, 5, flush=False)
    front.trouble = Trouble(failing={write: {1}}, landed_first=True)
    with pytest.raises(Exception, match="the store is away"):
        worker.owned.flush(lambda refused, elsewhere: None)
    written = worker.owned.flush(lambda refused, elsewhere: None)
    assert {row.key for row in written} == set(versioned_panes_of(store, "log"))
