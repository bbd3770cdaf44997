"""Which device did something in which slot of time: a sorted set of (device, slot) pairs, asked about all devices at once."""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Int

NONE = -1


class SlotLog:
    """Devices and slots are numbers from 0. What lies before the newest slot that can still be asked for is forgotten."""

    def __init__(self) -> None:
        self._device = self._slot = np.zeros(0, np.int64)
        self._floor = np.zeros(0, np.int64)
        """Of each device the slot up to which all is forgotten but this one."""

    @property
    def first_slot(self) -> int | None:
        """The earliest slot that is remembered."""
        return int(self._slot.min()) if len(self._slot) else None

    def floor(self, device: Int) -> Int:
        """Of each of these devices the slot before which nothing is taken up any more, -1 where all is."""
        known = device < len(self._floor)
        return np.where(known, self._floor[np.where(known, device, 0)], NONE) if len(self._floor) else np.full(len(device), NONE)

    def add(self, device: Int, slot: Int, devices: int) -> int | None:
        """Remember pairs, known ones among them or not; `devices` = how many there are now.

        Returns the earliest slot that was not forgotten before, None where there is none.
        """
        self._floor = np.concatenate([self._floor, np.full(devices - len(self._floor), NONE)])
        at = np.flatnonzero(slot > self._floor[device])
        if not len(at):
            return None
        news = slot[at]
        both = np.concatenate([self._device, device[at]]), np.concatenate([self._slot, news])
        order = np.lexsort((both[1], both[0]))
        one, other = both[0][order], both[1][order]
        kept = np.ones(len(order), np.bool_)
        kept[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
        self._device, self._slot = one[kept], other[kept]
        return int(news.min())

    def newest(self, through: Int, devices: int) -> Int:
        """Of each device the newest slot at or before each of `through` (T,), shape (devices, T); -1 where there is none.

        >>> log = SlotLog()
        >>> log.add(np.array([0, 1, 0]), np.array([4, 7, 9]), 2)
        >>> log.newest(np.array([3, 8, 9]), 2).tolist()
        [[-1, 4, 9], [-1, 7, 7]]
        """
        if not len(self._slot):
            return np.full((devices, len(through)), NONE, np.int64)
        least = int(self._slot.min()) - 1
        span = int(self._slot.max()) - least + 1
        asked = np.arange(devices)[:, None] * span + np.clip(through - least, 0, span - 1)
        at = np.searchsorted(self._device * span + (self._slot - least), asked, side="right") - 1
        found = np.maximum(at, 0)
        return np.where((at >= 0) & (self._device[found] == np.arange(devices)[:, None]), self._slot[found], NONE)

    def forget_before(self, slot: int) -> None:
        """Drop what nobody can see who asks for this slot or later ones."""
        newest = self.newest(np.array([slot], np.int64), len(self._floor))[:, 0]
        self._floor = np.maximum(self._floor, newest)
        kept = self._slot >= self._floor[self._device]
        self._device, self._slot = self._device[kept], self._slot[kept]
