"""Law 1: panes are integers and merge by addition, so no splitting, batching, flushing or partitioning changes a bit."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.events.partitioning import partition_of
from surveillance.panes.statistics import USE, Use
from surveillance.store.memory import MemoryStore
from tests.oracle.ledger import Ledger as OracleLedger
from tests.oracle.policy import Registry as OracleRegistry
from tests.property.folding import (
    LogRecord,
    Owner,
    accept_all,
    again,
    decoded,
    fold_straight,
    ledger_of,
    log_of,
    owner,
    panes_of,
    registry_of,
    scenario,
    versioned_panes_of,
)

SEEDS = st.integers(0, 11)
STEPS = st.lists(st.tuples(st.integers(1, 120), st.booleans()), max_size=15)


@settings(max_examples=30)
@given(SEEDS, STEPS)
def test_any_split_into_fetches_and_flushes_gives_the_same_bits(seed, steps):
    records, registry, store = log_of(scenario(seed).lines), registry_of(seed), MemoryStore()
    worker = Owner(store, "log", registry)
    for count, flush in steps:
        worker.step(records, count, flush)
    worker.finish(records)
    assert versioned_panes_of(store, "log") == versioned_panes_of(fold_straight(registry, records), "straight")


@settings(max_examples=25)
@given(SEEDS, st.data())
def test_events_in_json_batches_count_as_events_sent_one_by_one(seed, data):
    """The records of both logs bear the same broker times, so only the batching differs."""
    registry = registry_of(seed)
    readable = [record for record in log_of(scenario(seed).lines) if record.value and is_object(record.value)]
    single, batched = [], []
    at = 0
    while at < len(readable):
        size = data.draw(st.integers(1, 40))
        together = readable[at : at + size]
        broker_ms = together[-1].timestamp
        single += [again(record, offset=len(single) + number, timestamp=broker_ms) for number, record in enumerate(together)]
        body = b"[" + b",".join(record.value for record in together) + b"]"
        batched.append(LogRecord(len(batched), broker_ms, body, None, [("content-type", b"application/json-batch")]))
        at += size
    assert panes_of(fold_straight(registry, batched), "straight") == panes_of(fold_straight(registry, single), "straight")


def is_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


@settings(max_examples=12)
@given(SEEDS, st.integers(2, 5))
def test_partitions_add_up_to_the_whole(seed, partitions):
    """Devices keep their order in whichever partition they are, so sums over partitions are those of one."""
    registry, store = registry_of(seed), MemoryStore()
    records = [record for record in log_of(scenario(seed).lines) if record.value and is_object(record.value)]
    home = [partition_of(json.loads(record.value).get("device_id", ""), partitions) for record in records]
    for partition in range(partitions):
        mine = [record for record, at in zip(records, home, strict=True) if at == partition]
        mine = [again(record, offset=number) for number, record in enumerate(mine)]
        worker = owner(store, "log", registry, partition=partition, partitions=partitions)
        if mine:
            worker.take(decoded(mine, partition=partition))
        worker.flush(accept_all)
    total: Counter = Counter()
    for key, counts in panes_of(store, "log").items():
        merged = key._replace(partition=0)
        for column, count in enumerate(counts):
            if count:
                total[merged, column] += count
    whole = panes_of(fold_straight(registry, records), "straight")
    expected = {(key, column): count for key, counts in whole.items() for column, count in enumerate(counts) if count}
    assert {at: count for at, count in total.items() if count} == expected


@settings(max_examples=12)
@given(SEEDS)
def test_panes_hold_what_the_oracle_counts_event_by_event(seed):
    found = scenario(seed)
    oracle = OracleLedger(OracleRegistry(found.manifests))
    for line in found.lines:
        oracle.feed(line)
    store = fold_straight(registry_of(seed), log_of(found.lines))
    ledger = ledger_of(store, "straight")
    counted = ledger.counted, ledger.duplicates, ledger.late, dict(ledger.quarantined)
    assert counted == (
        oracle.summary["counted"],
        oracle.summary["duplicates"],
        oracle.summary["late"],
        dict(oracle.quarantined),
    )
    totals: dict[str, np.ndarray] = {}
    for row in store.read_panes("straight"):
        if row.key.statistic == USE and row.key.group == "":
            totals[row.key.manifest_digest] = totals.get(row.key.manifest_digest, 0) + row.counts
    assert {digest: dict(zip(Use, counts.tolist(), strict=True)) for digest, counts in totals.items()} == uses_of(oracle)


def uses_of(oracle: OracleLedger) -> dict[str, dict[Use, int]]:
    """The counting words of contract/semantics.md, from the oracle's events."""
    found: dict[str, dict[Use, int]] = {}
    for event in oracle.events:
        if event.kind != "pms.inference" or event.standing != "counted" or not event.field_use:
            continue
        said = {
            Use.INFERENCES: True,
            Use.ENCOUNTERS: event.encounter,
            Use.ALERTS: event.alert,
            Use.ALERT_ONSETS: event.onset,
            Use.ACTIONED_ALERTS: event.actioned,
            Use.OVERRIDES: event.alert and "override" in event.actions,
            Use.DISMISSALS: event.alert and "dismiss" in event.actions,
            Use.ACKS: event.alert and "ack" in event.actions,
            Use.DELIVERED: event.alert and "delivered" in event.actions,
            Use.ABSTAINED: event.document.get("abstained") is True,
            Use.INELIGIBLE: False,
            Use.LABELLED: bool(event.labels),
        }
        counts = found.setdefault(event.policy.digest, dict.fromkeys(Use, 0))
        for word, holds in said.items():
            counts[word] += bool(holds)
    return found


def test_every_stored_count_is_a_64_bit_integer():
    store = fold_straight(registry_of(3), log_of(scenario(3).lines))
    rows = store.read_panes("straight")
    assert len(rows) > 100
    assert {row.counts.dtype for row in rows} == {np.dtype(np.int64)}
