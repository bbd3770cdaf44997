"""The join of one partition with its bound: inferences in memory, and beyond them those that only the raw table has.

Looking up and folding are two calls. `look_up` may fail and changes nothing; `fold` reads nothing and cannot fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from surveillance.arrays import Bool, Hashes
from surveillance.events.batch import EventBatch, Kind
from surveillance.ingest.cells import CellTable
from surveillance.ingest.classify import Disposition
from surveillance.ingest.field_use import VERIFIED
from surveillance.ingest.join import Inferences, Joined, JoinIndex, Reports
from surveillance.ingest.raw import replayed
from surveillance.registry import Registration, Registry
from surveillance.store.protocol import RawRows
from surveillance.store.raw_columns import take
from surveillance.times import DAY_MS

JOIN_HORIZON_MS = 35 * DAY_MS
"""Inferences are kept in memory this long for their labels: longer than the longest shipped window, and most latencies."""
_KEYS_PER_READ = 5_000

FindSubjects = Callable[[Hashes, int], RawRows]
"""Raw rows that are, or refer to, these inferences, with an offset below the given one. May raise StoreUnavailable."""


class OutcomeJoin:
    """State of the join of one partition."""

    def __init__(self, registry: Registry, cells: CellTable, find_subjects: FindSubjects) -> None:
        self.index = JoinIndex()
        self._registry, self._cells, self._find_subjects = registry, cells, find_subjects
        self._oldest_ms = 2**62
        self._forgot = False

    def restore(self, rows: RawRows, inferences: Inferences, outcomes: Reports, actions: Reports) -> None:
        """Take up what the raw table says, chunk by chunk in order of position."""
        self._fold(self.index, rows.broker_ms, inferences, outcomes, actions)

    def restored(self, before: int) -> None:
        """After the last chunk: reports on inferences that lie before the first one do not wait. Raises StoreUnavailable."""
        self._forgot = True
        for waiting in (self.index.waiting_outcomes, self.index.waiting_actions):
            keys = waiting.keys()
            for start in range(0, len(keys), _KEYS_PER_READ):
                rows = self._find_subjects(keys[start : start + _KEYS_PER_READ], before)
                waiting.forget(np.unique(rows.subject[_counted_inferences(rows)]).tolist())

    def expire(self, now_ms: int) -> None:
        """Forget what is beyond the horizon at this partition time."""
        self.index.expire(now_ms - JOIN_HORIZON_MS)
        self.index.waiting_outcomes.expire(now_ms)
        self.index.waiting_actions.expire(now_ms)
        self._forgot |= self._oldest_ms < now_ms - JOIN_HORIZON_MS

    def look_up(self, batch: EventBatch, counted: Bool, *reports: Reports) -> RawRows | None:
        """Raw rows of the inferences these reports speak of, where they have left memory, with all that was said of them.

        Raises StoreUnavailable.
        """
        wanted = np.unique(np.concatenate([one.key for one in reports]))
        if not self._forgot or not len(wanted):
            return None
        wanted = wanted[~self.index.knows(wanted)]
        inferences = batch.kinds[Kind.INFERENCE]
        wanted = np.setdiff1d(wanted, inferences.ids("inference_id").hash[counted[inferences.rows]])
        if not len(wanted):
            return None
        rows = self._find_subjects(wanted, int(batch.record_offsets[0]))
        if not len(rows):
            return None
        picked = np.flatnonzero(np.isin(rows.subject, rows.subject[_counted_inferences(rows)]))
        return take(rows, picked) if len(picked) else None

    def fold(
        self, batch: EventBatch, inferences: Inferences, reports: Sequence[Reports], forgotten: RawRows | None
    ) -> Iterator[tuple[Joined, Joined]]:
        """(labels, actions) that the fetch completes. `reports` = outcomes and actions; `forgotten` is what `look_up` found.

        Inferences that had left memory are folded again from their rows and leave at once: what memory holds does not
        depend on who asked.
        """
        self._oldest_ms = min(self._oldest_ms, int(inferences.event_ms.min(initial=self._oldest_ms)))
        if forgotten is not None:
            old = JoinIndex()
            known, outcomes, actions, _ = replayed(forgotten, self._cells)
            self._fold(old, forgotten.broker_ms, known, outcomes, actions)
            of_old = [np.isin(one.key, known.key) for one in reports]
            said = [one.where(mine) for one, mine in zip(reports, of_old, strict=True)]
            yield self._fold(old, batch.broker_ms, known.none(), *said)
            reports = [one.where(~mine) for one, mine in zip(reports, of_old, strict=True)]
        yield self._fold(self.index, batch.broker_ms, inferences, *reports)

    def _fold(
        self, index: JoinIndex, broker_ms: np.ndarray, inferences: Inferences, outcomes: Reports, actions: Reports
    ) -> tuple[Joined, Joined]:
        return index.fold(inferences, outcomes, actions, broker_ms=broker_ms, verified_by_default=self._verified_by_default())

    def _verified_by_default(self) -> Bool:
        known = {one.digest: _verified_default(one) for one in self._registry.all()}
        cells = self._cells.cells
        return np.fromiter((known.get(cell.manifest_digest, False) for cell in cells), np.bool_, len(cells))


def _counted_inferences(rows: RawRows) -> Bool:
    found: Bool = (rows.kind == Kind.INFERENCE) & (rows.disposition == Disposition.COUNTED)
    return found


def _verified_default(registration: Registration) -> bool:
    latency = registration.plan.manifest.baselines.label_latency
    return latency is not None and latency.verification_default in VERIFIED
