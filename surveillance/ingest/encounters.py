"""Encounters and alert onsets: what an inference's token meant on its device in the preceding 24 hours.

An inference opens an encounter unless its token was seen within 24 h; an alert is an onset unless the token's previous
inference within 24 h was an alert. Without a token, every inference is an encounter and every alert an onset. *Preceding* is
said of event time, among the inferences at smaller positions: one that came earlier but happened later does not precede.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surveillance.arrays import Bool, Hashes, Int
from surveillance.times import DAY_MS

_SEEN = np.dtype([("key", "<u8"), ("said", "<i8")])
"""`said` = 2 x event time + alert: 16 aligned bytes, which searches need not copy."""
_NEVER_MS = -(2**62)
_GROWTH = 4
"""As in run_index.py: a run is merged into its older neighbour while that one is less than this many times larger."""

_Seen = NDArray[Any]


class Encounters(NamedTuple):
    """For each inference: whether it opens an encounter, and whether it is an alert onset."""

    opens: Bool
    onset: Bool


class EncounterIndex:
    """Every inference that carried a token and is not expired, in runs sorted by (token, event time, position)."""

    def __init__(self) -> None:
        self._runs: list[_Seen] = []

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    def fold(self, token: Hashes, event_ms: Int, alert: Bool) -> Encounters:
        """Judge inferences in position order and remember them; `token` 0 = none."""
        opens, onset = np.ones(len(token), np.bool_), alert.copy()
        row = np.flatnonzero(token)
        if not len(row):
            return Encounters(opens, onset)
        seen = np.zeros(len(row), _SEEN)
        seen["key"], seen["said"] = token[row], event_ms[row] * 2 + alert[row]
        last_ms, last_alert = self._before(seen)
        _among_themselves(seen, last_ms, last_alert)
        within = _at_ms(seen) - last_ms <= DAY_MS
        opens[row] = ~within
        onset[row] &= ~(within & last_alert)
        self._insert(seen)
        return Encounters(opens, onset)

    def expire(self, before_ms: int) -> None:
        """Forget inferences that precede nothing from `before_ms` (event time) on by 24 h or less."""
        kept: list[_Seen] = []
        for run in self._runs:
            fresh = _at_ms(run) >= before_ms - DAY_MS
            count = np.count_nonzero(fresh)
            if count:
                kept.append(run if 2 * count > len(run) else run[fresh])
        self._runs = kept

    def _insert(self, seen: _Seen) -> None:
        self._runs.append(_sorted(seen))
        while len(self._runs) > 1 and len(self._runs[-2]) < _GROWTH * len(self._runs[-1]):
            newer, older = self._runs.pop(), self._runs.pop()
            self._runs.append(_sorted(np.concatenate([older, newer])))

    def _before(self, wanted: _Seen) -> tuple[Int, Bool]:
        """Event time of the last remembered inference of each token at or before its event time, and whether it was an alert."""
        last_ms, last_alert = np.full(len(wanted), _NEVER_MS, np.int64), np.zeros(len(wanted), np.bool_)
        for run in self._runs:  # from small positions to large: of equal times the larger position is the previous one
            at = _last_not_after(run, wanted)
            better = np.flatnonzero(at >= 0)
            found = run[at[better]]
            newer = _at_ms(found) >= last_ms[better]
            last_ms[better[newer]], last_alert[better[newer]] = _at_ms(found)[newer], found["said"][newer] % 2 == 1
        return last_ms, last_alert


def _at_ms(seen: _Seen) -> Int:
    found: Int = seen["said"] >> 1
    return found


def _sorted(seen: _Seen) -> _Seen:
    """By token and event time; equal ones stay in order of position."""
    return seen[np.lexsort((_at_ms(seen), seen["key"]))]


def _last_not_after(run: _Seen, wanted: _Seen) -> Int:
    """Index in the sorted run of the last entry of the same token with event time <= the wanted one; -1 where there is none."""
    said, most = run["said"], wanted["said"] | 1
    start = np.searchsorted(run["key"], wanted["key"], side="left")
    low, high = start.copy(), np.searchsorted(run["key"], wanted["key"], side="right")
    while (low < high).any():  # as many rounds as the most frequent token has binary digits
        middle = np.minimum((low + high) // 2, len(run) - 1)
        open_, reached = low < high, said[middle] <= most
        low, high = np.where(open_ & reached, middle + 1, low), np.where(open_ & ~reached, middle, high)
    return np.where(low > start, low - 1, -1)


def _among_themselves(seen: _Seen, last_ms: Int, last_alert: Bool) -> None:
    """Better `last_ms` and `last_alert` by the inferences of the same fetch at smaller positions, in place."""
    order = np.argsort(seen["key"], kind="stable")
    key, at_ms = seen["key"][order], _at_ms(seen)[order]
    repeated = np.zeros(len(order), np.bool_)
    repeated[1:] = key[1:] == key[:-1]
    fallen = np.zeros(len(order), np.bool_)
    fallen[1:] = repeated[1:] & (at_ms[1:] < at_ms[:-1])
    out_of_order = np.isin(key, key[fallen])
    before = np.full(len(order), -1, np.int64)
    follows = np.flatnonzero(repeated & ~out_of_order)
    before[follows] = follows - 1
    ahead: list[tuple[int, int]] = []
    for place in np.flatnonzero(out_of_order).tolist():
        if not repeated[place]:
            ahead = []
        at = bisect_right(ahead, (int(at_ms[place]), len(order)))
        before[place] = ahead[at - 1][1] if at else -1
        insort(ahead, (int(at_ms[place]), place))
    here = np.flatnonzero(before >= 0)
    here = here[at_ms[before[here]] >= last_ms[order[here]]]
    earlier = order[before[here]]
    last_ms[order[here]], last_alert[order[here]] = _at_ms(seen)[earlier], seen["said"][earlier] % 2 == 1
