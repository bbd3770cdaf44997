"""e-detector and harmful shift: what they promise at whatever time one looks, and that they see harm."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import e_detector
from detectors.estimate import Reason
from detectors.harmful_shift import harmful_shift


def panes_until(threshold, p, *, p0, streams, panes, trials):
    """Pane of the first crossing of each stream, `panes` where it never comes."""
    rng = np.random.default_rng(20240)
    state, first = e_detector.start(p0, cells=streams), np.full(streams, panes)
    for pane in range(1, panes + 1):
        state = state.fold(rng.binomial(trials, p, streams), np.full(streams, trials))
        first = np.where((first == panes) & (state.value >= threshold), pane, first)
    return first


def test_panes_between_false_signals_are_at_least_one_over_alpha_on_average():
    """Streams that never signal count as long as they were watched, which can only understate the mean."""
    first = panes_until(100.0, 0.1, p0=0.1, streams=400, panes=1000, trials=20)
    assert first.mean() >= 100.0


def test_twice_the_probability_is_found_within_a_few_panes():
    first = panes_until(100.0, 0.2, p0=0.1, streams=400, panes=200, trials=20)
    assert np.median(first) < 15


def test_a_change_late_in_a_quiet_stream_is_found_as_soon_as_an_early_one():
    """A plain e-process would have to win back what it lost before the change."""
    state = e_detector.start(0.1, cells=1)
    for _ in range(500):
        state = state.fold([2], [20])
    quiet = float(state.value[0])
    after = []
    for _ in range(12):
        state = state.fold([5], [20])
        after.append(float(state.value[0]))
    assert quiet < 100.0 <= max(after)


def test_a_pane_without_trials_changes_nothing_and_hostile_counts_stay_numbers():
    state = e_detector.start(0.1, cells=2).fold([3, 3], [10, 10])
    assert (state.fold([0, 5], [0, 0]).value == state.value).all()
    hostile = state.fold([np.inf, np.nan], [1e18, 2**62])
    assert (np.isfinite(hostile.value) & (hostile.value <= 1e300)).all()


def test_a_probability_that_is_none_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1"):
        e_detector.start(1.0, cells=1)


def test_a_harmless_field_is_not_called_harmful_at_any_look_in_more_streams_than_the_level_allows():
    rng = np.random.default_rng(20220)
    streams, looks = 400, 200
    validated = rng.binomial(1000, 0.1, streams)
    events = np.cumsum(rng.binomial(10, 0.1, (looks, streams)), axis=0)
    called = np.zeros(streams, bool)
    for look in range(looks):
        n = np.full(streams, 10 * (look + 1))
        called |= [one.lower > 0.0 for one in harmful_shift(events[look], n, validated, np.full(streams, 1000), level=0.9)]
    assert called.mean() <= 0.10


def test_a_risk_beyond_the_tolerance_is_shown_once_the_bounds_part():
    few, many = harmful_shift([3, 200], [10, 1000], [100, 100], [1000, 1000])
    assert few.lower < 0.02 < many.lower
    assert many.value == pytest.approx(0.1)


def test_nothing_validated_and_nothing_seen_are_named():
    unknown, unseen, wrong = harmful_shift([1, 0, 5], [10, 0, 2], [0, 1, 1], [0, 10, 10])
    assert [one.reason for one in (unknown, unseen, wrong)] == [
        Reason.UNKNOWN_REFERENCE,
        Reason.NO_EXPOSURE,
        Reason.DEGENERATE_OUTCOMES,
    ]
