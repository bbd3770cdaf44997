"""The distinct values of small codes, without sorting them."""

from __future__ import annotations

import numpy as np

from surveillance.arrays import Int

_SPARSE = 8
"""Codes that span more than this many times their number are sorted: a table of all of them would cost more."""


def distinct(codes: Int) -> tuple[Int, Int]:
    """(index of the first row of each distinct code, number of its code for each row); numbers rise with the codes.

    As `np.unique` with `return_index` and `return_inverse`, in time that grows with the rows alone. Codes may be negative.

    >>> distinct(np.array([7, 3, 7, 5]))
    (array([1, 3, 0]), array([2, 0, 2, 1]))
    """
    least = int(codes.min()) if len(codes) else 0
    span = int(codes.max()) - least + 1 if len(codes) else 0
    if span > _SPARSE * len(codes):
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        return first, inverse
    shifted = codes - least
    first_of = np.full(span, -1, np.int64)
    first_of[shifted[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of equal codes the last one written, the first row, stays
    present = first_of >= 0
    number_of = np.cumsum(present) - 1
    return first_of[present], number_of[shifted]
