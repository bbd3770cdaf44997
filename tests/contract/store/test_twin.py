"""The memory twin and chDB answer alike, whatever was written in whatever order."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from surveillance.panes.rows import PaneRow
from surveillance.store.memory import MemoryStore
from surveillance.store.protocol import Progress, Store
from tests.contract.store.rows import T0, as_panes, as_rows, pane, raw_rows

_NUMBERS = itertools.count()
SLOW = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])

small = st.integers(0, 3)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
panes = st.builds(
    lambda group, partition, slot, version: pane(
        group, partition=partition, pane_ms=T0 + 60_000 * slot, version=version, counts=(version, slot)
    ),
    texts,
    small,
    small,
    st.integers(0, 9),
)


def alike(versions: list[PaneRow]) -> list[PaneRow]:
    """Equal keys and versions carry equal bytes, as the protocol asks."""
    return list({(row.key, row.version): row for row in versions}.values())


pane_writes = st.lists(st.lists(panes, max_size=8), max_size=5)
positions = st.lists(st.tuples(st.integers(0, 20), small), max_size=10, unique=True)
progress = st.builds(Progress, small, st.integers(-1, 3), small, st.integers(-2, 2), st.sampled_from(["", "stopped"]))


@SLOW
@given(writes=pane_writes, above=st.dictionaries(small, st.integers(-1, 9)), since=small)
def test_panes(chdb_store: Store, log_id: str, writes: list[list[PaneRow]], above: dict[int, int], since: int) -> None:
    twin, log = MemoryStore(), f"{log_id}/{next(_NUMBERS)}"
    for rows in writes:
        for store in (twin, chdb_store):
            store.write_panes(log, alike(rows))
    keys = [row.key for rows in writes for row in rows][::2]
    conditions: list[dict[str, Any]] = [
        {},
        {"above": above},
        {"since_ms": T0 + 60_000 * since},
        {"partition": since},
        {"keys": keys},
    ]
    for asked in [*conditions, {"keys": keys, "above": above}, {"partition": since, "above": above}]:
        assert as_panes(twin.read_panes(log, **asked)) == as_panes(chdb_store.read_panes(log, **asked))
    for number in range(4):
        assert twin.max_pane_version(log, number) == chdb_store.max_pane_version(log, number)


@SLOW
@given(writes=st.lists(positions, max_size=5), last=st.integers(-1, 21), since=small)
def test_raw_rows(chdb_store: Store, log_id: str, writes: list[list[tuple[int, int]]], last: int, since: int) -> None:
    twin, log = MemoryStore(), f"{log_id}/{next(_NUMBERS)}"
    for written in writes:
        for store in (twin, chdb_store):
            store.write_raw(log, raw_rows(sorted(written)))
    asked = raw_rows([(offset, 1) for offset in range(0, 20, 3)])
    answers = []
    for store in (twin, chdb_store):
        chunks = store.read_raw(log, 0, last_offset=last, since_ms=T0 + since * 1_000, kinds=[0, 2])
        read = [row for chunk in chunks for row in as_rows(chunk)]
        found = store.find_raw(log, 0, event=asked.event, subject=asked.subject[:3], before=last, since_ms=T0 + since * 1_000)
        answers.append((read, as_rows(found)))
    assert answers[0] == answers[1]


@SLOW
@given(writes=st.lists(progress, max_size=8))
def test_progress(chdb_store: Store, log_id: str, writes: list[Progress]) -> None:
    twin, log = MemoryStore(), f"{log_id}/{next(_NUMBERS)}"
    for written in writes:
        for store in (twin, chdb_store):
            store.write_progress(log, written)
    assert dict(twin.read_progress(log)) == dict(chdb_store.read_progress(log))
