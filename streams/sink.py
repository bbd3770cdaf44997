"""What the bulk consumer asks of whatever folds the telemetry log, and what it promises in return."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from surveillance.events.headers import Record as DecodedRecord

LOG_START = -1
"""Wanted offset of a partition without progress: the beginning of the log."""

STOPPED = -2
"""Wanted offset of a partition that must not move (its quarantine limit was exceeded before, say)."""

REFUSED_HEADER = "pms-refused"
"""Header of a record whose batch was not unpacked: its value is a reason code, the record has no key and no value.
A record that has a value and this header got it from its producer, and it means nothing there."""


class Record(DecodedRecord, Protocol):
    """One record of the log, as aiokafka's `ConsumerRecord` has it; `timestamp` is the broker's append time, in ms."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...


class PartitionSink(Protocol):
    """Folds record lists of the partitions it was assigned.

    All calls come one at a time, from one thread that lives as long as the worker, never from the event loop: they may
    block, and heartbeats go on meanwhile. For each partition the lists of an assignment form a gapless prefix that begins
    at the offset `assign` asked for (transaction markers, and nothing else, are missing from it).
    """

    def assign(self, partitions: Collection[int]) -> Mapping[int, int]:
        """These partitions and no others are ours from now on: forget all state, read theirs from the store.

        Returns the next offset wanted of each, LOG_START or STOPPED. Raises StoreUnavailable: it is called again later.
        """

    def fold(self, partition: int, records: Sequence[Record]) -> None:
        """Folds the next records of a partition, ascending by offset, never empty.

        Raises StoreUnavailable: a list that begins with the same record comes again, and no flush comes before it is
        folded. Or QuarantineLimit when the partition must stop: what was folded before its offset is flushed, and the
        partition gets no more lists.
        """

    def flush_due(self) -> bool:
        """Whether to flush now, before the interval is over (a pane closed, memory is full).

        Asked after each fold, and again and again while something folded is not flushed.
        """

    def flush(self, deadline_s: float | None) -> Mapping[int, int]:
        """Writes raw rows, quarantine, panes and progress, in this order, within `deadline_s` seconds (None = no bound).

        Returns the next offset of each partition whose progress is stored. Raises StoreUnavailable: it is called again
        later, and no list comes in between.
        """

    def gap(self, partition: int, wanted: int, log_start: int, log_end: int) -> None:
        """The wanted offset is outside [log_start, log_end]: events are lost to us. The partition gets no lists."""

    def revoke(self, partitions: Collection[int]) -> None:
        """These partitions may have another owner from now on. Whatever was not flushed is folded again by it."""
