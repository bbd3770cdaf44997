"""Revisions of everything before an end are those of a plain look at every row, in whatever order rows come."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from surveillance.evaluation.mirror import PaneMirror, Table, TableKey
from surveillance.evaluation.revision_through import RevisionThrough
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.times import DAY_MS, HOUR_MS, MINUTE_MS

PANE_MS = {"narrow": 5 * MINUTE_MS, "hour": HOUR_MS, "wide": 8 * HOUR_MS, "odd": 7 * MINUTE_MS}
START_MS = 20_000 * DAY_MS
DAYS = 4


def row(statistic: str, at_ms: int, version: int, partition: int = 0, group: str = "") -> PaneRow:
    """A row of the pane that holds a time."""
    pane_ms = START_MS + at_ms - (START_MS + at_ms) % PANE_MS[statistic]
    return PaneRow(PaneKey("t", "sha256:1", partition, statistic, group, pane_ms), version, np.ones(1, np.int64))


def tables_of(mirror: PaneMirror) -> list[tuple[Table, int]]:
    return [(mirror.table(TableKey("t", "sha256:1", name, ())), width) for name, width in PANE_MS.items()]


def plain(tables: Iterable[tuple[Table, int]], end_ms: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for table, _ in tables:
        for pane, versions in table.versions.items():
            for partition, version in versions.items() if pane < end_ms else ():
                found[partition] = max(version, found.get(partition, -1))
    return found


ROWS = st.builds(
    row, st.sampled_from(sorted(PANE_MS)), st.integers(0, DAYS * DAY_MS - 1), st.integers(0, 50), st.integers(0, 2),
    st.sampled_from(["", "a"]),
)  # fmt: skip
ENDS = st.integers(-1, DAYS * 24 * 60 + 1).map(lambda minutes: START_MS + minutes * MINUTE_MS)


@given(st.lists(st.tuples(st.lists(ROWS, max_size=6), st.lists(ENDS, max_size=4)), min_size=1, max_size=12))
def test_it_is_what_a_plain_look_at_every_row_gives(steps: list[tuple[list[PaneRow], list[int]]]) -> None:
    mirror = PaneMirror()
    tables = tables_of(mirror)
    revision = RevisionThrough(tables)
    told: list[tuple[int, dict[int, int], object]] = []
    for rows, ends in steps:
        mirror.apply(rows)
        for end_ms in ends:
            found = revision.to(end_ms)
            assert found == plain(tables, end_ms)
            told.append((end_ms, dict(found), found))
    assert all(then == now for _, then, now in told), "what was given is never changed"


def test_rows_that_were_there_before_it_count() -> None:
    mirror = PaneMirror()
    mirror.apply([row("narrow", HOUR_MS, 7), row("hour", 2 * HOUR_MS, 9)])
    revision = RevisionThrough(tables_of(mirror))
    assert [revision.to(START_MS + hour * HOUR_MS) for hour in (1, 2, 3)] == [{}, {0: 7}, {0: 9}]


class Counted(Table):
    """Counts the panes that are looked at."""

    looked_at = 0

    def revision(self, start_ms: int, end_ms: int, pane_ms: int) -> dict[int, int]:
        self.looked_at += (end_ms - start_ms) // pane_ms
        return super().revision(start_ms, end_ms, pane_ms)


def test_ends_that_grow_look_at_each_pane_once_and_a_late_row_at_no_more_than_the_panes_of_a_day() -> None:
    pane_ms, panes = PANE_MS["narrow"], 30 * DAY_MS // PANE_MS["narrow"]
    table = Counted()
    code = table.enter("")
    revision = RevisionThrough([(table, pane_ms)])
    for at in range(panes):
        table.put(row("narrow", at * pane_ms, at), code)
        revision.to(START_MS + (at + 1) * pane_ms)
    assert table.looked_at == panes
    late_ms, version = 3 * DAY_MS + 7 * HOUR_MS, panes + 1
    table.put(row("narrow", late_ms, version), code)
    assert revision.to(START_MS + panes * pane_ms) == {0: version}
    assert table.looked_at == panes
    assert revision.to(START_MS + late_ms) == {0: late_ms // pane_ms - 1}
    assert revision.to(START_MS + late_ms + pane_ms) == {0: version}
    assert table.looked_at == panes + 7 * HOUR_MS // pane_ms + 1
