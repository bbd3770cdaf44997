"""The evaluator's copy of the pane rows, summed over partitions, with what has changed since each reader last looked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Int
from surveillance.evaluation.heard import Heard
from surveillance.evaluation.rollups import Block, Rollups
from surveillance.panes.groups import axes_of
from surveillance.panes.rows import PaneRow
from surveillance.panes.statistics import BEATS

Axes = tuple[str, ...]
Changes = dict[tuple[int, int], Int]
"""Counts by pane and group code."""

_FEW = 12
"""So few groups and panes are added up one by one sooner than in blocks."""


class TableKey(NamedTuple):
    """One statistic by one set of axes, for one tenant and manifest."""

    tenant: str
    manifest_digest: str
    statistic: str
    axes: Axes


class Table:
    """Counts by pane and group of one statistic and set of axes."""

    def __init__(self) -> None:
        self.groups: list[str] = []
        self._code: dict[str, int] = {}
        self.panes: dict[int, dict[int, Int]] = {}
        self._rows: dict[tuple[int, int], dict[int, PaneRow]] = {}
        """Rows as last read: pane and partition -> group -> row."""
        self.row_count = 0
        self.versions: dict[int, dict[int, int]] = {}
        """Pane -> partition -> largest version among its rows: the revision of what was read."""
        self.first_pane: list[int] = []
        """Start of the first pane of each group."""
        self._all_seen_ms = -1
        """Start of a pane at or after which no group is seen first."""
        self.earliest: int | None = None
        """Start of the first pane of any group."""
        self.largest_version: dict[int, int] = {}
        """Partition -> largest version among all rows: the revision of what reads the whole table."""
        self._rollups = Rollups(self.panes)
        self._readers: list[Changes] = []
        self._revised: list[set[int]] = []
        self._totals: list[RunningTotal] = []

    def subscribe(self) -> Changes:
        """What collects the counts of rows that change; the reader empties it."""
        reader = self.everything()
        self._readers.append(reader)
        return reader

    def everything(self) -> Changes:
        """All counts, as a reader has them that knows none yet."""
        return {(pane, code): counts for pane, groups in self.panes.items() for code, counts in groups.items()}

    def subscribe_revisions(self) -> set[int]:
        """A set that collects panes whose revision grows from now on; the reader empties it."""
        reader: set[int] = set()
        self._revised.append(reader)
        return reader

    def keep_total(self, total: RunningTotal) -> None:
        """Tell a running total of every change."""
        self._totals.append(total)

    def code_of(self, group: str) -> int | None:
        """Code of a group, None where it has no rows."""
        return self._code.get(group)

    def enter(self, group: str) -> int:
        """Code of a group, a new one where it has none yet."""
        code = self._code.setdefault(group, len(self.groups))
        if code == len(self.groups):
            self.groups.append(group)
        return code

    def put(self, row: PaneRow, code: int) -> None:
        """Take up a row, unless the same or a newer one of its key is there; `code` = of its group."""
        (_, _, partition, _, _, pane_ms), version = row.key, row.version
        rows = self._rows.get((pane_ms, partition))
        if rows is None:
            rows = self._rows[pane_ms, partition] = {}
        earlier = rows.get(code)
        if earlier is None:
            counted = self._add(row, code)
        elif version > earlier.version:
            pane = self.panes[pane_ms]
            known = pane[code]
            # What stands there is the earlier row itself where no other partition has rows of this group and pane.
            counted = row.counts if known is earlier.counts else known + (row.counts - earlier.counts)
            pane[code] = counted
        else:
            return
        rows[code] = row
        versions = self.versions[pane_ms]
        if version > versions.get(partition, -1):
            versions[partition] = version
            for revised in self._revised:
                revised.add(pane_ms)
            if version > self.largest_version.get(partition, -1):
                self.largest_version[partition] = version
        self._rollups.forget(pane_ms)
        for total in self._totals:
            total.change(row, code, earlier)
        place = pane_ms, code
        for reader in self._readers:
            reader[place] = counted

    def _add(self, row: PaneRow, code: int) -> Int:
        """Count a row of a key that had none; returns what is counted there now."""
        pane_ms = row.key.pane_ms
        pane = self.panes.get(pane_ms)
        if pane is None:
            pane, self.versions[pane_ms] = self.panes.setdefault(pane_ms, {}), {}
            if self.earliest is None or pane_ms < self.earliest:
                self.earliest = pane_ms
        self.row_count += 1
        known = pane.get(code)
        counted = pane[code] = row.counts if known is None else known + row.counts
        if code == len(self.first_pane):
            self.first_pane.append(pane_ms)
            self._all_seen_ms = max(self._all_seen_ms, pane_ms)
        elif pane_ms < self.first_pane[code]:
            self.first_pane[code] = pane_ms
        return counted

    def seen_before(self, end_ms: int) -> Sequence[int]:
        """Codes of the groups that have a row in a pane that starts before this time."""
        if end_ms > self._all_seen_ms:
            return range(len(self.first_pane))
        return [code for code, first_ms in enumerate(self.first_pane) if first_ms < end_ms]

    def sums(self, start_ms: int, end_ms: int, pane_ms: int, length: int) -> Int:
        """Counts of each group over the panes of [start, end), shape (groups, length)."""
        total = np.zeros((len(self.groups), length), np.int64)
        if len(self.groups) <= _FEW and end_ms - start_ms <= _FEW * pane_ms:
            for pane in self.inside(start_ms, end_ms, pane_ms):
                for code, counts in self.panes[pane].items():
                    total[code] += counts
            return total
        for block in self.blocks(start_ms, end_ms, pane_ms):
            total[block.codes] += block.counts
        return total

    def blocks(self, start_ms: int, end_ms: int, pane_ms: int) -> Iterable[Block]:
        """Sums that together hold the panes of [start, end), each once."""
        if (end_ms - start_ms) // pane_ms > len(self.panes):
            return (self._rollups.of_pane(pane) for pane in self.panes if start_ms <= pane < end_ms)
        return self._rollups.covering(start_ms, end_ms, pane_ms)

    def revision(self, start_ms: int, end_ms: int, pane_ms: int) -> dict[int, int]:
        """Largest version per partition among the panes of [start, end)."""
        found: dict[int, int] = {}
        for pane in self.inside(start_ms, end_ms, pane_ms):
            for partition, version in self.versions[pane].items():
                if version > found.get(partition, -1):
                    found[partition] = version
        return found

    def inside(self, start_ms: int, end_ms: int, pane_ms: int) -> Iterable[int]:
        """Panes of [start, end) that hold rows."""
        steps = range(start_ms, end_ms, pane_ms)
        if len(steps) > len(self.panes):
            return sorted(pane for pane in self.panes if start_ms <= pane < end_ms)
        return (pane for pane in steps if pane in self.panes)

    def holds_any(self, start_ms: int, end_ms: int, pane_ms: int) -> bool:
        """Whether a pane of [start, end) holds rows."""
        steps = range(start_ms, end_ms, pane_ms)
        if len(steps) > len(self.panes):
            return any(start_ms <= pane < end_ms for pane in reversed(self.panes))  # the newest first: most often it is one
        return any(pane in self.panes for pane in steps)


class RunningTotal:
    """Sums of a table over every pane before an end that only ever grows; a change to an earlier pane is added when it comes."""

    def __init__(self, table: Table, pane_ms: int, length: int) -> None:
        self._table, self._pane_ms = table, pane_ms
        self._end_ms: int | None = None
        self._counts: Int = np.zeros((0, length), np.int64)
        self.versions: dict[int, int] = {}
        """Partition -> largest version among the rows summed."""
        table.keep_total(self)

    def to(self, end_ms: int) -> Int:
        """Counts of each group over the panes before `end_ms`, shape (groups, length)."""
        self._grow()
        if self._end_ms is None:
            panes: Iterable[int] = [pane for pane in self._table.panes if pane < end_ms]
        else:
            panes = self._table.inside(self._end_ms, end_ms, self._pane_ms)
        for pane in panes:
            for code, counts in self._table.panes[pane].items():
                self._counts[code] += counts
            self.versions = merged((self.versions, self._table.versions[pane]))
        self._end_ms = end_ms if self._end_ms is None else max(self._end_ms, end_ms)
        return self._counts[: len(self._table.groups)].copy()

    def change(self, row: PaneRow, code: int, earlier: PaneRow | None) -> None:
        """A row of the table came, in place of an earlier one."""
        if self._end_ms is not None and row.key.pane_ms < self._end_ms:
            self._grow()
            self._counts[code] += row.counts if earlier is None else row.counts - earlier.counts
            self.versions[row.key.partition] = max(row.version, self.versions.get(row.key.partition, -1))

    def _grow(self) -> None:
        groups = len(self._table.groups)
        if groups > len(self._counts):
            larger = np.zeros((2 * groups, self._counts.shape[1]), np.int64)
            larger[: len(self._counts)] = self._counts
            self._counts = larger


def places_of(changes: Changes) -> Int:
    """Pane and group code of each change, shape (changes, 2), in the order of its counts."""
    return np.fromiter(chain.from_iterable(changes), np.int64, 2 * len(changes)).reshape(-1, 2)


def merged(revisions: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Largest version per partition over several revisions."""
    found: dict[int, int] = {}
    for revision in revisions:
        for partition, version in revision.items():
            if version > found.get(partition, -1):
                found[partition] = version
    return found


