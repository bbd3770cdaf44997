"""What splits a change of distribution: by mix and strata, by the stratum it came from, by the moment it came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.change_point import change_point
from detectors.estimate import Estimate, Insufficient, Reason
from detectors.explained_share import explained_share
from detectors.mix_decomposition import mix_share

TABLES = st.integers(2, 4).flatmap(
    lambda strata: st.lists(st.lists(st.integers(1, 400), min_size=3, max_size=3), min_size=strata, max_size=strata)
)


@given(before=TABLES, factors=st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_strata_that_only_change_their_size_are_a_mix_shift_and_nothing_else(before: list[list[int]], factors: list[int]) -> None:
    after = [[count * factor for count in row] for row, factor in zip(before, factors, strict=False)]
    found = mix_share(before, after)
    if isinstance(found, Estimate):
        assert found.value == pytest.approx(1.0, abs=1e-6)
    else:
        assert found.reason is Reason.DEGENERATE_OUTCOMES  # nothing changed


@given(before=TABLES)
def test_strata_that_keep_their_size_have_no_mix_shift(before: list[list[int]]) -> None:
    found = mix_share(before, [row[1:] + row[:1] for row in before])
    if isinstance(found, Estimate):
        assert found.value == pytest.approx(0.0, abs=1e-6)


def test_mix_and_strata_together_are_the_whole_change() -> None:
    # Kitagawa's identity, worked out by hand: shares 1/2 -> 3/4 in the first stratum, whose first bin goes from .8 to .6.
    found = mix_share([[80, 20], [20, 80]], [[90, 60], [10, 40]])
    mix = (3 / 4 - 1 / 2) * (0.8 + 0.6) / 2 + (1 / 4 - 1 / 2) * (0.2 + 0.2) / 2
    whole = 100 / 200 - 100 / 200
    assert whole == 0
    assert isinstance(found, Insufficient)  # both parts cancel: there is no change to share out
    moved = mix_share([[80, 20], [20, 80]], [[120, 30], [5, 45]])
    mix = (3 / 4 - 1 / 2) * 0.8 + (1 / 4 - 1 / 2) * (0.2 + 0.1) / 2
    assert isinstance(moved, Estimate)
    assert moved.value == pytest.approx(mix / (125 / 200 - 100 / 200), abs=1e-9)


def test_the_bounds_of_a_mix_share_hold_it_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    q_before, q_after = np.array([[0.7, 0.3], [0.3, 0.7]]), np.array([[0.6, 0.4], [0.3, 0.7]])
    w_before, w_after = np.array([0.5, 0.5]), np.array([0.8, 0.2])
    mix = (w_after - w_before) @ (q_before + q_after)[:, 0] / 2
    truth = mix / (w_after @ q_after[:, 0] - w_before @ q_before[:, 0])
    held = 0
    for _ in range(300):
        before = rng.poisson(20000 * w_before[:, None] * q_before)
        after = rng.poisson(10000 * w_after[:, None] * q_after)
        found = mix_share(before, after)
        assert isinstance(found, Estimate)
        held += found.lower <= truth <= found.upper
    assert 0.91 <= held / 300 <= 0.99, held


def test_the_stratum_that_changed_explains_everything_and_one_that_did_not_explains_nothing() -> None:
    found = explained_share([[500, 500]] * 3, [[500, 500], [510, 490], [100, 900]])
    assert all(isinstance(one, Estimate) for one in found)
    shares = [one.value for one in found if isinstance(one, Estimate)]
    assert shares[2] > 0.97
    assert max(map(abs, shares[:2])) < 0.1


def test_a_stratum_too_small_to_matter_explains_nothing_however_odd_it_is() -> None:
    small, changed = explained_share([[10, 0], [5000, 5000]], [[0, 10], [3000, 7000]])
    assert isinstance(small, Estimate)
    assert abs(small.value) < 0.05
    assert isinstance(changed, Estimate)
    assert changed.value > 0.9


def test_what_came_with_the_change_explains_it() -> None:
    old, new = explained_share([[500, 500], [0, 0]], [[0, 0], [100, 900]])
    assert isinstance(new, Estimate)
    assert new.value == 1.0
    assert old == Insufficient(Reason.NO_EXPOSURE)


def test_without_a_change_beyond_sampling_nothing_is_explained() -> None:
    found = explained_share([[500, 500], [500, 500]], [[505, 495], [498, 502]])
    assert [one.reason for one in found if isinstance(one, Insufficient)] == [Reason.DEGENERATE_OUTCOMES] * 2


@given(at=st.integers(4, 24), size=st.sampled_from([-8.0, 8.0, 50.0]), seed=st.integers(0, 50))
def test_a_large_step_is_found_where_it_is(at: int, size: float, seed: int) -> None:
    series = np.random.default_rng(seed).normal(size=28)
    series[at:] += size
    found = change_point(series)
    assert isinstance(found, Estimate)
    assert abs(found.value - at) <= 1
    assert found.lower <= found.value <= found.upper


def test_a_quiet_month_of_days_seldom_has_a_change_point() -> None:
    rng = np.random.default_rng(3)
    found = [change_point(rng.normal(size=28)) for _ in range(200)]
    assert sum(isinstance(one, Estimate) for one in found) <= 24


def test_a_series_is_located_the_same_way_in_any_unit() -> None:
    series = np.random.default_rng(1).normal(size=30)
    series[20:] += 6
    assert change_point(series) == change_point(series * 1000 - 7)


@pytest.mark.parametrize(
    "series", [[], [1.0], [1.0, 2.0, 3.0], [2.0] * 9, [0.0, 1.0, np.nan, 3.0, 1.0], [0.0, 1e308, -1e308, 1.0]]
)
def test_too_short_and_hostile_series_have_a_named_reason(series: list[float]) -> None:
    assert isinstance(change_point(series), Insufficient)
