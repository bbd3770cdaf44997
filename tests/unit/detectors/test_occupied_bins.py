"""Sums over occupied bins: the same bits whatever other cells, and whatever empty bins, stand beside."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.occupied import Occupied


def sums(counts, weights):
    bins = Occupied.of(counts, np.zeros_like(counts))
    return bins.sum(bins.pick(counts) * bins.pick(weights)).tolist()


@pytest.mark.parametrize("cells", [1, 7, 500])
def test_a_cell_is_summed_to_the_same_bits_alone_and_in_company(cells):
    rng = np.random.default_rng(cells)
    counts, weights = rng.random((cells, 258)) * (rng.random((cells, 258)) < 0.4), rng.random(258)
    assert sums(counts, weights) == [sums(counts[i : i + 1], weights)[0] for i in range(cells)]


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (35, 17)])
def test_empty_bins_beside_the_others_change_no_bit(before, after):
    rng = np.random.default_rng(7)
    counts, weights = rng.random((40, 160)), rng.random((40, 160))
    around = ((0, 0), (before, after))
    assert sums(np.pad(counts, around), np.pad(weights, around, constant_values=0.3)) == sums(counts, weights)


def test_cells_without_rows_have_a_sum_of_zero_wherever_they_stand():
    counts = np.zeros((5, 6))
    counts[1, 2], counts[3, [0, 5]] = 4.0, [1.0, 2.0]
    assert sums(counts, np.ones(6)) == [0.0, 4.0, 0.0, 3.0, 0.0]
    assert Occupied.of(counts, counts).least(Occupied.of(counts, counts).pick(counts)).tolist() == [
        np.inf,
        4.0,
        np.inf,
        1.0,
        np.inf,
    ]
    assert Occupied.of(counts, counts).largest(Occupied.of(counts, counts).pick(counts)).tolist() == [0.0, 4.0, 0.0, 2.0, 0.0]
    assert sums(np.zeros((3, 6)), np.ones(6)) == [0.0, 0.0, 0.0]
    assert sums(np.zeros((0, 6)), np.ones(6)) == []


def test_a_bin_is_in_use_where_either_table_has_rows():
    neg, pos = np.array([[0, 2, 0, 0]]), np.array([[0, 0, 0, -1]])
    bins = Occupied.of(neg, pos)
    assert bins.pick(neg).tolist() == [2.0, 0.0]
    assert bins.pick(pos).tolist() == [0.0, -1.0]
    assert bins.pick([10.0, 11.0, 12.0, 13.0]).tolist() == [11.0, 13.0]


def test_some_of_the_cells_keep_their_bins_and_values():
    counts = np.array([[1, 0, 2], [0, 0, 3], [4, 5, 0]])
    bins = Occupied.of(counts, counts)
    some, kept = bins.only(np.array([True, False, True]))
    assert some.sum(bins.pick(counts)[kept]).tolist() == [3.0, 9.0]
    assert some.per_bin(np.array([7.0, 8.0])).tolist() == [7.0, 7.0, 8.0, 8.0]
