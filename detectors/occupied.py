"""The bins that hold any rows, and sums over them: detectors on score sketches need not look at the other bins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float

LANES = 32
"""Bins are taken in whole strides of so many, and added lane by lane. Leaving out an empty stride then changes no sum in any
bit, so that the result of a cell does not depend on which bins other cells fill."""


def occupied(*tables: ArrayLike) -> tuple[list[Float], slice]:
    """The tables (C, B) as float64, cut to the strides from the first to the last bin in use by any, and those bins.

    The tables returned are new, (C, W) with W a multiple of 32, zero beyond the slice's end.

    >>> import numpy as np
    >>> counts = np.zeros((2, 258), dtype=np.int64); counts[1, 100] = 7
    >>> (found,), bins = occupied(counts)
    >>> found.shape, bins, found[1, 4]
    ((2, 32), slice(96, 128, None), np.float64(7.0))
    """
    sources = [np.atleast_2d(np.asarray(table)) for table in tables]
    cells, width = sources[0].shape
    used = np.flatnonzero(np.logical_or.reduce([source.any(axis=0) for source in sources]))
    first = int(used[0]) // LANES * LANES if len(used) else 0
    last = int(used[-1]) // LANES * LANES + LANES if len(used) else LANES
    bins = slice(first, min(last, width))
    found = []
    for source in sources:
        table = np.zeros((cells, last - first))
        table[:, : bins.stop - first] = source[:, bins]
        found.append(table)
    return found, bins


def of_bins(values: ArrayLike, bins: slice, width: int) -> Float:
    """Values of each bin, (B,) or (C, B), cut and padded with 0 as `occupied` does tables."""
    source = as_float(values)
    found = np.zeros((*source.shape[:-1], width))
    found[..., : bins.stop - bins.start] = source[..., bins]
    return found


def bin_sum(values: Float) -> Float:
    """Sum over the bins of each cell, (C, W) to (C,), W a multiple of 32: see `bin_dot`."""
    cells, width = values.shape
    return _across(np.einsum("csl->cl", values.reshape(cells, width // LANES, LANES)))


def bin_dot(values: Float, weights: Float) -> Float:
    """Sum of values x weights over the bins of each cell, (C, W) and (C, W) or (W,) to (C,), W a multiple of 32.

    Strides are added lane by lane, element by element, then the 32 lanes: a dot product of the linear algebra library over
    all bins adds in an order that depends on their number, in a way that differs between machines.

    >>> bin_dot(np.ones((2, 64)), np.arange(64.0)).tolist()
    [2016.0, 2016.0]
    """
    cells, width = values.shape
    strides = (width // LANES, LANES)
    if weights.ndim == 1:
        return _across(np.einsum("csl,sl->cl", values.reshape(cells, *strides), weights.reshape(strides)))
    return _across(np.einsum("csl,csl->cl", values.reshape(cells, *strides), weights.reshape(cells, *strides)))


def _across(lanes: Float) -> Float:
    total: Float = np.einsum("cl->c", lanes)
    return total
