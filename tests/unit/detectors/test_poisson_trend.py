"""Exact Poisson trend test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.estimate import Insufficient, Reason
from detectors.poisson_trend import poisson_trend


def test_value_interval_and_p_are_those_of_the_exact_poisson_test():
    (found,) = poisson_trend([30], [50_000], frequency_per_1000=0.42)
    mu = 21.0
    assert found.value == pytest.approx(30 / mu)
    assert found.p == pytest.approx(stats.poisson.sf(29, mu))
    assert (found.lower, found.upper) == pytest.approx((stats.chi2.ppf(0.025, 60) / 2 / mu, stats.chi2.ppf(0.975, 62) / 2 / mu))
    assert (found.n, found.method) == (30, "exact_poisson")


def test_no_event_is_no_evidence_of_a_rise():
    (found,) = poisson_trend([0], [10_000], frequency_per_1000=0.42)
    assert (found.value, found.lower, found.p) == (0.0, 0.0, 1.0)


def test_a_constant_frequency_is_called_a_trend_in_no_more_of_twelve_looks_than_alpha():
    """Alpha is spent over the looks: each of twelve at a twelfth of .05."""
    rng = np.random.default_rng(88)
    uses = 5_000 * np.arange(1, 13)
    counts = np.cumsum(rng.poisson(0.42 * 5, (4_000, 12)), axis=1)
    called = np.zeros(len(counts), bool)
    for look in range(12):
        found = poisson_trend(counts[:, look], np.full(len(counts), uses[look]), frequency_per_1000=0.42)
        called |= [one.p < 0.05 / 12 for one in found]
    assert 0.005 < called.mean() <= 0.05


def test_uses_of_nothing_and_counts_of_no_kind_are_named():
    found = poisson_trend([3, -1, np.nan], [0, 1000, 1000], frequency_per_1000=0.42)
    assert found[0] == Insufficient(Reason.NO_EXPOSURE, 3)
    assert [one.reason for one in found[1:]] == [Reason.DEGENERATE_OUTCOMES] * 2
