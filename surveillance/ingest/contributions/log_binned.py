"""What delays and clock offsets add: one to their log bin, and themselves to the sum of that bin."""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Bool, Float, Int
from surveillance.ingest.accumulate import Increments
from surveillance.panes.log_bins import log_bins


def log_binned(edges: Int, values_ms: Int | Float, where: Bool, start: int = 0) -> list[Increments]:
    """Increments of counts from column `start` on and of the sums behind them, for the rows where `where` holds.

    A value outside what the bins hold counts as the nearest that they do; where it is no number it counts as none.
    """
    known = where & np.isfinite(values_ms)
    whole = np.rint(np.clip(np.where(known, values_ms, 0), 0, edges[-1])).astype(np.int64)
    bins = log_bins(edges, whole)
    return [Increments(start + bins, where=known), Increments(start + len(edges) + bins, whole, known)]
