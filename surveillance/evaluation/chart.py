"""A chart that folds counts in the order of base panes and keeps its state after each, so that a correction folds again
from the corrected pane on and not from the beginning."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Int
from surveillance.panes.statistics import Flow


class ChartState(NamedTuple):
    """After a pane: the statistic, the cases folded so far, and the counts that were mature, and that were seen, by then."""

    s: float
    n: int
    mature: Int
    seen: Int

    @property
    def sees_no_miss(self) -> bool:
        """Whether cases were left unflagged and none of them has ever been labelled: a miss could not show."""
        labelled = self.seen[Flow.NEGATIVES_UNFLAGGED] + self.seen[Flow.POSITIVES_UNFLAGGED]
        return bool(self.seen[Flow.INFERENCES_UNFLAGGED] > 0 and labelled == 0)


Fold = Callable[[ChartState, Int], ChartState | None]
"""State before a pane (what is mature and seen is as of the pane) and the pane's counts -> state after it; None where no case."""

_START = ChartState(0.0, 0, *np.zeros((2, len(Flow)), np.int64))


class Chart:
    """One scope's chart: counts by the pane they fold in, and by the pane from which they count as mature."""

    def __init__(self) -> None:
        self._cases: dict[int, Int] = {}
        self._mature: dict[int, Int] = {}
        self._case_panes: list[int] = []
        self._mature_panes: list[int] = []
        self._panes: list[int] = []
        self._states: list[ChartState] = []
        self._changed_from: int | None = None

    def put_cases(self, pane: int, counts: Int) -> None:
        """Add counts that fold in a pane."""
        self._put(self._cases, self._case_panes, pane, counts)

    def put_mature(self, pane: int, counts: Int) -> None:
        """Add counts that are mature from a pane on."""
        self._put(self._mature, self._mature_panes, pane, counts)

    def _put(self, counted: dict[int, Int], panes: list[int], pane: int, counts: Int) -> None:
        known = counted.get(pane)
        if known is None:
            insort(panes, pane)
        counted[pane] = counts.copy() if known is None else known + counts
        self._changed_from = pane if self._changed_from is None else min(pane, self._changed_from)

    @property
    def last_pane(self) -> int | None:
        """The last pane that folded a case."""
        return self._panes[-1] if self._panes else None

    def state(self, pane: int) -> ChartState | None:
        """State after a pane, None where nothing folded in it."""
        at = bisect_left(self._panes, pane)
        return self._states[at] if at < len(self._panes) and self._panes[at] == pane else None

    def fold_to(self, end_ms: int, pane_ms: int, fold: Fold) -> dict[int, ChartState | None]:
        """Fold every pane that ends by `end_ms`; the states that are new or other than before, None where a pane was emptied."""
        before = self._unfold()
        reached = self._panes[-1] + 1 if self._panes else (self._case_panes[0] if self._case_panes else 0)
        state = self._states[-1] if self._states else _START
        at, absorbed = bisect_left(self._case_panes, reached), self._panes[-1] if self._panes else None
        changed: dict[int, ChartState | None] = {}
        for pane in self._case_panes[at:]:
            if pane + pane_ms > end_ms:
                break
            mature = self._matured_between(absorbed, pane)
            absorbed, state = pane, state._replace(mature=state.mature + mature, seen=state.seen + self._cases[pane])
            after = fold(state, self._cases[pane])
            if after is None:
                continue
            state = after
            self._panes.append(pane)
            self._states.append(state)
            old = before.pop(pane, None)
            if old is None or (old.s, old.n, old.sees_no_miss) != (state.s, state.n, state.sees_no_miss):
                changed[pane] = state
        self._changed_from = None
        return changed | dict.fromkeys(before)

    def _unfold(self) -> dict[int, ChartState]:
        """Take back what folded from the first changed pane on."""
        if self._changed_from is None:
            return {}
        at = bisect_left(self._panes, self._changed_from)
        taken = dict(zip(self._panes[at:], self._states[at:], strict=True))
        del self._panes[at:], self._states[at:]
        return taken

    def _matured_between(self, after: int | None, to: int) -> Int:
        """Counts that became mature in panes (after, to]."""
        first = 0 if after is None else bisect_left(self._mature_panes, after + 1)
        found = np.zeros(len(Flow), np.int64)
        for pane in self._mature_panes[first : bisect_left(self._mature_panes, to + 1)]:
            found += self._mature[pane]
        return found