def is_within(revision: Mapping[int, int], offsets: Mapping[int, int]) -> bool:
    """Whether everything of a revision stands at one of these offsets by partition, or before."""
    return all(version <= offsets.get(partition, -1) for partition, version in revision.items())


class PaneMirror:
    """Rows as last read, and their sums. Applying a row again, or an older one, changes nothing."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, str, str], tuple[Table, int]] = {}
        """Tenant, manifest, statistic and group -> its table and code."""
        self._tables: dict[TableKey, Table] = {}
        self._heard: dict[tuple[str, str], Heard] = {}
        """By tenant and manifest what their heartbeats say; of all other statistics counts are summed."""

    def __len__(self) -> int:
        """How many rows it holds; of heartbeats, whatever their partitions, one for each group and pane."""
        return sum(table.row_count for table in self._tables.values()) + sum(map(len, self._heard.values()))

    def apply(self, rows: Sequence[PaneRow]) -> None:
        """Take up rows as the store holds them."""
        places = self._places
        beats: dict[tuple[str, str], list[PaneRow]] = {}
        for row in rows:
            tenant, digest, _, statistic, group, _ = row.key
            if statistic == BEATS:
                of_subject = beats.get((tenant, digest))
                if of_subject is None:
                    of_subject = beats[tenant, digest] = []
                of_subject.append(row)
                continue
            place = places.get((tenant, digest, statistic, group))
            if place is None:
                table = self.table(TableKey(tenant, digest, statistic, axes_of(group)))
                place = places[tenant, digest, statistic, group] = table, table.enter(group)
            place[0].put(row, place[1])
        for (tenant, digest), of_subject in beats.items():
            self.heard(tenant, digest).take(of_subject)

    def table(self, key: TableKey) -> Table:
        """The table, empty where no row of it has come."""
        found = self._tables.get(key)
        if found is None:
            found = self._tables[key] = Table()
        return found

    def heard(self, tenant: str, manifest_digest: str) -> Heard:
        """What heartbeats under a manifest say, nothing where none has come."""
        found = self._heard.get((tenant, manifest_digest))
        if found is None:
            found = self._heard[tenant, manifest_digest] = Heard()
        return found

    def tenants(self, manifest_digest: str) -> list[str]:
        """Tenants with rows of a manifest, sorted."""
        heard = [tenant for tenant, digest in self._heard if digest == manifest_digest]
        return sorted({key.tenant for key in self._tables if key.manifest_digest == manifest_digest}.union(heard))

    def totals(self, statistic: str) -> Mapping[str, int]:
        """Sum of the first column by group over every pane and partition: the ledger."""
        found: dict[str, int] = {}
        for table in [table for key, table in self._tables.items() if key.statistic == statistic]:
            for pane in table.panes.values():
                for code, counts in pane.items():
                    found[table.groups[code]] = found.get(table.groups[code], 0) + int(counts[0])
        return found
