"""What the heartbeats of each device say: when it beat, through which gateway, and when it was last heard at all.

A beat's code follows from two counts per slot (see `statistics.Beats`): 2 s stands for a beat at the very start of slot s,
2 s + 1 for one inside it, so the last beat as of a multiple of the interval is known exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.heard import Facts, Heard
from surveillance.evaluation.slot_log import NONE, SlotLog
from surveillance.panes.statistics import BEAT_SLOTS, Beats


class Beaten(NamedTuple):
    """Of each device at each of some ticks, (devices, ticks): missed beats, -1 before its first beat, and the gateway."""

    missed: Int
    gateway: Int
    """Index of the gateway of its newest beat; of two that tell of the same beat that of the greater name."""


class BeatLog:
    """Beats of the devices of one manifest, whose heartbeats come every `interval_ms`."""

    def __init__(self, heard: Heard, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self.heard = heard
        self._beats, self._events = SlotLog(), SlotLog()
        """Of groups, that is of a device through a gateway, and of devices."""
        self._news = heard.subscribe()
        self._by_name = self._rank = np.zeros(0, np.int64)
        """Gateways in the order of their names, and of each gateway its place in it."""

    @property
    def first_tick(self) -> int | None:
        """The first multiple of the interval after the first beat that is remembered."""
        code = self._beats.first_slot
        return None if code is None else code // 2 + 1

    def beaten(self, ticks: Int) -> Beaten:
        """What is known of each device at multiples of the interval (ticks,), from the beats up to each."""
        of_group, gateways = self.heard.of_group, len(self.heard.gateways)
        if not gateways:
            return Beaten(*np.full((2, 0, len(ticks)), NONE))
        if len(self._rank) != gateways:
            self._by_name = np.argsort(np.array(self.heard.gateways))
            self._rank = np.argsort(self._by_name)
        code = self._beats.newest(2 * ticks, len(of_group))
        by_name = np.where(code == NONE, NONE, code * gateways + self._rank[of_group[:, 1]][:, None])
        newest = np.full((len(self.heard.devices), len(ticks)), NONE, np.int64)
        np.maximum.at(newest, of_group[:, 0], by_name)
        last, rank = np.divmod(newest, gateways)
        missed = np.where(newest == NONE, NONE, ticks - last // 2 - last % 2)
        return Beaten(missed, self._by_name[rank])

    def heard_before(self, ticks: Int) -> Int:
        """Slot of the newest event of each device before each tick, (devices, ticks), -1 where there is none."""
        return self._events.newest(ticks - 1, len(self.heard.devices))

    def forget_before(self, tick: int) -> None:
        """Drop what no tick from this one on can see."""
        self._beats.forget_before(2 * tick)
        self._events.forget_before(tick - 1)

    def update(self, judged_tick: int | None) -> bool:
        """Take up what is news; True where it changes what was known at the last tick that was judged."""
        if not self._news:
            return False
        facts = Facts(*(np.concatenate(parts) for parts in zip(*self._news, strict=True)))
        self._news.clear()
        block, at = np.divmod(facts.column, BEAT_SLOTS)
        slot, is_event = facts.pane_ms // self.interval_ms + at, block == Beats.ANY_EVENT
        code = 2 * slot[~is_event] + (block[~is_event] == Beats.INSIDE)
        is_late = judged_tick is not None and bool((code <= 2 * judged_tick).any())
        before = self.beaten(np.array([judged_tick])) if is_late else None
        self._beats.add(facts.group[~is_event], code, len(self.heard.of_group))
        device = self.heard.of_group[facts.group[is_event], 0]
        event = self._events.add(device, slot[is_event], len(self.heard.devices))
        if judged_tick is None:
            return False
        # All of an event that could be seen at the judged tick is forgotten, so what is older than it is news there.
        changed = before is not None and not _same(before, self.beaten(np.array([judged_tick])))
        return changed or (event is not None and event < judged_tick)


def _same(one: Beaten, other: Beaten) -> bool:
    """Whether the same is known of every device that was heard."""
    heard = other.missed != NONE
    return np.array_equal(one.missed, other.missed) and np.array_equal(one.gateway[heard], other.gateway[heard])
