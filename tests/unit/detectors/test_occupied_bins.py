"""Sums over occupied bins: the same bits whatever other cells, and whatever empty bins, stand beside."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.occupied import LANES, bin_dot, bin_sum, occupied


@pytest.mark.parametrize("cells", [1, 7, 500])
def test_a_cell_is_summed_to_the_same_bits_alone_and_in_company(cells):
    rng = np.random.default_rng(cells)
    values, weights = rng.random((cells, 9 * LANES)), rng.random(9 * LANES)
    assert bin_dot(values, weights).tolist() == [bin_dot(values[i : i + 1].copy(), weights)[0] for i in range(cells)]
    assert bin_sum(values).tolist() == [bin_sum(values[i : i + 1].copy())[0] for i in range(cells)]


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (3, 2)])
def test_empty_strides_beside_the_bins_change_no_bit(before, after):
    rng = np.random.default_rng(7)
    values, weights = rng.random((40, 5 * LANES)), rng.random((40, 5 * LANES))
    around = ((0, 0), (before * LANES, after * LANES))
    assert bin_dot(np.pad(values, around), np.pad(weights, around, constant_values=0.3)).tolist() == (
        bin_dot(values, weights).tolist()
    )
    assert bin_sum(np.pad(values, around)).tolist() == bin_sum(values).tolist()


def test_whole_numbers_are_summed_exactly():
    values = np.arange(4 * LANES, dtype=np.float64).reshape(2, 2 * LANES)
    assert bin_sum(values).tolist() == values.sum(axis=1).tolist()
    assert bin_dot(values, values).tolist() == (values * values).sum(axis=1).tolist()


def test_bins_are_cut_to_whole_strides_around_what_is_used():
    counts = np.zeros((2, 258), np.int64)
    counts[0, 33], counts[1, 257] = 1, 2
    (table,), bins = occupied(counts)
    assert (bins.start, bins.stop, table.shape) == (32, 258, (2, 256))
    assert (table[0, 1], table[1, 225]) == (1.0, 2.0)
