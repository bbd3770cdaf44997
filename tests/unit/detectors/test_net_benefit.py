from __future__ import annotations

import numpy as np
import pytest

from detectors.estimate import Insufficient, Reason
from detectors.net_benefit import net_benefit, net_benefit_of_scores
from tests.unit.detectors.sketches import drawn, sketched


def test_it_is_hits_less_false_alarms_at_the_odds_of_the_threshold():
    """Vickers & Elkin 2006: at a threshold of 10 % nine false positives weigh as much as one true one."""
    assert net_benefit([65], [225], [1000], threshold=0.1)[0].value == pytest.approx(0.065 - 0.225 / 9)
    assert net_benefit([10], [90], [1000], threshold=0.1)[0].value == pytest.approx(0.0)


def test_acting_on_everybody_is_worth_nothing_where_the_threshold_is_the_prevalence():
    assert net_benefit([200], [800], [1000], threshold=0.2)[0].value == pytest.approx(0.0)


def test_a_calibrated_score_is_worth_more_than_acting_on_all_or_nobody():
    neg, pos, _ = sketched(*drawn(np.random.default_rng(1), (1, 50_000)))
    for threshold in (0.1, 0.3, 0.6):
        of_scores = net_benefit_of_scores(neg, pos, threshold=threshold)[0].value
        of_all = net_benefit(pos.sum(axis=1), neg.sum(axis=1), [50_000], threshold=threshold)[0].value
        assert of_scores > max(of_all, 0.0)


def test_the_sketch_gives_nearly_what_the_rows_give():
    score, outcome = drawn(np.random.default_rng(2), (1, 20_000))
    neg, pos, _ = sketched(score, outcome)
    for threshold in (0.05, 0.42, 0.9):
        acted = score >= threshold
        rows = net_benefit([(acted & (outcome == 1)).sum()], [(acted & (outcome == 0)).sum()], [20_000], threshold=threshold)[0]
        assert net_benefit_of_scores(neg, pos, threshold=threshold)[0].value == pytest.approx(rows.value, abs=0.004)


def test_its_bounds_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    for threshold, shares in ((0.2, (0.06, 0.14, 0.80)), (0.5, (0.3, 0.4, 0.3))):
        hits, alarms, _ = rng.multinomial(400, shares, 6000).T
        truth = shares[0] - shares[1] * threshold / (1 - threshold)
        found = net_benefit(hits, alarms, np.full(6000, 400), threshold=threshold)
        assert np.mean([one.lower <= truth <= one.upper for one in found]) == pytest.approx(0.95, abs=0.012)


def test_nothing_flagged_is_worth_nothing_and_that_is_not_certain():
    found = net_benefit([0], [0], [30], threshold=0.2)[0]
    assert found.value == 0.0
    assert found.lower < -0.02
    assert found.upper > 0.1


def test_no_row_and_more_calls_than_rows_are_named():
    found = net_benefit([0, 5, -1], [0, 6, 0], [0, 10, 10], threshold=0.2)
    assert [one.reason for one in found if isinstance(one, Insufficient)] == [
        Reason.NO_EXPOSURE, Reason.DEGENERATE_OUTCOMES, Reason.DEGENERATE_OUTCOMES,
    ]  # fmt: skip


@pytest.mark.parametrize("threshold", [0.0, 1.0, float("nan")])
def test_a_threshold_without_odds_is_an_error(threshold):
    with pytest.raises(ValueError, match="threshold"):
        net_benefit([1], [1], [10], threshold=threshold)
    with pytest.raises(ValueError, match="threshold"):
        net_benefit_of_scores([[1]], [[1]], threshold=threshold)
