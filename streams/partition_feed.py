"""Which fetched lists may be folded: those that continue the prefix of a partition under the present assignment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from streams.sink import Record

R = TypeVar("R", bound=Record)


@dataclass(slots=True)
class PartitionFeed:
    """Next offset of each partition that moves, and the epoch of the assignment, which grows with every rebalance step.

    A list is tied to the epoch in which its fetch began; when the epoch has moved on, the list belongs to nobody.
    """

    epoch: int = 0
    next_offset: dict[int, int] = field(default_factory=dict)
    _gap_seen: dict[int, tuple[int, int]] = field(default_factory=dict)

    def forget(self) -> int:
        """Ends the assignment: no list is admitted until `begin`. Returns the new epoch."""
        self.epoch += 1
        self.next_offset.clear()
        self._gap_seen.clear()
        return self.epoch

    def begin(self, positions: Mapping[int, int]) -> None:
        """The partitions of the present epoch move from these offsets on."""
        self.next_offset.update(positions)

    def stop(self, partition: int) -> None:
        """The partition gets no more lists in this epoch."""
        self.next_offset.pop(partition, None)

    def admit(self, partition: int, records: Sequence[R]) -> Sequence[R] | None:
        """The part of a fetched list that continues the prefix; None = it begins beyond it, so seek `next_offset` again.

        A list that begins beyond the prefix at the same offset twice, the second time right after seeking, shows a gap of
        the log itself (transaction markers, aborted transactions): it is admitted.
        """
        expected = self.next_offset.get(partition)
        if expected is None or not records or records[-1].offset < expected:
            return ()
        first = records[0].offset
        if first > expected and self._gap_seen.get(partition) != (expected, first):
            self._gap_seen[partition] = (expected, first)
            return None
        if first >= expected:
            return records
        return records[next(i for i, record in enumerate(records) if record.offset >= expected) :]

    def advance(self, partition: int, records: Sequence[Record]) -> None:
        """These admitted records are folded."""
        self.next_offset[partition] = records[-1].offset + 1
