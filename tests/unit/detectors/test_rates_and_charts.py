from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from detectors.begg_greenes import npv, sensitivity, specificity
from detectors.bernoulli_cusum import (
    false_alarm_probability,
    false_alert_parameters,
    fold,
    miss_parameters,
    run_length,
    weights,
)
from detectors.estimate import Insufficient, Reason
from detectors.label_arrivals import LatencyCurve, expected_arrivals, latency_curve
from detectors.negative_binomial import count_ratio
from detectors.poisson_rate_ratio import rate_ratio


def test_with_the_references_own_counts_the_ratio_has_the_conditional_binomial_interval():
    found = rate_ratio([30], [1000], reference_rate=9.0, reference_events=200, reference_exposure=10_000)[0]
    share = stats.binomtest(30, 230).proportion_ci(0.95, method="exact")
    assert found.value == pytest.approx(1.5)
    assert (found.lower, found.upper) == pytest.approx((share.low / (1 - share.low) * 10, share.high / (1 - share.high) * 10))
    assert (found.n, found.method) == (1000, "conditional_binomial")


def test_a_reference_rate_alone_is_taken_as_known():
    found = rate_ratio([30], [1000], reference_rate=0.02)[0]
    assert (found.lower, found.upper) == pytest.approx((stats.chi2.ppf(0.025, 60) / 40, stats.chi2.ppf(0.975, 62) / 40))
    assert found.method == "one_sample_exact_poisson"


def test_each_cell_has_its_own_kind_of_reference():
    found = rate_ratio(
        [0, 5, 5, 5, -1],
        [100, 0, 100, 100, 100],
        reference_rate=[0.1, 0.1, 0.0, 0.1, 0.1],
        reference_events=[10, 10, 0, np.nan, 10],
        reference_exposure=[100, 100, 100, 100, 100],
    )
    assert (found[0].value, found[0].lower) == (0.0, 0.0)
    assert found[0].upper > 0
    assert [found[i].reason for i in (1, 2, 4)] == [Reason.NO_EXPOSURE, Reason.UNKNOWN_REFERENCE, Reason.DEGENERATE_OUTCOMES]
    assert found[3].method == "one_sample_exact_poisson"


def test_weights_are_natural_log_likelihood_ratios():
    event, nonevent = weights([0.1, 0.5], [0.2, 0.25])
    assert event == pytest.approx([math.log(2), math.log(0.5)])
    assert nonevent == pytest.approx([math.log(8 / 9), math.log(1.5)])


def test_a_pane_folds_all_its_labels_at_once_and_never_below_zero():
    event, nonevent = weights(0.1, 0.2)
    folded = fold([0.0, 1.0, 0.5], [3, 0, 0], [5, 100, 0], event, nonevent)
    assert folded == pytest.approx([3 * math.log(2) + 2 * math.log(8 / 9), 0.0, 0.5])


ANY = st.one_of(st.floats(0, 1), st.floats(), st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e308, np.inf, -np.inf, np.nan]))
ANY_COUNT = st.one_of(st.integers(0, 12), st.sampled_from([-1, 10**6, 2**62, -(2**62), 2**63 - 1]))


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY, min_size=4, max_size=4), ANY_COUNT, ANY_COUNT)
def test_whatever_comes_in_a_chart_stays_finite_and_never_below_zero(numbers, events, trials):
    p0, p1, coverage, other = numbers
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        event, nonevent = weights(p0, p1)
        chart = fold([0.0, 2.5], events, trials, event, nonevent)
        corrected = [correct(p0, coverage, other) for correct in (miss_parameters, false_alert_parameters)]
    assert np.isfinite([event, nonevent, *corrected]).all()
    assert (np.isfinite(chart) & (chart >= 0)).all()


def simulated_run_length(p0, p1, p, h, runs, seed):
    rng = np.random.default_rng(seed)
    event, nonevent = weights(p0, p1)
    chart, age, done = np.zeros(runs), np.zeros(runs), np.zeros(runs, dtype=bool)
    while not done.all():
        chart = fold(chart, rng.random(runs) < p, 1, event, nonevent)
        age += ~done
        done |= chart >= h
    return age.mean(), age.std() / np.sqrt(runs)


