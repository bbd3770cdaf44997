"""Distinct codes: the same answer as sorting gives, whether a table of the codes is made or not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from surveillance.ingest.distinct import distinct
from surveillance.ingest.reference_bins import number_bins

CODES = st.lists(st.integers(-50, 50)) | st.lists(st.integers(-(2**62), 2**62 - 1))


@given(CODES)
def test_first_rows_and_numbers_are_those_of_sorting(codes: list[int]) -> None:
    array = np.array(codes, np.int64)
    first, inverse = distinct(array)
    _, expected_first, expected_inverse = np.unique(array, return_index=True, return_inverse=True)
    assert first.tolist() == expected_first.tolist()
    assert inverse.tolist() == expected_inverse.tolist()


@given(
    st.lists(st.integers(-20, 20), min_size=2, max_size=60, unique=True).map(sorted),
    st.lists(st.floats(-30, 30) | st.integers(-25, 25).map(float)),
)
def test_a_value_is_in_the_bin_whose_left_edge_it_has_reached(edges: list[int], values: list[float]) -> None:
    found = number_bins([float(edge) for edge in edges], np.array(values, np.float64)).tolist()
    assert found == [min(max(sum(edge <= value for edge in edges) - 1, 0), len(edges) - 2) for value in values]
