"""Bins of delays and of clock offsets: narrow where they are short, wide where they are long, with an edge at every limit.

A bin is (a, b], so that what stands exactly at a limit is not above it. The first is everything up to zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from surveillance.arrays import Int
from surveillance.times import DAY_MS

LONGEST_DELAY_MS = 400 * DAY_MS
LONGEST_OFFSET_MS = 3650 * DAY_MS
"""What is longer counts as this: nobody waits for it, and sums of millions of them still fit into 64 bits."""

_PER_DOUBLING = 2


def limits_text(limits_ms: Iterable[float]) -> str:
    """Limits as a statistic's id names them: whole milliseconds, ascending. No delay lies between a limit and the whole
    millisecond below it."""
    return ",".join(str(limit) for limit in sorted({int(limit // 1) for limit in limits_ms}))


@lru_cache(maxsize=64)
def log_edges(limits: str, longest_ms: int) -> Int:
    """Upper edges of the bins, ascending: zero, powers of the root of two, the limits of `limits_text`, the longest.

    >>> log_edges("10", 32).tolist()
    [0, 1, 2, 3, 4, 6, 8, 10, 11, 16, 23, 32]
    """
    doublings = int(np.ceil(np.log2(longest_ms))) + 1
    powers = np.rint(2.0 ** (np.arange(doublings * _PER_DOUBLING) / _PER_DOUBLING)).astype(np.int64)
    named = [int(limit) for limit in limits.split(",") if limit]
    edges = np.unique([0, *powers.tolist(), *named, longest_ms])
    edges = edges[(edges >= 0) & (edges <= longest_ms)]
    edges.flags.writeable = False
    return edges


def log_bins(edges: Int, values_ms: Int) -> Int:
    """Bin of each value, which is at most the last edge."""
    return np.searchsorted(edges, values_ms, side="left")
