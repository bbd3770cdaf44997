"""A vectorised index from 64-bit hashes to small records: sorted runs, merged like an LSM tree.

Looked up a whole batch at a time with `np.searchsorted`. It is a cache of the raw table: a restarted worker fills it
again, and what has expired from it is looked up there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from surveillance.arrays import Bool, Hashes

Records = NDArray[Any]
_GROWTH = 4
"""A run is merged into its older neighbour while that one is less than this many times larger: fewer runs to search
against more copying. Four keeps ten million entries within about ten runs."""


class RunIndex:
    """Records of one structured dtype that has the fields `key` (uint64) and `at_ms` (int64).

    `newest` says which of several entries with one key is found, and kept when runs merge. Entries before `from_ms` are never
    found: when their memory is given back depends on how runs were merged, what is found must not.
    """

    def __init__(self, dtype: np.dtype[Any], *, newest: bool) -> None:
        self.dtype, self.newest = dtype, newest
        self.from_ms = -(2**63)
        self._runs: list[Records] = []

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    @property
    def nbytes(self) -> int:
        return sum(run.nbytes for run in self._runs)

    def insert(self, records: Records) -> None:
        """Add records, which stand at greater positions than all before them; among themselves in order of position."""
        if not len(records):
            return
        self._runs.append(self._sorted(records))
        while len(self._runs) > 1 and len(self._runs[-2]) < _GROWTH * len(self._runs[-1]):
            newer, older = self._runs.pop(), self._runs.pop()
            both = np.concatenate([older, newer])
            self._runs.append(self._sorted(both[both["at_ms"] >= self.from_ms]))

    def _sorted(self, records: Records) -> Records:
        records = records[np.argsort(records["key"], kind="stable")]
        keys = records["key"]
        keep = np.ones(len(keys), np.bool_)
        if self.newest:
            np.not_equal(keys[1:], keys[:-1], out=keep[:-1])
        else:
            np.not_equal(keys[1:], keys[:-1], out=keep[1:])
        return records if keep.all() else records[keep]

    def find(self, keys: Hashes) -> tuple[Bool, Records]:
        """For each key whether it is there, and its record (zeros where it is not)."""
        found = np.zeros(len(keys), np.bool_)
        records = np.zeros(len(keys), self.dtype)
        pending = np.argsort(keys, kind="stable")
        for run in reversed(self._runs) if self.newest else self._runs:
            if not len(pending):
                break
            if not len(run):
                continue
            wanted = keys[pending]
            at = np.searchsorted(run["key"], wanted)
            at[at == len(run)] = 0
            hit = (run["key"][at] == wanted) & (run["at_ms"][at] >= self.from_ms)
            rows = pending[hit]
            records[rows] = run[at[hit]]
            found[rows] = True
            pending = pending[~hit]
        return found, records

    def expire(self, before_ms: int) -> None:
        """Entries with `at_ms` < `before_ms` are not found any more. A run gives their memory back when most of it is old."""
        self.from_ms = max(self.from_ms, before_ms)
        kept: list[Records] = []
        for run in self._runs:
            fresh = run["at_ms"] >= self.from_ms
            count = np.count_nonzero(fresh)
            if 2 * count > len(run):
                kept.append(run)
            elif count:
                kept.append(run[fresh])
        self._runs = kept
