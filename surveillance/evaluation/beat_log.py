"""What the statistic `BEATS` says of each device: when it beat, through which gateway, and when it was last heard at all.

A beat's code follows from two counts per slot (see `statistics.Beats`): 2 s stands for a beat at the very start of slot s,
2 s + 1 for one inside it, so the last beat as of a multiple of the interval is known exactly.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field

import numpy as np

from surveillance.arrays import Bool, Int
from surveillance.evaluation.mirror import Table
from surveillance.panes.groups import scope_of
from surveillance.panes.statistics import BEAT_SLOTS, Beats


@dataclass(slots=True)
class DeviceBeats:
    """One device: codes of its beats and slots of its events, ascending."""

    gateway: str
    beats: list[int] = field(default_factory=list)
    events: list[int] = field(default_factory=list)

    def missed(self, ticks: Int) -> Int:
        """Missed beats at each multiple of the interval, -1 before the first beat."""
        codes = np.array(self.beats, np.int64)
        if not len(codes):
            return np.full(len(ticks), -1, np.int64)
        at = np.searchsorted(codes, ticks * 2, side="right") - 1
        last = codes[np.maximum(at, 0)]
        return np.where(at < 0, -1, ticks - last // 2 - last % 2)

    def heard_before(self, ticks: Int) -> Int:
        """Slot of the newest event before each tick, -1 where there is none."""
        slots = np.array([-1, *self.events], np.int64)
        return slots[np.searchsorted(slots, ticks) - 1]

    def forget_before(self, tick: int) -> None:
        """Drop what no tick from this one on can see."""
        del self.beats[: max(0, bisect_right(self.beats, 2 * tick) - 1)]
        del self.events[: max(0, bisect_left(self.events, tick) - 1)]


class BeatLog:
    """Devices of one table; a row that changed is read again, all others are left alone."""

    def __init__(self, table: Table, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.table = table
        self.devices: dict[str, DeviceBeats] = {}
        self._changed = table.subscribe()
        self._levels: list[tuple[str, str]] = []
        self._newest_row: dict[int, tuple[int, Bool]] = {}
        """Code of a group -> its newest pane and what was taken of it: a row that grows is not taken whole each time."""

    def update(self, judged_tick: int | None) -> bool:
        """Take up changed rows; True where they change what was known at a tick that has been judged."""
        late = False
        for pane, code in self._changed:
            heard = self.table.panes[pane][code].reshape(len(Beats), BEAT_SLOTS) != 0
            counts = self._unheard(pane, code, heard)
            late |= self._take(code, pane // self.interval_ms, counts, judged_tick)
        self._changed.clear()
        return late

    def _unheard(self, pane: int, code: int, heard: Bool) -> Bool:
        newest = self._newest_row.get(code)
        if newest is None or pane >= newest[0]:
            self._newest_row[code] = (pane, heard)
        return heard & ~newest[1] if newest is not None and newest[0] == pane else heard

    def _take(self, code: int, first_slot: int, counts: Bool, judged_tick: int | None) -> bool:
        while len(self._levels) <= code:
            levels = scope_of(self.table.groups[len(self._levels)])
            self._levels.append((levels["device"], levels["gateway"]))
        name, gateway = self._levels[code]
        device = self.devices.setdefault(name, DeviceBeats(gateway))
        at_start = (first_slot + np.flatnonzero(counts[Beats.AT_START])) * 2
        inside = (first_slot + np.flatnonzero(counts[Beats.INSIDE])) * 2 + 1
        codes = sorted({*at_start.tolist(), *inside.tolist()})
        slots = (first_slot + np.flatnonzero(counts[Beats.ANY_EVENT])).tolist()
        if codes and codes[-1] >= max(device.beats, default=-1):
            device.gateway = gateway
        late = _insert(device.beats, codes, None if judged_tick is None else 2 * judged_tick)
        return _insert(device.events, slots, None if judged_tick is None else judged_tick - 1) or late


def _insert(known: list[int], found: list[int], judged: int | None) -> bool:
    """Add what is not known yet; True where some of it is the newest up to what was judged."""
    late = False
    for one in found:
        at = bisect_left(known, one)
        if at < len(known) and known[at] == one:
            continue
        if judged is not None and one <= judged and (at == len(known) or known[at] > judged):
            late = True
        insort(known, one)
    return late
