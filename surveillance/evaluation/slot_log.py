"""Which device did something in which slot of time: sorted pairs of device and slot, asked about all devices at once."""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Int

NONE = -1
_SLOTS = 2**40
"""More than there are slots: a pair is kept as one number, device * _SLOTS + slot."""


class SlotLog:
    """Devices and slots are numbers from 0. What lies before the newest slot that can still be asked for is forgotten."""

    def __init__(self) -> None:
        self._pairs = np.zeros(0, np.int64)
        self._floor = np.zeros(0, np.int64)
        """Of each device the slot up to which all is forgotten but this one."""

    @property
    def first_slot(self) -> int | None:
        """The earliest slot that is remembered."""
        return int((self._pairs % _SLOTS).min()) if len(self._pairs) else None

    def add(self, device: Int, slot: Int, devices: int) -> int | None:
        """Remember pairs; `devices` = how many there are now.

        Returns the earliest slot that was not forgotten before, None where there is none.
        """
        if devices > len(self._floor):
            self._floor = np.concatenate([self._floor, np.full(devices - len(self._floor), NONE)])
        at = np.flatnonzero(slot > self._floor[device])
        if not len(at):
            return None
        news = slot[at]
        self._pairs = np.concatenate([self._pairs, device[at] * _SLOTS + news])
        self._pairs.sort(kind="stable")  # two runs that are sorted already, most often
        return int(news.min())

    def newest(self, through: Int, devices: int) -> Int:
        """Of each device the newest slot at or before each of `through` (T,), shape (devices, T); -1 where there is none.

        >>> log = SlotLog()
        >>> log.add(np.array([0, 1, 0]), np.array([4, 7, 9]), 2)
        4
        >>> log.newest(np.array([3, 8, 9]), 2).tolist()
        [[-1, 4, 9], [-1, 7, 7]]
        """
        if not len(self._pairs):
            return np.full((devices, len(through)), NONE, np.int64)
        least = (np.arange(devices) * _SLOTS)[:, None]
        at = np.searchsorted(self._pairs, least + np.maximum(through, NONE), side="right") - 1
        slot = self._pairs[np.maximum(at, 0)] - least
        return np.where((at >= 0) & (slot >= 0), slot, NONE)

    def forget_before(self, slot: int) -> None:
        """Drop what nobody can see who asks for this slot or later ones."""
        self._floor = np.maximum(self._floor, self.newest(np.array([slot], np.int64), len(self._floor))[:, 0])
        device, at = np.divmod(self._pairs, _SLOTS)
        self._pairs = self._pairs[at >= self._floor[device]]
