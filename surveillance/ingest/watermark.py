"""The two clocks of a partition. Both are data: they move with records only, and never backwards.

The watermark is the largest event time of counted events, bounded by broker time, less the out-of-orderness in force; a
tick moves it to its own broker time. Partition time is the largest broker time of the records, ticks included.
"""

from __future__ import annotations

import numpy as np

from surveillance.arrays import NOT_SENT_MS, Bool, Int
from surveillance.events.batch import EventBatch
from surveillance.registry import Registry


class PartitionClock:
    """Watermark and partition time; `NOT_SENT_MS` = nothing seen yet."""

    def __init__(self, watermark_ms: int = NOT_SENT_MS, partition_ms: int = NOT_SENT_MS) -> None:
        self.watermark_ms, self.partition_ms = watermark_ms, partition_ms

    def after(self, batch: EventBatch, counted: Bool, registry: Registry) -> tuple[Int, Int]:
        """Both clocks after each record of the fetch, shape (records,) each; this clock itself stays where it is."""
        records = len(batch.record_offsets)
        reached = np.full(records, NOT_SENT_MS, np.int64)
        row = np.flatnonzero(counted)
        if len(row):
            broker_ms = batch.broker_ms[row]
            bounded = np.minimum(batch.event_ms[row], broker_ms) - _out_of_orderness(broker_ms, registry)
            np.maximum.at(reached, np.searchsorted(batch.record_offsets, batch.offset[row]), bounded)
        tick = np.isin(batch.record_offsets, batch.ticks)
        reached[tick] = batch.record_broker_ms[tick]
        watermark = np.maximum.accumulate(np.concatenate([[self.watermark_ms], reached]))[1:]
        partition = np.maximum.accumulate(np.concatenate([[self.partition_ms], batch.record_broker_ms]))[1:]
        return watermark, partition


def _out_of_orderness(broker_ms: Int, registry: Registry) -> Int:
    """The largest out-of-orderness in force at each broker time."""
    boundaries = registry.boundaries()
    starts = [int(broker_ms.min()), *boundaries.tolist()]
    widths = np.array([registry.out_of_orderness_ms(start) for start in starts], np.int64)
    widths[0] = registry.out_of_orderness_ms(int(boundaries[0]) - 1) if len(boundaries) else widths[0]
    return widths[np.searchsorted(boundaries, broker_ms, side="right")]
