"""The clock of a log with several partitions: the watermark of those that move, and who was left behind.

        every record or tick of its own
moving ────────────────────────────────▶ moving
  │  ▲
  │  └── it is within ten minutes of the largest partition time again
  ▼ stopped, or ten minutes behind the largest partition time
left out: it no longer holds the watermark back; windows that close without it are partial
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surveillance.arrays import NOT_SENT_MS
from surveillance.evaluation.judging import Moment
from surveillance.store.protocol import Progress
from surveillance.times import MINUTE_MS

STALLED_AFTER_MS = 10 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class LogShape:
    """How many partitions a log has. `started_ms` = broker time from which a partition without progress counts as silent;
    None where the publisher makes the time: then no partition is ever left out."""

    partitions: int
    started_ms: int | None


def moment_of(progress: Mapping[int, Progress], log: LogShape, reached_ms: int = NOT_SENT_MS) -> Moment | None:
    """The moment to judge at. `reached_ms` = watermark of the judgement before: it never goes back. None: no time is known."""
    left = left_out(progress, log)
    moving = [partition for partition in range(log.partitions) if partition not in left]
    watermarks = [progress[partition].watermark_ms if partition in progress else NOT_SENT_MS for partition in moving]
    watermark_ms = max(reached_ms, min(watermarks, default=NOT_SENT_MS))
    every = [progress[p].watermark_ms if p in progress else NOT_SENT_MS for p in range(log.partitions)]
    if watermark_ms == NOT_SENT_MS:
        return None
    return Moment(watermark_ms, largest_ms(progress), min(every), final=True)


def largest_ms(progress: Mapping[int, Progress]) -> int:
    """The largest partition time; NOT_SENT_MS while no partition has one."""
    return max((one.partition_ms for one in progress.values()), default=NOT_SENT_MS)


def left_out(progress: Mapping[int, Progress], log: LogShape) -> dict[int, str]:
    """Partitions that do not hold the watermark back, with the reason."""
    if log.started_ms is None:
        return {}
    newest_ms = largest_ms(progress)
    found = {}
    for partition in range(log.partitions):
        one = progress.get(partition)
        reached_ms = log.started_ms if one is None else one.partition_ms
        if one is not None and one.stopped:
            found[partition] = one.stopped
        elif newest_ms - reached_ms >= STALLED_AFTER_MS:
            found[partition] = f"{(newest_ms - reached_ms) // MINUTE_MS} minutes behind the largest partition time"
    return found
