"""The newest labels of each scope: what tells whether its scores are calibrated where its own window has few labels or none.

Labels are late, so the newest window, which is the one that a label-free estimate is for, has fewest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.reaching_back import LONGEST_EXTENSION_MS, gather_back, reach_back
from surveillance.evaluation.window_sums import WindowSums
from surveillance.panes import statistics
from surveillance.times import DAY_MS, floor_to

ENOUGH_LABELS = 200
"""A hundred of each class where they are equally many (Collins et al. 2016, Stat. Med. 35:214)."""


class NewestLabels(NamedTuple):
    """Counts of `LABEL_SCORES` of each scope, (scopes, length), and where what was looked at for them starts, (scopes,)."""

    counts: Int
    reach: Int


def newest_labels(sums: WindowSums, groups: Sequence[str], start_ms: int, end_ms: int) -> NewestLabels | None:
    """Labels of the window [start, end) and of days before it until a group has enough; None where no label has ever come.

    A group that has fewer in 28 days is told by those.
    """
    starts = np.full(len(groups), start_ms, np.int64)
    counts = sums.of_groups(groups, starts, end_ms)
    if counts is None:
        return None
    codes = np.array([-1 if (code := sums.table.code_of(group)) is None else code for group in groups], np.int64)
    begins = _days_before(start_ms, end_ms, sums.pane_ms)
    too_few = reach_back(sums, labels_in, ENOUGH_LABELS, codes, labels_in(counts), starts, begins)
    starts[too_few] = begins[-1] if begins else start_ms
    gather_back(sums, counts, codes, start_ms, np.where(codes < 0, start_ms, starts))
    return NewestLabels(counts, starts)


def _days_before(start_ms: int, end_ms: int, pane_ms: int) -> list[int]:
    """Starts of the days before a window, descending, each at a pane; whole days are few sums, however narrow panes are."""
    days = range(floor_to(start_ms - 1, DAY_MS), end_ms - LONGEST_EXTENSION_MS - 1, -DAY_MS)
    return [begin for begin in (floor_to(day, pane_ms) for day in days) if begin >= end_ms - LONGEST_EXTENSION_MS]


def labels_in(counts: Int) -> Int:
    """How many labels counts of `LABEL_SCORES` hold, (scopes, length) to (scopes,)."""
    found: Int = counts[:, statistics.LABEL_COUNT_AT : statistics.LABEL_SUM_AT].sum(axis=1)
    return found