@pytest.mark.parametrize(
    ("p0", "p1", "p", "h"),
    [(0.1, 0.2, 0.1, 2.0), (0.1, 0.2, 0.2, 3.0), (0.05, 0.15, 0.05, 2.5), (0.3, 0.15, 0.3, 2.0), (0.2, 0.5, 0.2, 2.3)],
)
def test_the_markov_chain_gives_the_run_length_of_the_simulated_chart(p0, p1, p, h):
    mean, error = simulated_run_length(p0, p1, p, h, 4000, 9)
    assert run_length(p0, p1, p, h) == pytest.approx(mean, abs=4 * error)


def test_a_chart_on_the_lattice_of_its_weights_has_the_closed_run_length():
    # p1 chosen so that an event outweighs exactly one non-event: |w_event| = |w_nonevent| needs p1 = 1 - p0.
    p0, p, h_steps = 0.4, 0.4, 3
    step = math.log(0.6 / 0.4)
    up, down = p, 1 - p
    transition = np.zeros((h_steps, h_steps))
    for state in range(h_steps):
        transition[state, max(state - 1, 0)] += down
        if state + 1 < h_steps:
            transition[state, state + 1] += up
    want = np.linalg.solve(np.eye(h_steps) - transition, np.ones(h_steps))[0]
    assert run_length(p0, 0.6, p, h_steps * step) == pytest.approx(want, rel=1e-6)


def test_a_chart_that_cannot_rise_never_signals():
    assert run_length(0.1, 0.2, 0.0, 3.0) == math.inf
    assert false_alarm_probability(math.inf, 1e6) == 0.0


@pytest.mark.parametrize("endless", [(0.1, 0.2, 0.1, 1e12), (0.1, 0.1 + 1e-12, 0.1, 1.0)])
def test_a_chain_that_would_fill_the_memory_is_refused(endless):
    with pytest.raises(ValueError, match="takes more than"):
        run_length(*endless)


@pytest.mark.parametrize("bad", [(0.0, 0.1, 0.1, 1.0), (0.1, 0.1, 0.1, 1.0), (0.1, 0.2, 1.5, 1.0), (0.1, 0.2, 0.1, 0.0)])
def test_a_chart_that_is_none_is_an_error_of_the_caller(bad):
    with pytest.raises(ValueError, match="no chart"):
        run_length(*bad)


def test_partial_verification_changes_the_share_of_misses_among_labelled_positives():
    assert miss_parameters(0.2, 0.1, 0.5) == pytest.approx(0.02 / (0.02 + 0.4))
    assert false_alert_parameters(0.2, 0.1, 0.5) == pytest.approx(0.1 / (0.1 + 0.08))
    assert miss_parameters(0.2, 0.7, 0.7) == pytest.approx(0.2)
    assert miss_parameters(0.2, 0.0, 0.0) == pytest.approx(0.2)


def test_the_latency_curve_goes_through_its_three_points_and_continues_its_ends():
    curve = latency_curve(24.0, 96.0, 240.0)
    assert curve.cdf([24.0, 96.0, 240.0]) == pytest.approx([0.5, 0.95, 0.99])
    z = stats.norm.ppf
    assert stats.norm.ppf(curve.cdf(6.0)) == pytest.approx(-z(0.95), abs=1e-9)
    gradient = (z(0.99) - z(0.95)) / math.log(2.5)
    assert stats.norm.ppf(curve.cdf(480.0)) == pytest.approx(z(0.99) + gradient * math.log(2), abs=1e-9)
    assert curve.cdf([0.0, -5.0]).tolist() == [0.0, 0.0]
    assert (np.diff(curve.cdf(np.geomspace(0.1, 1e5, 200))) >= 0).all()


def test_equal_percentiles_are_a_step():
    assert LatencyCurve(24.0, 24.0, 24.0).cdf([23.9, 24.1]).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("points", [(0.0, 1.0, 2.0), (3.0, 2.0, 4.0), (1.0, 2.0, math.inf), (math.nan, 1.0, 2.0)])
def test_a_latency_curve_that_falls_is_refused(points):
    with pytest.raises(ValueError, match="rising"):
        latency_curve(*points)


def test_arrivals_are_expected_only_after_the_inference():
    curve = latency_curve(24.0, 96.0, 240.0)
    expected = expected_arrivals(
        [100, 100, 100, 100],
        [0, 2, 0, 1],
        [0, 1, 2, 2],
        pane_mid_h=[0.0, 24.0, 90.0],
        cells=3,
        window_start_h=24,
        window_end_h=48,
        coverage=[0.5, 0.5, 1.0],
        curve=curve,
    )
    rise = float(curve.cdf(48.0) - 0.5)
    assert expected == pytest.approx([50 * rise, 0.0, 100 * rise + 50])


