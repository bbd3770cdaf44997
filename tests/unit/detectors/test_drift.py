from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.estimate import Insufficient, Reason
from detectors.noncentral import noncentrality
from detectors.psi import psi

UNIFORM = np.full(10, 0.1)


def test_psi_is_the_symmetric_divergence_of_the_smoothed_distributions():
    c, probs, m = np.array([30, 50, 20]), np.array([0.2, 0.5, 0.3]), 400
    q, r = (c + 0.5) / (100 + 1.5), (probs * m + 0.5) / (m + 1.5)
    want = sum((a - b) * np.log(a / b) for a, b in zip(q, r, strict=True))
    found = psi([c], [probs], [m])[0]
    assert found.value == pytest.approx(want, rel=1e-12)
    assert found.p == pytest.approx(stats.chi2.sf(want * 100 * m / (100 + m), 2), rel=1e-9)
    assert found.n == 100


def test_without_drift_p_is_small_as_often_as_it_says():
    rng = np.random.default_rng(3)
    windows = rng.multinomial(100, UNIFORM, 4000)
    reference = rng.multinomial(400, UNIFORM, 4000) / 400
    found = psi(windows, reference, np.full(4000, 400))
    p = np.array([x.p for x in found])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.02)


def test_the_folklore_limit_is_crossed_by_31_in_a_hundred_windows_without_drift():
    """A hundred rows in ten equally likely bins against a known reference; a reference that is a sample itself adds to it."""
    windows, stated = 20_000, 0.31
    counts = np.random.default_rng(11).multinomial(100, UNIFORM, windows)
    found = psi(counts, np.tile(UNIFORM, (windows, 1)), np.full(windows, 10**9))
    three_errors = 3 * np.sqrt(stated * (1 - stated) / windows)
    assert np.mean([x.value > 0.1 for x in found]) == pytest.approx(stated, abs=three_errors)


@pytest.mark.parametrize("degrees", [1, 4, 9, 19])
def test_the_interval_is_close_to_the_exact_inversion_of_the_noncentral_chi_square(degrees):
    from scipy.special import chndtrinc

    statistic = np.linspace(degrees + 1.0, 200.0, 40)
    lower, upper = noncentrality(statistic, degrees, 0.95)
    exact_upper = chndtrinc(statistic, degrees, 0.025)
    assert np.abs(np.sqrt(upper) - np.sqrt(exact_upper)).max() < 0.1
    far = stats.chi2.sf(statistic, degrees) < 0.001
    exact_lower = chndtrinc(statistic[far], degrees, 0.975)
    assert np.abs(np.sqrt(lower[far]) - np.sqrt(exact_lower)).max() < 0.35


def test_an_empty_window_and_an_unknown_reference_are_named():
    counts = [[0] * 10, [5] * 10, [5] * 10, [-1] * 10, [5] * 10]
    probs = [UNIFORM, UNIFORM, UNIFORM * 3, UNIFORM, np.full(10, np.nan)]
    found = psi(counts, probs, [100, 0, 100, 100, 100])
    assert [x.reason for x in found] == [
        Reason.NO_EXPOSURE,
        Reason.UNKNOWN_REFERENCE,
        Reason.UNKNOWN_REFERENCE,
        Reason.DEGENERATE_OUTCOMES,
        Reason.UNKNOWN_REFERENCE,
    ]
    assert psi([[5]], [[1.0]], [100]) == [Insufficient(Reason.UNKNOWN_REFERENCE, 5)]
