"""Rows that left their level of a field for one that was not there before, as an update of firmware moves them.

What is left of the old level is another selection of what it was, and its distribution differs although nothing in it has
changed. The counts of a field alone cannot tell that from a change. Two things can: rows that stay as a whole level of another
field (an update of one vendor, or of one site), whose counts are known on both sides; or an old level that is seen to be as
it was, so that those who left it were like those who stayed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from detectors.estimate import Estimate, Insufficient, Reason
from detectors.share_difference import score_p
from detectors.total_variation import total_variation
from surveillance.arrays import Bool, Int

_LEVEL = 0.01
"""Level of the tests of whether a level lost rows, and of whether what it kept has changed."""

Rows = tuple[Int, Int]
"""Counts (bins,) before and after."""


class Moved(NamedTuple):
    """`before` = counts (levels, bins) of the rows as they were before, at the level that they have now, as far as known; what
    is left of the levels that lost rows stands at the first of them. `lost` = these levels (levels,). `rest_changed` = what
    they kept is not as it was, either."""

    before: Int
    lost: Bool
    rest_changed: bool


def moved_rows(before: Int, after: Int, others: Iterable[Rows]) -> Moved | Insufficient:
    """What the rows of each level were before, from counts (levels, bins) on both sides and those of other fields' levels.

    `unknown_reference` where rows moved to new levels, what was left behind differs, and no other field tells of which rows
    it ever was.
    """
    is_new = ~before.any(axis=1) & after.any(axis=1)
    lost = _lost(before, after) if is_new.any() else np.zeros(len(before), np.bool_)
    if not lost.any():
        return Moved(before, lost, rest_changed=False)
    left, kept = before[lost].sum(axis=0), after[lost].sum(axis=0)
    known = [(was, now) for was, now in others if was.any() and now.any()]
    were = before.copy()
    unknown = []
    for level in np.flatnonzero(is_new).tolist():
        found = _same_rows(after[level], left, known)
        if found is None:
            unknown.append(level)
        else:
            were[level], left = found, left - found
    stayed = _same_rows(kept, left, known) if kept.any() else np.zeros_like(left)
    if len(unknown) == 1 and stayed is not None:
        were[unknown.pop()], left = left - stayed, stayed
    rest_changed = _differ(left, kept)
    if unknown and rest_changed:
        return Insufficient(Reason.UNKNOWN_REFERENCE)
    were[lost] = 0
    were[np.argmax(lost)] = left
    return Moved(were, lost, rest_changed)


def _lost(before: Int, after: Int) -> Bool:
    """Levels whose share of the rows fell by more than chance, (levels,)."""
    had, has = before.sum(axis=1), after.sum(axis=1)
    of_before, of_after = np.full(len(had), float(had.sum())), np.full(len(has), float(has.sum()))
    p = score_p((had.astype(np.float64), of_before), (has.astype(np.float64), of_after))
    fell: Bool = (had * of_after > has * of_before) & (p < _LEVEL)
    return fell


def _same_rows(after: Int, left: Int, known: Iterable[Rows]) -> Int | None:
    """What these rows were before: the counts of the level of another field that has the same counts after, bin by bin, and
    whose rows can have been among those `left`. None where there is none, or there are two that differ."""
    found = {tuple(was.tolist()) for was, now in known if np.array_equal(now, after) and (was <= left).all()}
    return np.array(found.pop(), np.int64) if len(found) == 1 else None


def _differ(before: Int, after: Int) -> bool:
    size = int(before.sum())
    if not size or not after.any():
        return False
    (found,) = total_variation(after[None], before[None] / size, [size])
    return isinstance(found, Estimate) and found.p is not None and found.p < _LEVEL
