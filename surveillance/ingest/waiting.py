"""Reports (outcomes, or actions) that came before the inference they speak of, and wait for it.

A report waits `WAIT_MS` of broker time, by its own broker time and that of the inference: a bound that no restart, flush or
batch moves. What is older is given up from memory a day later, for clocks of brokers that run apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surveillance.arrays import Hashes, Int
from surveillance.times import DAY_MS

WAIT_MS = 35 * DAY_MS
"""As long as an inference is kept in memory for its labels. An inference that comes later than this after its own label was
held back longer than any lateness a manifest sensibly allows."""
_SLACK_MS = DAY_MS
_LOOK_EVERY_MS = DAY_MS // 24


class WaitingReport(NamedTuple):
    """What a report says, and the broker time of its record."""

    grade: int
    value: int
    verified: int
    treated: int
    when_ms: int
    broker_ms: int


class Waiting:
    """Waiting reports by the hash of the inference they wait for, each list in position order."""

    def __init__(self) -> None:
        self._by_key: dict[int, list[WaitingReport]] = {}
        self._looked_ms = -(2**62)

    def __len__(self) -> int:
        return sum(map(len, self._by_key.values()))

    def keys(self) -> Hashes:
        return np.fromiter(self._by_key, np.uint64, len(self._by_key))

    def add(self, key: int, report: WaitingReport) -> None:
        self._by_key.setdefault(key, []).append(report)

    def release(self, keys: Hashes, broker_ms: Int) -> list[tuple[int, WaitingReport]]:
        """(index into `keys`, report) of all that waited for these inferences, and not too long; they wait no more."""
        if not self._by_key:
            return []
        found: list[tuple[int, WaitingReport]] = []
        for at, key in enumerate(keys.tolist()):
            released = self._by_key.pop(key, ())
            found += [(at, report) for report in released if broker_ms[at] - report.broker_ms <= WAIT_MS]
        return found

    def forget(self, keys: Sequence[int]) -> None:
        """These reports have joined an inference that has left memory."""
        for key in keys:
            self._by_key.pop(key, None)

    def expire(self, now_ms: int) -> None:
        """Give up what has waited too long at this partition time."""
        if now_ms - self._looked_ms < _LOOK_EVERY_MS:
            return
        self._looked_ms = now_ms
        oldest_ms = now_ms - WAIT_MS - _SLACK_MS
        for key in [key for key, reports in self._by_key.items() if reports[0].broker_ms < oldest_ms]:
            kept = [report for report in self._by_key[key] if report.broker_ms >= oldest_ms]
            if kept:
                self._by_key[key] = kept
            else:
                del self._by_key[key]
