"""Law 10: only allow-listed fields are stored; an event with a forbidden field is refused and only its hash is kept."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surveillance.errors import StoreUnavailable
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Store
from tests.oracle.streams import START_MS
from tests.property.folding import LogRecord, Trouble, TroubledStore, decoded, owner, registry_of
from tests.property.test_law03_facts_depend_on_smaller_positions import occurrence

SECRET = "Patient-Zero-4711"
FORBIDDEN = frozenset({"patient_name", "mrn"})
BATCH = [("content-type", b"application/json-batch")]

NAMES = st.sampled_from(sorted(FORBIDDEN))
PLACES = st.sampled_from(["top", "features", "ext", "context", "unknown", "deep", "list"])
FORMS = st.sampled_from(["single", "batch", "escaped", "truncated"])


def event_with(name: str, place: str, number: int) -> dict[str, Any]:
    """An inference that carries a secret under the name, somewhere."""
    event = occurrence("inference", number, number, START_MS, 1)
    within = {
        "top": {name: SECRET},
        "features": {"features": {name: SECRET}},
        "ext": {"ext": {"a": {name: SECRET}}},
        "context": {"context": {"age_years": 50, name: SECRET}},
        "unknown": {"never_declared": {name: SECRET}},
        "deep": {"never_declared": [[{"b": {name: SECRET}}]]},
        "list": {"ext": {"a": [{name: SECRET}, 1]}},
    }
    return event | within[place]


def record_of(event: dict[str, Any], name: str, form: str, offset: int) -> LogRecord:
    text = json.dumps(event)
    if form == "escaped":  # the first letter of the key as an escape
        text = text.replace(f'"{name}"', f'"\\u{ord(name[0]):04x}{name[1:]}"')
    if form == "truncated":
        text = text[:-1]
    if form == "batch":
        other = json.dumps(occurrence("inference", 900 + offset, 900 + offset, START_MS, 0))
        return LogRecord(offset, START_MS, f"[{other},{text}]".encode(), None, BATCH)
    return LogRecord(offset, START_MS, text.encode())


def everything_in(store: Store, log_id: str) -> str:
    """All that a store holds, as text."""
    raw = [asdict(rows) for rows in store.read_raw(log_id, 0, last_offset=10**9, since_ms=-(2**62), kinds=list(range(10)))]
    kept = [rows for rows in [store.find_raw(log_id, 0, event=None, subject=subjects(raw), before=10**9)] if len(rows)]
    panes = [row.key for row in store.read_panes(log_id)]
    return repr((raw, [(rows.payload, rows.cell, rows.event_id) for rows in kept], store.read_quarantine(log_id), panes))


def subjects(raw: list[dict[str, Any]]) -> Any:
    return raw[0]["subject"] if raw else []


@settings(max_examples=60)
@given(st.lists(st.tuples(NAMES, PLACES, FORMS), min_size=1, max_size=6))
def test_a_forbidden_field_is_in_no_table_whatever_it_hides_in(sent):
    store = MemoryStore()
    records = [record_of(event_with(name, place, at), name, form, at) for at, (name, place, form) in enumerate(sent)]
    worker = owner(store, "log", registry_of(0))
    acknowledged: list[Any] = []
    worker.take(decoded(records, forbidden=FORBIDDEN))
    worker.flush(lambda refused, elsewhere: acknowledged.append((refused, elsewhere)))
    assert SECRET not in everything_in(store, "log") + repr(acknowledged)
    refused = store.read_quarantine("log")
    assert {row.reason for row in refused} == {"forbidden_field"}
    assert [row.payload for row in refused] == [None] * len(sent)


def test_only_the_hash_of_a_refused_event_and_its_coordinates_are_kept():
    store = MemoryStore()
    record = record_of(event_with("mrn", "ext", 0), "mrn", "single", 41)
    worker = owner(store, "log", registry_of(0))
    worker.take(decoded([record], forbidden=FORBIDDEN))
    worker.flush(lambda refused, elsewhere: None)
    (row,) = store.read_quarantine("log")
    assert (row.partition, row.offset, row.index, row.payload) == (0, 41, 0, None)
    assert row.sha256 == sha256(record.value or b"").hexdigest()


@settings(max_examples=20)
@given(PLACES.filter(lambda place: place in ("unknown", "deep", "top")))
def test_a_field_that_nobody_declares_is_not_stored_either(place):
    """No name is forbidden here: what is not on the allow-list is left out all the same, and counted."""
    store, event = MemoryStore(), event_with("nickname", place, 0)
    batch = decoded([LogRecord(0, START_MS, json.dumps(event).encode())])
    worker = owner(store, "log", registry_of(0))
    worker.take(batch)
    worker.flush(lambda refused, elsewhere: None)
    assert batch.unknown_fields >= 1
    assert len(batch) == 1, "the event itself counts"
    assert SECRET not in everything_in(store, "log")


def test_an_allowed_field_is_found_by_the_search_that_finds_no_forbidden_one():
    """The tests above look in the right place: what may be stored is there."""
    store, event = MemoryStore(), occurrence("inference", 0, 0, START_MS, 1) | {"output_class": SECRET}
    worker = owner(store, "log", registry_of(0))
    worker.take(decoded([LogRecord(0, START_MS, json.dumps(event).encode())], forbidden=FORBIDDEN))
    worker.flush(lambda refused, elsewhere: None)
    assert SECRET in everything_in(store, "log")


@pytest.mark.parametrize("form", ["single", "batch", "escaped", "truncated"])
def test_nothing_of_it_is_logged_or_in_an_error(form, caplog):
    caplog.set_level(logging.DEBUG)
    record = record_of(event_with("patient_name", "top", 0), "patient_name", form, 0)
    worker = owner(
        TroubledStore(MemoryStore(), Trouble(failing={"write_raw": {1}, "write_quarantine": {1}})), "log", registry_of(0)
    )
    worker.take(decoded([record], forbidden=FORBIDDEN))
    with pytest.raises(StoreUnavailable) as caught:
        worker.flush(lambda refused, elsewhere: None)
    assert SECRET not in caplog.text + str(caught.value) + repr(caught.value)
