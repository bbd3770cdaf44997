"""The Dirichlet-multinomial e-value of category counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.dirichlet_multinomial import dirichlet_multinomial_e
from detectors.estimate import LARGEST_E

PROBS = np.array([0.5, 0.3, 0.15, 0.05])
KNOWN = 1e12
"""Rows of a reference that is as good as known."""


def test_it_is_the_mixture_probability_over_the_reference_probability():
    for concentration in (0.5, 1.0, 20.0):
        counts = np.array([12, 9, 1, 8])
        prior = PROBS * 4 * concentration
        want = stats.dirichlet_multinomial.pmf(counts, prior, 30) / stats.multinomial.pmf(counts, 30, PROBS)
        found = dirichlet_multinomial_e([counts], [PROBS], [KNOWN], concentration=concentration)
        assert found[0] == pytest.approx(want, rel=1e-7)


def test_no_row_at_all_has_no_e_value_and_one_row_of_any_kind_says_nothing():
    assert np.isnan(dirichlet_multinomial_e([[0, 0, 0, 0]], [PROBS], [KNOWN])[0])
    assert dirichlet_multinomial_e(np.eye(4), np.tile(PROBS, (4, 1)), np.full(4, KNOWN)) == pytest.approx(np.ones(4))


def test_its_mean_under_the_reference_is_one():
    counts = np.array([[a, b, c, 6 - a - b - c] for a in range(7) for b in range(7 - a) for c in range(7 - a - b)])
    e = dirichlet_multinomial_e(counts, np.tile(PROBS, (len(counts), 1)), np.full(len(counts), KNOWN))
    assert stats.multinomial.pmf(counts, 6, PROBS) @ e == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_watched_for_ever_it_exceeds_its_limit_no_more_often_than_it_may(alpha):
    rng = np.random.default_rng(11)
    streams, looks = 2000, 120
    counts = rng.multinomial(5, PROBS, (looks, streams)).cumsum(axis=0)
    probs, m = np.tile(PROBS, (streams, 1)), np.full(streams, KNOWN)
    ever = np.zeros(streams, np.bool_)
    for look in counts:
        ever |= dirichlet_multinomial_e(look, probs, m) >= 1 / alpha
    assert ever.mean() <= alpha


def test_a_changed_mix_is_found():
    changed = np.array([0.35, 0.3, 0.25, 0.1])
    rng = np.random.default_rng(12)
    e = dirichlet_multinomial_e(rng.multinomial(400, changed, 300), np.tile(PROBS, (300, 1)), np.full(300, KNOWN))
    assert np.mean(e >= 20) > 0.95


def test_a_category_that_the_reference_never_saw_is_rare_and_not_impossible():
    few = dirichlet_multinomial_e([[5, 4, 1], [4, 3, 3]], [[0.6, 0.4, 0.0]] * 2, [500] * 2)
    assert few[0] < 1 < 20 < few[1] < 1e6
    assert dirichlet_multinomial_e([[0, 0, 10**9]], [[0.6, 0.4, 0.0]], [500])[0] == pytest.approx(LARGEST_E)
