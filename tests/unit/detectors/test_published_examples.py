"""Worked examples of the literature, whose numbers are small enough to stand here."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.bernoulli_cusum import fold, weights
from detectors.intervals import clopper_pearson, poisson_exact, wilson
from detectors.observed_expected import observed_expected
from detectors.poisson_rate_ratio import rate_ratio
from detectors.proportion import proportion


@pytest.mark.parametrize(
    ("events", "trials", "score", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0000, 0.1611), (0.0000, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_intervals_of_newcombe_1998(events, trials, score, exact):
    """Newcombe 1998, Stat Med 17:857, table I: the score method and the exact method."""
    for interval, want in ((wilson, score), (clopper_pearson, exact)):
        lower, upper = interval([events], [trials], 0.95)
        assert (lower[0], upper[0]) == pytest.approx(want, abs=5e-5)


@pytest.mark.parametrize(
    ("count", "lower", "upper"), [(0, 0.0, 3.689), (1, 0.025, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)]
)
def test_limits_of_a_poisson_count_of_garwood_1936(count, lower, upper):
    """Garwood 1936, Biometrika 28:437; an observed/expected ratio has them over the expected count."""
    low, high = poisson_exact([count], 0.95)
    assert (low[0], high[0]) == pytest.approx((lower, upper), rel=5e-4, abs=5e-4)
    ratio = observed_expected([1000], [count], [20 * 10**6])[0]
    assert (ratio.lower, ratio.upper) == pytest.approx((lower / 20, upper / 20), rel=5e-4, abs=5e-5)


def test_breast_cancer_after_fluoroscopy():
    """Boice & Monson 1977: 41 cases in 28,010 person-years against 15 in 19,017; exact interval as textbooks print it."""
    reference = {"reference_rate": 15 / 19017, "reference_events": 15, "reference_exposure": 19017}
    found = rate_ratio([41], [28010], **reference)[0]
    assert (found.value, found.lower, found.upper) == pytest.approx((1.855759, 1.005684, 3.6093), abs=5e-6)
    assert found.method == "conditional_binomial"


COMPAS = {
    # true negatives, false positives, false negatives, true positives -> FPR, FNR, PPV
    "African-American": ((990, 805, 532, 1369), (0.4485, 0.2799, 0.6297)),
    "Caucasian": ((1139, 349, 461, 505), (0.2345, 0.4772, 0.5913)),
    "Hispanic": ((318, 87, 129, 103), (0.2148, 0.5560, 0.5421)),
}


@pytest.mark.parametrize("group", COMPAS)
def test_error_rates_of_a_risk_score_by_group(group):
    """ProPublica 2016, two-year recidivism, score above low; the third group's rates were recomputed from their 637 rows."""
    (tn, fp, fn, tp), published = COMPAS[group]
    shares = proportion([fp, fn, tp], [tn + fp, fn + tp, tp + fp], method="wilson")
    assert [one.value for one in shares] == pytest.approx(published, abs=5e-5)


def odds_multiplied(p, ratio):
    return ratio * p / (1 - p + ratio * p)


@pytest.mark.parametrize(("ratio", "scores"), [(2.0, (-0.024, 0.669, -0.433, 0.260)), (0.5, (0.012, -0.681, 0.316, -0.377))])
def test_scores_of_a_risk_adjusted_cusum(ratio, scores):
    """Steiner 2014, p. 234: Parsonnet 0 and 50, survived and died; p0 = the patient's risk, p1 = its odds times `ratio`."""
    risk = np.array([1 / (1 + math.exp(3.68 - 0.077 * parsonnet)) for parsonnet in (0, 50)])
    died, survived = weights(risk, odds_multiplied(risk, ratio))
    assert (survived[0], died[0], survived[1], died[1]) == pytest.approx(scores, abs=5e-4)


def test_scores_of_rigdon_and_fricker():
    """Rigdon & Fricker, p. 225: Parsonnet 19 and 0, coefficients -3.67 and .077."""
    risk = np.array([1 / (1 + math.exp(3.67 - 0.077 * parsonnet)) for parsonnet in (19, 0)])
    died, survived = weights(risk, odds_multiplied(risk, 2.0))
    assert (survived[0], died[0], survived[1], died[1]) == pytest.approx((-0.0954, 0.5986, -0.0245, 0.6686), abs=1e-3)


def test_a_chart_folds_patients_of_different_risk_as_scores_add_up():
    event, nonevent = weights([0.05, 0.4], [odds_multiplied(0.05, 2), odds_multiplied(0.4, 2)])
    chart = 0.0
    for patient, died in ((0, 1), (1, 0), (1, 1)):
        chart = float(fold(chart, died, 1, event[patient], nonevent[patient]))
    assert chart == pytest.approx(event[0] + nonevent[1] + event[1])
