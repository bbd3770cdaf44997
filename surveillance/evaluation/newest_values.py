"""The newest number that each device's heartbeats carried, as of a slot of broker time: vectors over all devices at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from surveillance.arrays import Float, Int
from surveillance.evaluation.mirror import Table
from surveillance.panes.groups import scope_of
from surveillance.panes.statistics import BEAT_SLOTS, Lowest

_NEVER = -(2**62)


class DeviceValues(NamedTuple):
    """Devices that have said a number, their gateway (index into `gateways`), and the number; shape (devices,)."""

    device: Int
    gateway: Int
    value: Float


class NewestValues:
    """Numbers of one table of `LOWEST`. `slot_ms` = width of its slots; slots are counted from the epoch.

    What lies before the slot reached is merged into one number for each device and gateway; what lies after it waits.
    """

    def __init__(self, table: Table, slot_ms: int) -> None:
        self._table, self._slot_ms = table, slot_ms
        self._changed = table.subscribe()
        self.devices: list[str] = []
        self.gateways: list[str] = []
        """Sorted: of two gateways that heard a device in one slot the greater name counts."""
        self._device = self._gateway = np.zeros(0, np.int64)
        self._slot, self._value = np.zeros(0, np.int64), np.zeros(0)
        self._waiting = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
        self._newest: DeviceValues | None = None
        """Until a number is merged."""

    def update(self, reached: int | None) -> bool:
        """Take up changed rows; True where they change what was known before the slot reached."""
        if not self._changed:
            return False
        places = sorted(self._changed)
        rows, counts = np.array(places, np.int64), np.stack([self._changed[place] for place in places])
        self._changed.clear()
        self._grow()
        blocks = counts.reshape(len(rows), len(Lowest), BEAT_SLOTS)
        row, at = np.nonzero(blocks[:, Lowest.HEARTBEATS])
        slot, code = rows[row, 0] // self._slot_ms + at, rows[row, 1]
        value = blocks[row, Lowest.SUM_MILLI, at] / blocks[row, Lowest.HEARTBEATS, at]
        known = slot < (_NEVER if reached is None else reached)
        late = self._take(slot[known], code[known], value[known])
        self._wait(slot[~known], code[~known], value[~known])
        return late

    @property
    def first_slot(self) -> int | None:
        """The earliest slot that waits, None where none does."""
        return int(self._waiting[0][0]) if len(self._waiting[0]) else None

    def before(self, slot: int) -> DeviceValues:
        """The newest number of each device from before this slot, which only ever grows."""
        slots, codes, values = self._waiting
        due = int(np.searchsorted(slots, slot))
        if due:
            self._take(slots[:due], codes[:due], values[:due])
            self._waiting = (slots[due:], codes[due:], values[due:])
        if self._newest is None:
            self._newest = self._newest_of_each()
        return self._newest

    def _newest_of_each(self) -> DeviceValues:
        heard = np.flatnonzero(self._slot > _NEVER)
        order = self._slot[heard] * len(self.gateways) + self._gateway[heard]
        newest = np.full(len(self.devices), np.iinfo(np.int64).min)
        np.maximum.at(newest, self._device[heard], order)
        chosen = heard[order == newest[self._device[heard]]]
        return DeviceValues(self._device[chosen], self._gateway[chosen], self._value[chosen])

    def _wait(self, slot: Int, code: Int, value: Float) -> None:
        """Add to what waits, which stands by slot; of a slot that is read again the last reading counts."""
        slots, codes, values = (np.concatenate(pair) for pair in zip(self._waiting, (slot, code, value), strict=True))
        order = np.argsort(slots, kind="stable")
        self._waiting = (slots[order].astype(np.int64), codes[order].astype(np.int64), values[order])

    def _take(self, slot: Int, code: Int, value: Float) -> bool:
        """Merge numbers; True where a newest one changed. Read again, the same slot says the same or has more beats in it."""
        newer = np.flatnonzero(slot >= self._slot[code])
        newer = newer[np.argsort(slot[newer], kind="stable")]
        slots, values = self._slot.copy(), self._value.copy()
        slots[code[newer]], values[code[newer]] = slot[newer], value[newer]  # ascending: the last one written is the newest
        changed = bool((values != self._value).any() or ((slots > _NEVER) != (self._slot > _NEVER)).any())
        self._slot, self._value, self._newest = slots, values, None
        return changed

    def _grow(self) -> None:
        """Know every group of the table."""
        groups = self._table.groups
        missing = len(groups) - len(self._slot)
        if not missing:
            return
        levels = [scope_of(group) for group in groups]
        self.devices = list(dict.fromkeys(one["device"] for one in levels))
        self.gateways = sorted({one["gateway"] for one in levels})
        device, gateway = ({name: at for at, name in enumerate(names)} for names in (self.devices, self.gateways))
        self._device = np.array([device[one["device"]] for one in levels], np.int64)
        self._gateway = np.array([gateway[one["gateway"]] for one in levels], np.int64)
        self._newest = None
        self._slot = np.concatenate([self._slot, np.full(missing, _NEVER)])
        self._value = np.concatenate([self._value, np.zeros(missing)])
