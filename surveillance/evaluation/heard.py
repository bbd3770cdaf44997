"""What rows of `BEATS` say: in which slots a device was heard, and through which gateway.

Such a count says whether, never how often, and a row says again what the one before it said. So nothing is summed: rows add
to a set of facts, and every reader is told each fact once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Bool, Int
from surveillance.panes.groups import scope_of
from surveillance.panes.rows import PaneRow
from surveillance.panes.statistics import BEATS_LENGTH


class Facts(NamedTuple):
    """Columns of `BEATS` that are not zero, each (facts,): the group, the pane's start and the column."""

    group: Int
    pane_ms: Int
    column: Int


class Heard:
    """The devices of one tenant and manifest."""

    def __init__(self) -> None:
        self.devices: list[str] = []
        self.gateways: list[str] = []
        self.number: dict[str, int] = {}
        """Device -> its index."""
        self.largest_version: dict[int, int] = {}
        """Partition -> largest version among all rows: the revision of what reads them."""
        self._code: dict[str, int] = {}
        self._pairs: list[tuple[int, int]] = []
        self._of_group: Int = np.zeros((0, 2), np.int64)
        self._gateway_number: dict[str, int] = {}
        self._places: dict[int, dict[str, int]] = {}
        """Pane -> group -> its row of the three arrays that follow, whose last rows are spare."""
        self._is_known: Bool = np.zeros((0, BEATS_LENGTH), np.bool_)
        self._pane_ms = self._group = np.zeros(0, np.int64)
        self._count = 0
        self._readers: list[list[Facts]] = []

    def __len__(self) -> int:
        """How many groups and panes have a row."""
        return self._count

    @property
    def of_group(self) -> Int:
        """Device and gateway of each group, shape (groups, 2)."""
        if len(self._of_group) < len(self._pairs):
            self._of_group = np.array(self._pairs, np.int64)
        return self._of_group

    def subscribe(self) -> list[Facts]:
        """What collects facts, from all that are known on; the reader empties it."""
        at, column = np.nonzero(self._is_known[: self._count])
        reader = [Facts(self._group[at], self._pane_ms[at], column)]
        self._readers.append(reader)
        return reader

    def take(self, rows: Sequence[PaneRow]) -> None:
        """Take up rows, in any order: an older row of a key says nothing that a newer one does not say."""
        at = np.array(self._places_of(rows), np.int64)
        counts = np.concatenate([row.counts for row in rows]).reshape(len(rows), BEATS_LENGTH)
        row, column = np.divmod(np.flatnonzero((counts > 0) > self._is_known[at]), BEATS_LENGTH)
        if len(row):
            news = np.sort(at[row] * BEATS_LENGTH + column)
            is_first = np.append(True, news[1:] > news[:-1])  # two rows of one key say the same things
            place, column = np.divmod(news[is_first], BEATS_LENGTH)
            self._is_known[place, column] = True
            for reader in self._readers:
                reader.append(Facts(self._group[place], self._pane_ms[place], column))

    def _places_of(self, rows: Sequence[PaneRow]) -> list[int]:
        """The place of each row's group and pane."""
        panes, largest, found = self._places, self.largest_version, []
        for row in rows:
            _, _, partition, _, group, pane_ms = row.key
            of_pane = panes.get(pane_ms)
            if of_pane is None:
                of_pane = panes[pane_ms] = {}
            place = of_pane.get(group)
            if place is None:
                place = of_pane[group] = self._new_place(group, pane_ms)
            found.append(place)
            version = row.version
            if version > largest.get(partition, -1):
                largest[partition] = version
        return found

    def _new_place(self, group: str, pane_ms: int) -> int:
        """A place for a group and pane of which there was no row."""
        place = self._count
        if place == len(self._group):
            spare = np.zeros(max(64, place), np.int64)
            self._is_known = np.concatenate([self._is_known, np.zeros((len(spare), BEATS_LENGTH), np.bool_)])
            self._group, self._pane_ms = np.concatenate([self._group, spare]), np.concatenate([self._pane_ms, spare])
        self._group[place], self._pane_ms[place] = self._enter(group), pane_ms
        self._count += 1
        return place

    def _enter(self, group: str) -> int:
        """Index of a group, a new one where it has none yet."""
        code = self._code.setdefault(group, len(self._code))
        if code == len(self._pairs):
            levels = scope_of(group)
            device = self.number.setdefault(levels["device"], len(self.devices))
            if device == len(self.devices):
                self.devices.append(levels["device"])
            gateway = self._gateway_number.setdefault(levels["gateway"], len(self.gateways))
            if gateway == len(self.gateways):
                self.gateways.append(levels["gateway"])
            self._pairs.append((device, gateway))
        return code
