"""The bins that hold any rows: detectors on score sketches need not look at the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Float, as_float

_STRIDE = 32
"""Bins are taken in whole strides, which is what vector units add in parallel. Leaving out an empty stride then changes no
sum in any bit, so that the result of a cell does not depend on which bins other cells fill."""


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
    first = int(used[0]) // _STRIDE * _STRIDE if len(used) else 0
    last = int(used[-1]) // _STRIDE * _STRIDE + _STRIDE if len(used) else _STRIDE
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
