"""What the statistic `BEATS` says of each device: when it beat, through which gateway, and when it was last heard at all.

A beat's code follows from two counts per slot (see `statistics.Beats`): 2 s stands for a beat at the very start of slot s,
2 s + 1 for one inside it, so the last beat as of a multiple of the interval is known exactly.
"""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.mirror import Table, places_of
from surveillance.evaluation.slot_log import NONE, SlotLog
from surveillance.panes.groups import scope_of
from surveillance.panes.statistics import BEAT_SLOTS, Beats


class BeatLog:
    """Devices of one table; a row that changed is read again, all others are left alone."""

    def __init__(self, table: Table, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.table = table
        self.devices: list[str] = []
        self.gateways: list[str] = []
        self.gateway = np.zeros(0, np.int64)
        """Of each device the index of the gateway of its newest beat."""
        self.number: dict[str, int] = {}
        """Device -> its index."""
        self._beats, self._events = SlotLog(), SlotLog()
        self._newest_beat = np.zeros(0, np.int64)
        self._changed = table.subscribe()
        self._of_group: Int = np.zeros((0, 2), np.int64)
        """Device and gateway of each group of the table."""
        self._gateway_number: dict[str, int] = {}
        self._rank = np.zeros(0, np.int64)
        """Of each gateway its place in the order of names."""

    @property
    def first_tick(self) -> int | None:
        """The first multiple of the interval after the first beat that is remembered."""
        code = self._beats.first_slot
        return None if code is None else code // 2 + 1

    def missed(self, ticks: Int) -> Int:
        """Missed beats of each device at each multiple of the interval, (devices, ticks), -1 before its first beat."""
        last = self._beats.newest(2 * ticks, len(self.devices))
        return np.where(last == NONE, NONE, ticks - last // 2 - last % 2)

    def heard_before(self, ticks: Int) -> Int:
        """Slot of the newest event of each device before each tick, (devices, ticks), -1 where there is none."""
        return self._events.newest(ticks - 1, len(self.devices))

    def forget_before(self, tick: int) -> None:
        """Drop what no tick from this one on can see."""
        self._beats.forget_before(2 * tick)
        self._events.forget_before(tick - 1)

    def update(self, judged_tick: int | None) -> bool:
        """Take up changed rows; True where they change what was known at a tick that has been judged."""
        if not self._changed:
            return False
        counts = np.concatenate(list(self._changed.values()))
        rows = places_of(self._changed)
        self._changed.clear()
        self._grow()
        beat, event = self._take(rows, counts.reshape(len(rows), len(Beats), BEAT_SLOTS))
        if judged_tick is None:
            return False
        # All that could be seen at the judged tick is forgotten, so what is no later than it is news there.
        return (beat is not None and beat <= 2 * judged_tick) or (event is not None and event < judged_tick)

    def _take(self, rows: Int, counts: Int) -> tuple[int | None, int | None]:
        """Codes of the earliest beat and the earliest event that were not forgotten yet; `counts` (rows, Beats, slots)."""
        first_slot, of_group = rows[:, 0] // self.interval_ms, self._of_group[rows[:, 1]]
        # A row grows slot by slot, and most of what it holds has been forgotten already.
        begin = self._first_to_read(first_slot, of_group[:, 0])
        fresh = counts[:, :, begin:] > 0
        row, block, at = np.unravel_index(np.flatnonzero(fresh), fresh.shape)
        slot, is_event = first_slot[row] + begin + at, block == Beats.ANY_EVENT
        of_beat, of_event = row[~is_event], row[is_event]
        code = 2 * slot[~is_event] + (block[~is_event] == Beats.INSIDE)
        beat = self._beats.add(of_group[of_beat, 0], code, len(self.devices))
        self._hear_through(of_group[of_beat], code)
        return beat, self._events.add(of_group[of_event, 0], slot[is_event], len(self.devices))

    def _first_to_read(self, first_slot: Int, device: Int) -> int:
        """The first column of the rows that can hold anything of use to any of them."""
        known = np.minimum(self._beats.floor(device) // 2, self._events.floor(device))
        return int(np.clip((known - first_slot).min(), 0, BEAT_SLOTS))

    def _hear_through(self, of_group: Int, code: Int) -> None:
        """The gateway of a device is that of its newest beat; of two that tell of the same beat the greater name."""
        device, gateway = of_group[:, 0], of_group[:, 1]
        if (self.gateway[device] == gateway).all():
            np.maximum.at(self._newest_beat, device, code)
            return
        if len(self._rank) != len(self.gateways):
            self._rank = np.argsort(np.argsort(np.array(self.gateways)))
        order = np.lexsort((self._rank[gateway], code))
        device, gateway, code = device[order], gateway[order], code[order]
        newer = code >= self._newest_beat[device]
        self.gateway[device[newer]] = gateway[newer]
        np.maximum.at(self._newest_beat, device, code)

    def _grow(self) -> None:
        """Know every group of the table."""
        found: list[tuple[int, int]] = []
        for group in self.table.groups[len(self._of_group) :]:
            levels = scope_of(group)
            device = self.number.setdefault(levels["device"], len(self.devices))
            if device == len(self.devices):
                self.devices.append(levels["device"])
            gateway = self._gateway_number.setdefault(levels["gateway"], len(self.gateways))
            if gateway == len(self.gateways):
                self.gateways.append(levels["gateway"])
            found.append((device, gateway))
        if not found:
            return
        self._of_group = np.concatenate([self._of_group, np.array(found, np.int64)])
        missing = len(self.devices) - len(self.gateway)
        self.gateway = np.concatenate([self.gateway, np.zeros(missing, np.int64)])
        self._newest_beat = np.concatenate([self._newest_beat, np.full(missing, NONE)])
