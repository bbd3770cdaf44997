"""What the heartbeats of each device say: when it beat, through which gateway, and when it was last heard at all.

A beat's code follows from two counts per slot (see `statistics.Beats`): 2 s stands for a beat at the very start of slot s,
2 s + 1 for one inside it, so the last beat as of a multiple of the interval is known exactly.
"""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.heard import Facts, Heard
from surveillance.evaluation.slot_log import NONE, SlotLog
from surveillance.panes.statistics import BEAT_SLOTS, Beats


class BeatLog:
    """Beats of the devices of one manifest, whose heartbeats come every `interval_ms`."""

    def __init__(self, heard: Heard, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.heard = heard
        self.gateway = np.zeros(0, np.int64)
        """Of each device the index of the gateway of its newest beat."""
        self._beats, self._events = SlotLog(), SlotLog()
        self._newest_beat = np.zeros(0, np.int64)
        self._news = heard.subscribe()
        self._rank = np.zeros(0, np.int64)
        """Of each gateway its place in the order of names."""

    @property
    def first_tick(self) -> int | None:
        """The first multiple of the interval after the first beat that is remembered."""
        code = self._beats.first_slot
        return None if code is None else code // 2 + 1

    def missed(self, ticks: Int) -> Int:
        """Missed beats of each device at each multiple of the interval, (devices, ticks), -1 before its first beat."""
        last = self._beats.newest(2 * ticks, len(self.heard.devices))
        return np.where(last == NONE, NONE, ticks - last // 2 - last % 2)

    def heard_before(self, ticks: Int) -> Int:
        """Slot of the newest event of each device before each tick, (devices, ticks), -1 where there is none."""
        return self._events.newest(ticks - 1, len(self.heard.devices))

    def forget_before(self, tick: int) -> None:
        """Drop what no tick from this one on can see."""
        self._beats.forget_before(2 * tick)
        self._events.forget_before(tick - 1)

    def update(self, judged_tick: int | None) -> bool:
        """Take up what is news; True where it changes what was known at a tick that has been judged."""
        if not self._news:
            return False
        group, pane_ms, column = (np.concatenate(parts) for parts in zip(*self._news, strict=True))
        self._news.clear()
        self._grow()
        beat, event = self._take(Facts(group, pane_ms, column))
        if judged_tick is None:
            return False
        # All that could be seen at the judged tick is forgotten, so what is no later than it is news there.
        return (beat is not None and beat <= 2 * judged_tick) or (event is not None and event < judged_tick)

    def _take(self, facts: Facts) -> tuple[int | None, int | None]:
        """Codes of the earliest beat and the earliest event that were not forgotten yet."""
        block, at = np.divmod(facts.column, BEAT_SLOTS)
        slot, of_group = facts.pane_ms // self.interval_ms + at, self.heard.of_group[facts.group]
        is_event, devices = block == Beats.ANY_EVENT, len(self.heard.devices)
        of_beat = of_group[~is_event]
        code = 2 * slot[~is_event] + (block[~is_event] == Beats.INSIDE)
        self._hear_through(of_beat, code)
        beat = self._beats.add(of_beat[:, 0], code, devices)
        return beat, self._events.add(of_group[is_event, 0], slot[is_event], devices)

    def _hear_through(self, of_group: Int, code: Int) -> None:
        """The gateway of a device is that of its newest beat; of two that tell of the same beat the greater name."""
        device, gateway = of_group[:, 0], of_group[:, 1]
        if (self.gateway[device] == gateway).all():
            np.maximum.at(self._newest_beat, device, code)
            return
        if len(self._rank) != len(self.heard.gateways):
            self._rank = np.argsort(np.argsort(np.array(self.heard.gateways)))
        newest, standing = self._newest_beat[device], self._rank[self.gateway[device]]
        newer = np.flatnonzero((code > newest) | ((code == newest) & (self._rank[gateway] > standing)))
        newer = newer[np.lexsort((self._rank[gateway[newer]], code[newer]))]
        # Ascending: the last one written is the newest.
        self.gateway[device[newer]], self._newest_beat[device[newer]] = gateway[newer], code[newer]

    def _grow(self) -> None:
        """Know every device that was heard."""
        missing = len(self.heard.devices) - len(self.gateway)
        if missing:
            self.gateway = np.concatenate([self.gateway, np.zeros(missing, np.int64)])
            self._newest_beat = np.concatenate([self._newest_beat, np.full(missing, NONE)])
