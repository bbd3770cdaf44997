from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from detectors.estimate import Insufficient, Reason
from detectors.murphy import murphy
from tests.unit.detectors.sketches import drawn, sketched

SIGNS = {"reliability": 1, "resolution": -1, "uncertainty": 1, "within_variance": 1, "within_covariance": -1}


def term(tables, name, **options):
    return np.array([found.value for found in murphy(*tables, term=name, **options)])


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("groups", [3, 10, None])
def test_the_terms_add_up_to_the_brier_score_exactly(groups, corrected):
    tables = sketched(*drawn(np.random.default_rng(1), (20, 700), shift=0.4, slope=0.7))
    options = {"groups": groups, "corrected": corrected}
    added = sum(sign * term(tables, name, **options) for name, sign in SIGNS.items())
    assert added == pytest.approx(term(tables, "brier", **options), abs=1e-14)


def test_without_the_terms_within_groups_they_do_not_add_up():
    tables = sketched(*drawn(np.random.default_rng(2), (1, 5000)))
    three = sum(SIGNS[name] * term(tables, name, groups=3)[0] for name in ("reliability", "resolution", "uncertainty"))
    assert abs(three - term(tables, "brier", groups=3)[0]) > 0.005


def test_the_score_is_nearly_that_of_the_rows():
    score, outcome = drawn(np.random.default_rng(3), (1, 2000))
    found = murphy(*sketched(score, outcome), term="brier")[0]
    assert found.value == pytest.approx(brier_score_loss(outcome[0], score[0]), abs=1e-3)
    assert (found.lower, found.upper, found.n) == (found.value, found.value, 2000)


def test_the_example_of_one_forecast_for_all():
    """A climatological forecast is reliable, resolves nothing, and scores the uncertainty."""
    tables = ([[70]], [[30]], [[30_000_000]])
    values = {name: term(tables, name, groups=None)[0] for name in ("brier", *SIGNS)}
    assert values == pytest.approx({"brier": 0.21, "uncertainty": 0.21} | dict.fromkeys(set(SIGNS) - {"uncertainty"}, 0.0))


def test_corrected_terms_average_to_those_of_very_many_rows():
    rng = np.random.default_rng(4)
    many = sketched(*drawn(rng, (1, 400_000), slope=0.7))
    few = sketched(*drawn(rng, (6000, 120), slope=0.7))
    for name in ("reliability", "resolution", "uncertainty"):
        truth = term(many, name)[0]
        corrected, plain = term(few, name, corrected=True).mean(), term(few, name).mean()
        assert corrected == pytest.approx(truth, abs=1.5e-3)
        assert abs(plain - truth) > abs(corrected - truth)


def test_overconfidence_is_unreliable_and_resolves_as_before():
    rng = np.random.default_rng(5)
    score, outcome = drawn(rng, (1, 100_000))
    sharper = np.round(1 / (1 + ((1 - score) / score) ** 1.8), 6)
    calm, bold = sketched(score, outcome), sketched(sharper, outcome)
    assert term(bold, "reliability", corrected=True)[0] > 20 * term(calm, "reliability", corrected=True)[0]
    assert term(bold, "resolution")[0] == pytest.approx(term(calm, "resolution")[0], rel=0.02)


def test_no_row_and_impossible_counts_are_named():
    found = murphy([[0], [-1]], [[0], [2]], [[0], [1_000_000]], term="reliability")
    assert found == [Insufficient(Reason.NO_EXPOSURE), Insufficient(Reason.DEGENERATE_OUTCOMES)]
