"""The bins that hold any rows, cell after cell: detectors on score sketches need not look at the other bins.

What is kept of each cell follows from its own counts, and it is summed by itself. So neither empty bins nor other cells
change a bit of its sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.arrays import Bool, Float

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Occupied:
    """Where the N bins in use stand in tables (C, B), in order of cell and bin."""

    places: Index
    """(N,) index into a table."""
    begins: Index
    """(C,) index of the first bin in use of each cell; of the next cell's where there is none."""
    counts: Index
    """(C,) number of bins in use."""
    filled: Bool | None
    """(C,) which cells have a bin in use; None where all have."""
    width: int
    """B"""

    @staticmethod
    def of(neg: ArrayLike, pos: ArrayLike) -> Occupied:
        """The bins that are not zero in one of the tables, both (C, B)."""
        used = np.atleast_2d(np.logical_or(neg, pos))
        cells, width = used.shape
        places = np.flatnonzero(used)
        edges = places.searchsorted(np.arange(cells + 1) * width)
        return _occupied(places, edges[:-1], edges[1:] - edges[:-1], width)

    def pick(self, values: ArrayLike) -> Float:
        """Values of the bins in use, (N,), from values of each bin, (C, B) or (B,).

        >>> counts = np.zeros((2, 258), dtype=np.int64); counts[1, [100, 200]] = 7, 9
        >>> Occupied.of(counts, counts).pick(counts).tolist()
        [7.0, 9.0]
        """
        source = np.asarray(values)
        at = self.places if source.ndim > 1 else self.places - np.repeat(np.arange(len(self.counts)) * self.width, self.counts)
        return source.ravel().take(at).astype(np.float64, copy=False)

    def per_bin(self, values: Float) -> Float:
        """Values of each cell (C,) at each of its bins, (N,)."""
        return np.repeat(values, self.counts)

    def sum(self, values: Float) -> Float:
        """Sum over the bins of each cell, (N,) to (C,)."""
        return self._reduced(np.add, values, 0.0)

    def least(self, values: Float) -> Float:
        """Smallest value of each cell, (N,) to (C,); infinite where it has none."""
        return self._reduced(np.minimum, values, np.inf)

    def largest(self, values: Float) -> Float:
        """Largest value of each cell, (N,) to (C,); 0 where it has none."""
        return self._reduced(np.maximum, values, 0.0)

    def only(self, cells: Bool) -> tuple[Occupied, Bool]:
        """The bins of some cells (C,), their places unchanged, and which those are (N,)."""
        counts = self.counts[cells]
        return _occupied(self.places, np.cumsum(counts) - counts, counts, self.width), np.repeat(cells, self.counts)

    def _reduced(self, reduction: np.ufunc, values: Float, empty: float) -> Float:
        if self.filled is None and len(self.counts):
            return reduction.reduceat(values, self.begins)
        found = np.full(len(self.counts), empty)
        if len(values):
            found[self.filled] = reduction.reduceat(values, self.begins[self.filled])
        return found


def _occupied(places: Index, begins: Index, counts: Index, width: int) -> Occupied:
    filled = counts > 0
    return Occupied(places, begins, counts, None if filled.all() else filled, width)
