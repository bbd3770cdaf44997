from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from detectors.calibration_eprocess import _bets, calibration_eprocess
from detectors.estimate import Insufficient, Reason
from detectors.score_sketch import SKETCH_BINS, sketch_bin
from detectors.spiegelhalter import spiegelhalter
from tests.unit.detectors.sketches import drawn, sketched


def martingale(score, outcome):
    """The mixture of bets folded row by row, as it would be played: after each row, its capital."""
    bins = sketch_bin(np.round(score * 1e6).astype(np.int64))
    bet = _bets()[:, bins]
    won = bet * outcome - np.log1p(score * np.expm1(bet))
    return np.logaddexp.reduce(np.cumsum(won, axis=1), axis=0) - np.log(len(bet))


def test_the_e_value_never_exceeds_the_bets_played_row_by_row_and_hardly_falls_short_of_them():
    rng = np.random.default_rng(1)
    for slope in (1.0, 0.6):
        score, outcome = drawn(rng, (1, 2000), slope=slope)
        capital = martingale(score[0], outcome[0])
        for rows in (1, 10, 200, 2000):
            found = calibration_eprocess(*sketched(score[:, :rows], outcome[:, :rows]))[0]
            assert capital[rows - 1] - 0.1 <= found.value <= capital[rows - 1] + 1e-9
            assert found.n == rows


def test_a_bet_on_one_outcome_is_fair_at_the_odds_of_the_score():
    for score in (0.001, 0.2, 0.5, 0.93):
        bet = _bets()[:, sketch_bin(np.array([round(score * 1e6)]))[0]]
        average = (score * np.exp(bet) + 1 - score) / (1 + score * np.expm1(bet))
        assert average == pytest.approx(np.ones(len(bet)), abs=1e-12)


def test_it_is_the_same_in_any_order_of_rows():
    rng = np.random.default_rng(3)
    score, outcome = drawn(rng, (1, 500), shift=0.5)
    shuffled = rng.permutation(500)
    assert calibration_eprocess(*sketched(score[:, shuffled], outcome[:, shuffled])) == calibration_eprocess(
        *sketched(score, outcome)
    )


@pytest.mark.parametrize(("shift", "slope", "rows"), [(0.4, 1.0, 1500), (-0.4, 1.0, 1500), (0.0, 0.6, 1500), (0.0, 1.8, 1500)])
def test_scores_that_are_off_are_found_out(shift, slope, rows):
    found = calibration_eprocess(*sketched(*drawn(np.random.default_rng(4), (60, rows), shift=shift, slope=slope)))
    assert np.mean([one.e >= 20 for one in found]) > 0.95


def test_evidence_against_wrong_scores_grows_with_the_rows():
    score, outcome = drawn(np.random.default_rng(6), (1, 4000), slope=0.5)
    values = [calibration_eprocess(*sketched(score[:, :rows], outcome[:, :rows]))[0].value for rows in (250, 1000, 4000)]
    assert values == sorted(values)
    assert values[-1] > 50


def test_evidence_beyond_all_bounds_stays_a_number():
    neg, pos, sums = np.zeros((3, 1, SKETCH_BINS), dtype=np.int64)
    pos[0, 100], sums[0, 100] = 10**9, 250_000 * 10**9
    assert calibration_eprocess(neg, pos, sums)[0].e == pytest.approx(1e300)


def test_no_row_is_no_evidence_and_impossible_sums_are_named():
    neg, pos, sums = np.zeros((3, 2, SKETCH_BINS), dtype=np.int64)
    neg[1, 5], sums[1, 5] = 2, 2_100_000
    assert calibration_eprocess(neg, pos, sums) == [Insufficient(Reason.NO_EXPOSURE), Insufficient(Reason.DEGENERATE_OUTCOMES, 2)]


def spiegelhalter_sums(score, outcome):
    terms = ((outcome - score) * (1 - 2 * score), (1 - 2 * score) ** 2 * score * (1 - score))
    return tuple(np.round(term.cumsum(axis=1) * 1e6).astype(np.int64) for term in terms)


def test_the_e_value_of_spiegelhalters_sums_ever_reaches_twenty_in_at_most_one_calibrated_stream_of_twenty():
    score, outcome = drawn(np.random.default_rng(8), (1500, 1200))
    numerator, variance = spiegelhalter_sums(score, outcome)
    ever = np.zeros(1500, dtype=bool)
    for rows in range(20, 1201, 20):
        found = spiegelhalter(np.full(1500, rows), numerator[:, rows - 1], variance[:, rows - 1])
        ever |= np.array([one.e >= 20 for one in found])
    assert ever.mean() <= 0.05


def test_both_directions_of_spiegelhalters_sums_are_bet_on():
    rng = np.random.default_rng(9)
    for slope in (0.5, 2.5):
        score, outcome = drawn(rng, (40, 3000), slope=slope)
        numerator, variance = spiegelhalter_sums(score, outcome)
        found = spiegelhalter(np.full(40, 3000), numerator[:, -1], variance[:, -1])
        assert np.mean([one.e >= 20 for one in found]) > 0.9


def test_one_row_never_lies_farther_from_zero_than_the_bets_on_spiegelhalters_sums_assume():
    score = expit(np.linspace(-14, 14, 20_001))
    for outcome in (0.0, 1.0):
        term = (outcome - score) * (1 - 2 * score)
        assert term.max() <= 1.0
        assert term.min() >= -0.125 - 1e-12
