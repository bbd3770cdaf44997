"""How often intervals hold the truth: a fixed look within 1 % of the level it claims, repeated looks missing ever at most alpha.

Coverage of binomial and Poisson intervals is summed exactly over all counts; the others are simulated with a fixed seed. Exact
intervals (Clopper-Pearson, Garwood, conditional binomial) promise at least their level, the others their level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from detectors import begg_greenes, inverse_coverage, weighted_calibration_error, weighted_gap, weighted_prevalence
from detectors.arrays import Float
from detectors.auroc import auroc
from detectors.bounded_mean import bounded_mean
from detectors.brier import brier
from detectors.calibration import calibration_in_the_large, calibration_slope
from detectors.calibration_eprocess import calibration_eprocess
from detectors.dirichlet_multinomial import dirichlet_multinomial_e
from detectors.effective_counts import VerifiedCounts
from detectors.estimate import Estimate, Outcome
from detectors.harmful_shift import harmful_shift
from detectors.intervals import beta_binomial_confidence_sequence, clopper_pearson, poisson_exact, wilson
from detectors.kaplan_meier import UNREACHED, UPPER_CENSORED, delay_quantile
from detectors.negative_binomial import count_ratio
from detectors.observed_expected import observed_expected
from detectors.poisson_rate_ratio import rate_ratio
from detectors.score_bins import ScoreBins
from detectors.score_sketch import SKETCH_BINS, sketch_logit
from detectors.spiegelhalter import spiegelhalter
from detectors.subgroup_gap import gap_to_baseline, gap_to_overall
from detectors.variance_ratio import PowerSums, variance_ratio

LEVEL, WITHIN = 0.95, 0.01
CELLS = 20_000
SIMULATION = 3 * np.sqrt(LEVEL * (1 - LEVEL) / CELLS)
"""Three standard errors of a simulated coverage."""


def held(outcomes: list[Outcome], truth: float) -> float:
    """Share of the estimates that hold the truth; every window must give one."""
    inside = [one.lower <= truth <= one.upper for one in outcomes if isinstance(one, Estimate)]
    assert len(inside) >= 0.999 * len(outcomes)
    return float(np.mean(inside))


def assert_at_its_level(coverage: float) -> None:
    assert abs(coverage - LEVEL) <= WITHIN + SIMULATION, coverage


def assert_at_least_its_level(coverage: float) -> None:
    assert coverage >= LEVEL - SIMULATION, coverage


# exact sums ----------------------------------------------------------------------------------------------
SHARES = np.linspace(0.02, 0.98, 193)


def binomial_coverage(interval: Callable[[Any, Any, float], Any], n: int) -> Float:
    """Coverage at each of `SHARES`."""
    k = np.arange(n + 1)
    lower, upper = interval(k, np.full(n + 1, n), LEVEL)
    inside = (lower <= SHARES[:, None]) & (SHARES[:, None] <= upper)
    covered: Float = (stats.binom.pmf(k, n, SHARES[:, None]) * inside).sum(axis=1)
    return covered


@pytest.mark.parametrize("n", [30, 100, 1000])
def test_wilson_holds_its_level_on_average_over_the_shares(n):
    assert abs(binomial_coverage(wilson, n).mean() - LEVEL) <= WITHIN


@pytest.mark.parametrize("n", [5, 30, 100, 1000])
def test_clopper_pearson_never_holds_less_than_its_level(n):
    assert binomial_coverage(clopper_pearson, n).min() >= LEVEL - 1e-12


@pytest.mark.parametrize("mean", [0.3, 2.0, 9.7, 80.0])
def test_the_exact_poisson_interval_never_holds_less_than_its_level(mean):
    k = np.arange(400)
    lower, upper = poisson_exact(k, LEVEL)
    assert stats.poisson.pmf(k, mean)[(lower <= mean) & (mean <= upper)].sum() >= LEVEL - 1e-12


@pytest.mark.parametrize("dispersion", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("around", [20.0, 60.0, 200.0])
def test_the_mid_p_interval_of_a_count_ratio_holds_its_level_on_average_over_the_means(around, dispersion):
    k = np.arange(around + 12 * np.sqrt(dispersion * around) + 40)
    found = count_ratio(k, np.ones(len(k)), dispersion=dispersion, level=LEVEL)
    lower, upper = np.array([(one.lower, one.upper) for one in found if isinstance(one, Estimate)]).T
    covered = []
    for mean in around * np.linspace(0.9, 1.1, 41):
        law = stats.poisson(mean) if dispersion == 1 else stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
        covered.append(law.pmf(k)[(lower <= mean) & (mean <= upper)].sum())
    assert abs(np.mean(covered) - LEVEL) <= 0.005
    assert np.min(covered) >= LEVEL - WITHIN - 0.002


def test_the_interval_of_a_count_ratio_leaves_one_out_where_its_p_is_small():
    k = np.arange(120)
    for dispersion in (1.0, 1.7, 5.0):
        found = count_ratio(k, np.full(120, 45.0), dispersion=dispersion, level=LEVEL)
        assert [one.p < 1 - LEVEL for one in found] == [not one.lower <= 1.0 <= one.upper for one in found]


# one look, simulated -------------------------------------------------------------------------------------
def scored(rng: np.random.Generator, rows: int, cells: int, slope: float = 1.0) -> tuple[Float, Float, Float]:
    """Negatives and positives by bin of five scores, (cells, 5), whose true logit is `slope` x theirs; and the scores."""
    score = np.array([0.05, 0.15, 0.35, 0.6, 0.85])
    total = rng.multinomial(rows, [0.3, 0.25, 0.2, 0.15, 0.1], cells)
    pos = rng.binomial(total, special.expit(slope * special.logit(score)))
    return total - pos, pos, score


@pytest.mark.parametrize("rows", [150, 600])
def test_delong_on_the_logit_scale(rows):
    rng = np.random.default_rng(1)
    base = np.exp(-((np.arange(30) - 12) ** 2) / 60)
    above = np.exp(-((np.arange(30) - 18) ** 2) / 60)
    base, above = base / base.sum(), above / above.sum()
    truth = float((above * (np.cumsum(base) - base / 2)).sum())
    neg, pos = rng.multinomial(rows, base, CELLS), rng.multinomial(rows // 3, above, CELLS)
    assert_at_its_level(held(auroc(ScoreBins.of(neg, pos), level=LEVEL), truth))


@pytest.mark.parametrize("truth", [0.7, 1.0])
def test_wald_bounds_of_the_calibration_slope(truth):
    neg, pos, score = scored(np.random.default_rng(2), 800, CELLS, truth)
    assert_at_its_level(held(calibration_slope(ScoreBins.of(neg, pos), special.logit(score), level=LEVEL), truth))


def test_wald_bounds_of_calibration_in_the_large():
    neg, pos, score = scored(np.random.default_rng(3), 500, CELLS)
    assert_at_its_level(held(calibration_in_the_large(ScoreBins.of(neg, pos), special.logit(score), level=LEVEL), 0.0))


@pytest.mark.parametrize("rows", [60, 150, 500])
def test_students_interval_of_the_brier_score_on_logits(rows):
    neg, pos, score = scored(np.random.default_rng(4), rows, CELLS)
    powers = [np.rint((neg * score**p + pos * (1 - score) ** p).sum(axis=1) * 1e6) for p in (2, 4)]
    truth = float((np.array([0.3, 0.25, 0.2, 0.15, 0.1]) * score * (1 - score)).sum())
    assert_at_its_level(held(brier(np.full(CELLS, rows), *powers, level=LEVEL), truth))


@pytest.mark.parametrize("shape", [(2, 5), (8, 2), (0.5, 2), (5, 5)], ids=["skewed", "near one", "crowded at zero", "bell"])
@pytest.mark.parametrize("rows", [20, 50])
def test_students_interval_of_a_bounded_mean_on_logits(shape, rows):
    values = np.random.default_rng(23).beta(*shape, (CELLS, rows))
    sums = [np.rint(values**power * 1e6).sum(axis=1) for power in (1, 2)]
    truth = shape[0] / sum(shape)
    found = bounded_mean(np.full(CELLS, rows), *sums, reference=np.full(CELLS, truth), level=LEVEL)
    assert_at_its_level(held(found, truth))
    assert_at_its_level(float(np.mean([one.p >= 1 - LEVEL for one in found if isinstance(one, Estimate) and one.p is not None])))


def test_spiegelhalter_rejects_calibrated_scores_as_often_as_it_says():
    neg, pos, score = scored(np.random.default_rng(5), 500, CELLS)
    numerator = np.rint(((pos * (1 - score) - neg * score) * (1 - 2 * score)).sum(axis=1) * 1e6)
    variance = np.rint(((neg + pos) * (1 - 2 * score) ** 2 * score * (1 - score)).sum(axis=1) * 1e6)
    found = spiegelhalter(np.full(CELLS, 500), numerator, variance)
    assert_at_its_level(float(np.mean([one.p >= 1 - LEVEL for one in found if isinstance(one, Estimate) and one.p is not None])))


@pytest.mark.parametrize(("expected", "at_most"), [(5, 0.985), (40, 0.97), (400, 0.965)])
def test_observed_over_expected_is_exact_and_never_holds_less_than_its_level(expected, at_most):
    """The contract asks for exact intervals here: they hold more than they say, by the steps of the counts, and less of it the
    more events are expected.
    """
    rng = np.random.default_rng(6)
    n, p = 100 * expected, 0.01
    found = observed_expected(np.full(CELLS, n), rng.binomial(n, p, CELLS), np.full(CELLS, n * p * 1e6), level=LEVEL)
    coverage = held(found, 1.0)
    assert_at_least_its_level(coverage)
    assert coverage <= at_most + SIMULATION


@pytest.mark.parametrize(("events", "before", "at_most"), [(40, 90, 0.97), (400, 900, 0.96)])
def test_the_rate_ratio_against_a_reference_that_was_itself_counted_is_exact_too(events, before, at_most):
    rng = np.random.default_rng(7)
    counted, reference = rng.poisson(events * 1.3, CELLS), rng.poisson(before, CELLS)
    found = rate_ratio(counted, np.full(CELLS, 10.0 * events), reference_rate=np.full(CELLS, 0.1), reference_events=reference,
                       reference_exposure=np.full(CELLS, 10.0 * before), level=LEVEL)  # fmt: skip
    coverage = held(found, 1.3)
    assert_at_least_its_level(coverage)
    assert coverage <= at_most + SIMULATION


@pytest.mark.parametrize(("n", "rest"), [(80, 900), (300, 300)])
def test_newcombe_holds_the_gap_of_a_subgroup(n, rest):
    rng = np.random.default_rng(8)
    k, others = rng.binomial(n, 0.86, CELLS), rng.binomial(rest, 0.9, CELLS)
    truth = (1 - n / (n + rest)) * (0.86 - 0.9)
    found = gap_to_overall(k, np.full(CELLS, n), k + others, np.full(CELLS, n + rest), level=LEVEL)
    assert_at_its_level(held(found, truth))


def test_newcombe_holds_the_gap_to_a_baseline_that_was_measured():
    rng = np.random.default_rng(9)
    shares = rng.binomial(640, 0.92, CELLS) / 640
    found = gap_to_baseline(rng.binomial(150, 0.88, CELLS), np.full(CELLS, 150), shares, np.full(CELLS, 640), level=LEVEL)
    assert_at_its_level(held(found, -0.04))


def verified(rng: np.random.Generator, cells_drawn: int = CELLS) -> tuple[dict[str, Float], float]:
    """Counts by flag of cells whose unflagged cases were verified in one of five; and the true sensitivity."""
    positive, flagged_of = 0.2, {1: 0.85, 0: 0.1}
    cells = rng.multinomial(3000, [positive * 0.85, 0.8 * 0.1, positive * 0.15, 0.8 * 0.9], cells_drawn)
    fn, tn = rng.binomial(cells[:, 2], 0.2), rng.binomial(cells[:, 3], 0.2)
    flagged, unflagged = cells[:, 0] + cells[:, 1], cells[:, 2] + cells[:, 3]
    counts = {"tp": cells[:, 0], "fp": cells[:, 1], "fn": fn, "tn": tn, "flagged": flagged, "unflagged": unflagged}
    return counts, flagged_of[1]


def test_begg_greenes_holds_the_sensitivity_of_all_though_few_unflagged_cases_are_verified():
    counts, truth = verified(np.random.default_rng(10))
    assert_at_its_level(held(begg_greenes.sensitivity(**counts, level=LEVEL), truth))
    naive = counts["tp"] / (counts["tp"] + counts["fn"])
    assert naive.mean() > truth + 0.1, "without correction the misses among the unverified are forgotten"


def test_the_corrected_prevalence_holds_that_of_all_though_few_unflagged_cases_are_verified():
    counts, _ = verified(np.random.default_rng(17))
    assert_at_its_level(held(weighted_prevalence.prevalence(VerifiedCounts.of(**counts), level=LEVEL), 0.2))


def test_the_corrected_gap_to_a_baseline():
    counts, truth = verified(np.random.default_rng(19))
    baseline = np.random.default_rng(20).binomial(640, 0.9, CELLS) / 640
    found = weighted_gap.gap_to_baseline(
        VerifiedCounts.of(**counts), event="sensitivity", share=baseline, share_n=np.full(CELLS, 640), level=LEVEL
    )
    assert_at_its_level(held(found, truth - 0.9))


def test_the_corrected_gap_to_all_where_nobody_lags():
    """Four subgroups at a time, of one truth."""
    counts = verified(np.random.default_rng(21), CELLS)[0]
    windows = [{name: cell[at : at + 4] for name, cell in counts.items()} for at in range(0, CELLS, 4)]
    found = [
        one
        for window in windows
        for one in weighted_gap.gap_to_overall(VerifiedCounts.of(**window), event="sensitivity", level=LEVEL)
    ]
    assert_at_its_level(held(found, 0.0))


def test_the_weighted_brier_score():
    rng = np.random.default_rng(11)
    inferences = np.array([10_000, 600])
    labelled = np.array([1000, 600])
    risk, score = np.array([0.05, 0.6]), np.array([0.1, 0.5])
    events = rng.binomial(labelled, risk, (CELLS, 2))
    powers = [np.rint((events * (1 - score) ** p + (labelled - events) * score**p) * 1e6) for p in (2, 4)]
    truth = float((inferences * (risk * (1 - score) ** 2 + (1 - risk) * score**2)).sum() / inferences.sum())
    coverage = inverse_coverage.Coverage.of(np.tile(labelled, (CELLS, 1)), np.tile(inferences, (CELLS, 1)))
    assert_at_its_level(held(inverse_coverage.brier(coverage, *powers, level=LEVEL), truth))


def test_the_weighted_calibration_error():
    """The two highest of five scores are flagged; of the others a fifth is labelled.

    The root of a sum of squares that all may be 0 has no interval of one level: where the gaps are about as large as their
    errors it holds up to two points less, near calibration more.
    """
    rng = np.random.default_rng(22)
    score, share = np.array([0.05, 0.15, 0.35, 0.6, 0.85]), np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    excess = np.array([0.04, 0.0, 0.1, 0.0, -0.15])
    flagged = score >= 0.5
    cases = rng.multinomial(4000, share, CELLS)
    labelled = np.where(flagged, cases, rng.binomial(cases, 0.2))
    pos = rng.binomial(labelled, score + excess)
    by_flag = np.array([~flagged, flagged])
    found = weighted_calibration_error.calibration_error(
        (labelled - pos)[:, None] * by_flag, pos[:, None] * by_flag, np.rint(labelled * score * 1e6), cases @ by_flag.T,
        level=LEVEL,
    )  # fmt: skip
    truth = float(np.sqrt((share * excess**2).sum()))
    assert abs(held(found, truth) - LEVEL) <= 2 * WITHIN + SIMULATION


VALUES: dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], Float], float, float]] = {
    "normal": (lambda rng, shape: rng.normal(0, 1, shape), 1.0, 3.0),
    "uniform": (lambda rng, shape: rng.random(shape), 1 / 12, 1.8),
    "gamma, skewness 1": (lambda rng, shape: rng.gamma(4.0, 1.0, shape), 4.0, 4.5),
    "exponential": (lambda rng, shape: rng.exponential(1.0, shape), 1.0, 9.0),
}
"""Draws, their variance and their kurtosis."""


@pytest.mark.parametrize(
    ("law", "n"),
    [("normal", 20), ("normal", 50), ("normal", 400), ("uniform", 50), ("gamma, skewness 1", 100), ("exponential", 400)],
)
def test_bonetts_interval_of_the_variance_ratio(law, n):
    """Values more skewed, or fewer of them, hold less often: the table of the detector says how often."""
    rng = np.random.default_rng(12)
    draw, variance, kurtosis = VALUES[law]
    values = draw(rng, (CELLS, n))
    # The reference's variance is measured, too: in that many rows it is normal whatever the values.
    m = 20_000
    reference = variance * rng.normal(1.0, np.sqrt((kurtosis - 1) / m), CELLS)
    sums = PowerSums(np.full(CELLS, n), *((values**power).sum(axis=1) for power in (1, 2, 3, 4)))
    assert_at_its_level(held(variance_ratio(sums, reference, np.full(CELLS, m), tail="both", level=LEVEL), 1.0))


@pytest.mark.parametrize("q", [0.5, 0.95])
@pytest.mark.parametrize("censoring", [0.0, 0.3], ids=["all ended", "a fifth censored"])
@pytest.mark.parametrize(("waits", "cells"), [(60, 10_000), (400, 3000)])
def test_the_beta_product_interval_of_a_delay_never_holds_less_than_its_level(q, censoring, waits, cells):
    """Where nobody is censored it is exact, and misses less than one in twenty by the steps of the binomial alone."""
    rng = np.random.default_rng(24)
    delay = rng.exponential(1.0, (cells, waits))
    limit = rng.exponential(1 / censoring, (cells, waits)) if censoring else np.full((cells, waits), np.inf)
    shown = np.minimum(delay, limit)
    order = np.argsort(shown, axis=1)
    shown, ended = (np.take_along_axis(one, order, axis=1) for one in (shown, (delay <= limit).astype(float)))
    found = delay_quantile(ended, ended * shown, 1 - ended, (1 - ended) * shown, shown, q=q, level=LEVEL)
    truth = -np.log(1 - q)
    estimates = [one for one in found if isinstance(one, Estimate)]
    assert len(estimates) == cells
    too_short = np.mean([one.upper < truth and one.method not in (UPPER_CENSORED, UNREACHED) for one in estimates])
    too_long = np.mean([one.lower > truth for one in estimates])
    half = (1 - LEVEL) / 2
    assert max(too_short, too_long) <= half + 3 * np.sqrt(half * (1 - half) / cells)
    assert (too_long if waits == 60 and q == 0.95 else too_long + too_short) > 0.004


# looked at again and again -------------------------------------------------------------------------------
STREAMS, LOOKS = 400, 800
MOST_EVER = 0.05 * STREAMS + 3 * np.sqrt(0.05 * 0.95 * STREAMS)
"""Streams that may ever miss at alpha = .05, with three standard errors of the simulation."""


@pytest.mark.parametrize("share", [0.03, 0.4, 0.9])
def test_the_confidence_sequence_ever_misses_in_at_most_alpha_of_streams(share):
    rng = np.random.default_rng(13)
    k = np.cumsum(rng.random((STREAMS, LOOKS)) < share, axis=1)
    lower, upper = beta_binomial_confidence_sequence(k, np.broadcast_to(np.arange(1, LOOKS + 1), k.shape), LEVEL)
    assert ((share < lower) | (share > upper)).any(axis=1).sum() <= MOST_EVER


def test_a_fixed_look_interval_looked_at_again_and_again_misses_far_oftener():
    rng = np.random.default_rng(13)
    k = np.cumsum(rng.random((STREAMS, LOOKS)) < 0.4, axis=1)[:, 9:]
    lower, upper = wilson(k, np.broadcast_to(np.arange(10, LOOKS + 1), k.shape), LEVEL)
    assert ((lower > 0.4) | (upper < 0.4)).any(axis=1).mean() > 0.3


def test_the_confidence_sequence_of_a_corrected_prevalence_ever_misses_in_at_most_alpha_of_streams():
    """From where both flags have cases to go by, as it holds asymptotically; a fifth of the unflagged is verified."""
    rng = np.random.default_rng(18)
    flagged, looked_at = rng.random((STREAMS, 5 * LOOKS)) < 0.2, rng.random((STREAMS, 5 * LOOKS)) < 0.2
    positive = rng.random(flagged.shape) < np.where(flagged, 0.6, 0.05)
    cases = {"tp": flagged & positive, "fp": flagged & ~positive, "fn": ~flagged & looked_at & positive,
             "tn": ~flagged & looked_at & ~positive, "flagged": flagged, "unflagged": ~flagged}  # fmt: skip
    counts = {name: np.cumsum(cell, axis=1)[:, 199::10] for name, cell in cases.items()}
    looks = VerifiedCounts.of(**{name: count.ravel() for name, count in counts.items()})
    found = weighted_prevalence.prevalence(looks, method="confidence_sequence", level=LEVEL)
    missed = [isinstance(one, Estimate) and not one.lower <= 0.2 * 0.6 + 0.8 * 0.05 <= one.upper for one in found]
    assert np.reshape(missed, counts["tp"].shape).any(axis=1).sum() <= MOST_EVER


def test_the_calibration_e_process_of_calibrated_scores_ever_reaches_twenty_in_at_most_one_stream_of_twenty():
    rng = np.random.default_rng(14)
    score = special.expit(sketch_logit())
    rows = rng.integers(20, SKETCH_BINS - 20, (STREAMS, LOOKS // 10, 10))
    label = rng.random(rows.shape) < score[rows]
    reached = np.zeros(STREAMS, np.bool_)
    neg, pos = np.zeros((2, STREAMS, SKETCH_BINS))
    for look in range(LOOKS // 10):
        for stream in range(STREAMS):
            np.add.at(pos[stream], rows[stream, look][label[stream, look]], 1)
            np.add.at(neg[stream], rows[stream, look][~label[stream, look]], 1)
        found = calibration_eprocess(neg, pos, np.floor((neg + pos) * score * 1e6))
        reached |= np.array([isinstance(one, Estimate) and one.e is not None and one.e >= 20 for one in found])
    assert reached.sum() <= MOST_EVER


def test_the_e_value_of_a_mix_without_change_ever_reaches_twenty_in_at_most_one_stream_of_twenty():
    rng = np.random.default_rng(15)
    probs = np.array([0.5, 0.3, 0.15, 0.05])
    counts = np.cumsum(rng.multinomial(4, probs, (STREAMS, LOOKS // 4)), axis=1)
    flat = counts.reshape(-1, 4)
    e = dirichlet_multinomial_e(flat, np.tile(probs, (len(flat), 1)), np.full(len(flat), 1e15))
    assert (e.reshape(STREAMS, -1) >= 20).any(axis=1).sum() <= MOST_EVER


def test_harm_that_is_none_is_ever_shown_in_at_most_alpha_of_streams():
    rng = np.random.default_rng(16)
    validated = rng.binomial(800, 0.1, STREAMS)
    events = np.cumsum(rng.random((STREAMS, LOOKS)) < 0.1, axis=1)[:, 4::5]
    n = np.broadcast_to(np.arange(5, LOOKS + 1, 5), events.shape)
    found = harmful_shift(events.ravel(), n.ravel(), np.repeat(validated, n.shape[1]), np.full(n.size, 800), level=LEVEL)
    shown = np.array([isinstance(one, Estimate) and one.lower > 0 for one in found]).reshape(events.shape)
    assert shown.any(axis=1).sum() <= MOST_EVER
