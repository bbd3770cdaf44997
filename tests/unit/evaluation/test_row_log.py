"""Rows as columns are those of their table, however they came: late ones in their place, revised ones at their newest."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from surveillance.evaluation.mirror import PaneMirror, TableKey
from surveillance.evaluation.row_log import RowLog
from surveillance.panes.rows import PaneKey, PaneRow
from surveillance.times import MINUTE_MS

PLACES = st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9), st.integers(0, 9))


def row(site: int, pane: int, version: int, counts: tuple[int, int]) -> PaneRow:
    return PaneRow(PaneKey("t", "m", 0, "use.v1", f"site=s{site}", pane * MINUTE_MS), version, np.array(counts, np.int64))


@given(st.lists(st.lists(PLACES, max_size=6), min_size=1, max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_rows_and_their_sums_are_those_of_the_newest_version_of_each_place(batches, first, last):
    mirror = PaneMirror()
    table = mirror.table(TableKey("t", "m", "use.v1", ("site",)))
    log, newest = RowLog(table, 2), {}
    for version, batch in enumerate(batches):
        rows = {(pane, site): (a, b) for site, pane, a, b in batch}
        mirror.apply([row(site, pane, version, counts) for (pane, site), counts in rows.items()])
        newest |= rows
        found = log.rows()
        places = [(pane // MINUTE_MS, table.groups[code]) for pane, code in zip(found.pane_ms.tolist(), found.code, strict=True)]
        assert sorted(zip(places, map(tuple, found.counts.tolist()), strict=True)) == sorted(
            ((pane, f"site=s{site}"), counts) for (pane, site), counts in newest.items()
        )
        assert found.pane_ms.tolist() == sorted(found.pane_ms.tolist())
        inside = found.between(first * MINUTE_MS, last * MINUTE_MS)
        for column in (0, 1):
            assert inside.sums(column, len(table.groups)).tolist() == [
                sum(
                    counts[column] for (pane, site), counts in newest.items() if first <= pane < last and f"site=s{site}" == group
                )
                for group in table.groups
            ]
