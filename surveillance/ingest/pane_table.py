"""The panes of one partition in memory: a bounded cache of the stored rows, and the place where law 2 is kept.

A contribution of the record at offset o is added to a row only if o > version of that row; then version = o.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Int
from surveillance.panes.rows import PaneKey, PaneRow

Loader = Callable[[Sequence[PaneKey]], Sequence[PaneRow]]


class Delta(NamedTuple):
    """What records up to `offset` (the last one among them) add to one row."""

    key: PaneKey
    offset: int
    counts: Int


_ALL = -(2**63)


class _Row:
    __slots__ = ("counts", "version")

    def __init__(self, version: int, counts: Int) -> None:
        self.version, self.counts = version, counts


class PaneTable:
    """Rows by key, at most about `limit` of them; an evicted row is read back through `load` before it is touched again.

    `stored_version` is the largest version among the stored rows as far as they are known: up to it, records are applied one
    by one. It grows when another owner turns out to have written since. `rows` are the stored rows of panes from
    `rows_since_ms` on; older ones are read when they are needed.
    """

    def __init__(
        self,
        load: Loader,
        *,
        stored_version: int = -1,
        rows: Iterable[PaneRow] = (),
        rows_since_ms: int = _ALL,
        limit: int = 200_000,
    ) -> None:
        self._load, self._limit = load, limit
        self.stored_version = stored_version
        self._rows: dict[PaneKey, _Row] = {}
        self._unstored: set[PaneKey] = set()
        for row in rows:
            self._take(row)
        # A row that is not in memory and whose pane starts here or later has never been stored.
        self._complete_from_ms = rows_since_ms
        self._touched: set[PaneKey] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def fetch(self, keys: Iterable[PaneKey]) -> None:
        """Read the rows of these keys that may be stored and are not in memory. Raises StoreUnavailable: nothing has changed."""
        wanted = sorted({key for key in keys if key.pane_ms < self._complete_from_ms and key not in self._rows})
        if wanted:
            for row in self._load(wanted):
                self._take(row)

    def _take(self, row: PaneRow) -> None:
        self._rows[row.key] = _Row(row.version, np.array(row.counts, np.int64))
        self.stored_version = max(self.stored_version, row.version)

    def apply(self, deltas: Sequence[Delta]) -> None:
        """Add deltas, at most one for each key: whole records, all that they add to the row. Their keys were fetched before."""
        for key, offset, counts in deltas:
            row = self._rows.get(key)
            if row is None:
                self._rows[key] = _Row(offset, counts.copy())
            elif offset > row.version:
                row.counts += counts
                row.version = offset
            else:
                continue
            self._unstored.add(key)
            if self._touched is not None:
                self._touched.add(key)

    def changed(self) -> list[PaneRow]:
        """Copies of the rows changed since `mark_stored`, sorted by key."""
        return [PaneRow(key, self._rows[key].version, self._rows[key].counts.copy()) for key in sorted(self._unstored)]

    def take_touched(self) -> list[PaneRow]:
        """Copies of the rows changed since the last call (all of them at the first): for an evaluator in the same thread."""
        keys = self._rows.keys() if self._touched is None else self._touched
        found = [PaneRow(key, self._rows[key].version, self._rows[key].counts.copy()) for key in keys if key in self._rows]
        self._touched = set()
        return found

    def mark_stored(self, rows: Sequence[PaneRow]) -> None:
        """These rows are acknowledged by the store; the oldest panes leave memory when there are too many."""
        for stored in rows:
            row = self._rows.get(stored.key)
            if row is not None and row.version == stored.version:
                self._unstored.discard(stored.key)
        if len(self._rows) > self._limit:
            self._evict()

    def _evict(self) -> None:
        """The oldest panes leave that are stored and that no evaluator waits for."""
        waited_for = self._touched or ()
        clean = sorted((key.pane_ms, key) for key in self._rows if key not in self._unstored and key not in waited_for)
        for pane_ms, key in clean[: len(self._rows) - self._limit // 2]:
            del self._rows[key]
            self._complete_from_ms = max(self._complete_from_ms, pane_ms + 1)