@pytest.mark.parametrize("dispersion", [1.0, 1.7, 4.0])
@pytest.mark.parametrize("observed", [0, 3, 12, 40])
def test_arrivals_double_the_mid_p_tail_of_scipys_negative_binomial(observed, dispersion):
    mean = 12.0
    law = stats.poisson(mean) if dispersion == 1.0 else stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
    half = law.pmf(observed) / 2
    want = min(1.0, 2 * min(law.cdf(observed - 1) + half, law.sf(observed) + half))
    found = count_ratio([observed], [mean], dispersion=dispersion)[0]
    assert found.p == pytest.approx(want, rel=1e-7)
    assert found.value == pytest.approx(observed / mean)
    assert found.n == observed


def test_more_dispersion_is_less_evidence():
    tight, loose = (count_ratio([4], [12.0], dispersion=d)[0] for d in (1.0, 3.0))
    assert tight.p < loose.p
    assert loose.lower < tight.lower < tight.upper < loose.upper


def test_nothing_expected_is_no_exposure():
    assert count_ratio([0, 3], [0.0, 0.0]) == [Insufficient(Reason.NO_EXPOSURE, 0), Insufficient(Reason.NO_EXPOSURE, 3)]


COUNTS = ([80], [20], [5], [95])
STRATA = {"flagged": [100], "unflagged": [1000]}


def test_inverse_coverage_gives_the_rates_of_the_whole_population():
    assert sensitivity(*COUNTS, **STRATA)[0].value == pytest.approx(80 / (80 + 50))
    assert specificity(*COUNTS, **STRATA)[0].value == pytest.approx(950 / (950 + 20))
    assert npv(*COUNTS, **STRATA)[0].value == pytest.approx(0.95)
    assert sensitivity(*COUNTS, **STRATA)[0].n == 85
    assert specificity(*COUNTS, **STRATA)[0].n == 115


def test_with_everything_verified_correction_changes_nothing():
    found = sensitivity([80], [20], [5], [95], flagged=[100], unflagged=[100])[0]
    assert found.value == pytest.approx(80 / 85)


@pytest.mark.parametrize("rate", [sensitivity, specificity, npv])
def test_corrected_intervals_hold_the_truth_about_as_often_as_they_say(rate):
    rng = np.random.default_rng(21)
    runs, n, prevalence = 2000, 3000, 0.15
    sick = rng.binomial(n, prevalence, runs)
    tp = rng.binomial(sick, 0.8)
    fp = rng.binomial(n - sick, 0.1)
    fn, tn = sick - tp, n - sick - fp
    seen = [rng.binomial(count, share) for count, share in ((tp, 0.9), (fp, 0.9), (fn, 0.2), (tn, 0.2))]
    truth = {sensitivity: 0.8, specificity: 0.9, npv: 0.85 * 0.9 / (0.85 * 0.9 + 0.15 * 0.2)}[rate]
    found = rate(*seen, flagged=tp + fp, unflagged=fn + tn)
    assert np.mean([f.lower <= truth <= f.upper for f in found]) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("counts", "strata", "reason"),
    [
        (([0], [20], [0], [95]), (100, 1000), Reason.NO_POSITIVES),
        (([8], [20], [0], [0]), (100, 1000), Reason.VERIFICATION_BIAS),
        (([0], [0], [5], [95]), (100, 1000), Reason.VERIFICATION_BIAS),
        (([8], [20], [5], [95]), (10, 1000), Reason.DEGENERATE_OUTCOMES),
        (([-8], [20], [5], [95]), (100, 1000), Reason.DEGENERATE_OUTCOMES),
        (([0], [0], [0], [0]), (0, 0), Reason.NO_EXPOSURE),
    ],
)
def test_a_correction_without_its_ground_is_named(counts, strata, reason):
    assert sensitivity(*counts, flagged=[strata[0]], unflagged=[strata[1]])[0].reason == reason


def test_no_miss_seen_is_not_certainty():
    found = sensitivity([80], [20], [0], [95], flagged=[100], unflagged=[1000])[0]
    assert found.value == 1.0
    assert found.lower < 0.98
