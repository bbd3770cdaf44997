"""The oracle's statistics against other people's definitions of the same quantities, and numbers worked out by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from tests.oracle import drift, intervals
from tests.oracle.periods import months
from tests.oracle.survival import quantile_of_delays

EDGES = np.array([0.0, 1.0, 2.0, 4.0])
THREE_BINS = drift.Histogram(np.array([5.0, 20.0, 15.0]), np.array([0.2, 0.5, 0.3]), 400.0, EDGES)


def test_jensen_shannon_is_the_square_of_scipys_distance_of_the_smoothed_shares() -> None:
    distance, p = drift.js(THREE_BINS)
    assert distance == pytest.approx(jensenshannon(THREE_BINS.field, THREE_BINS.reference) ** 2)
    assert p == pytest.approx(stats.chi2.sf(8 * distance * 40 * 400 / 440, 2))


def test_pearsons_p_is_that_of_the_contingency_table() -> None:
    assert drift.pearson_p(THREE_BINS) == pytest.approx(stats.chi2_contingency([[5, 20, 15], [80, 200, 120]]).pvalue)


def test_the_quartiles_of_the_reference_are_inside_its_bins() -> None:
    """Quartiles of .2 .5 .3 over [0, 1, 2, 4]: 1 + .05 / .5 and 2 + 2 * .05 / .3."""
    moved, _ = drift.wasserstein(THREE_BINS) or (0.0, 0.0)
    field, reference = np.cumsum(THREE_BINS.field), np.cumsum(THREE_BINS.reference)
    by_hand = abs(field - reference) @ [1.0, 1.5, 0.0]
    assert moved == pytest.approx(by_hand / ((2 + 2 * 0.05 / 0.3) - 1.1))


def test_the_e_value_of_two_bins_is_the_ratio_of_beta_functions() -> None:
    even = drift.Histogram(np.array([3.0, 7.0]), np.array([0.5, 0.5]), 1e12, None)
    beta = math.gamma(4) * math.gamma(8) / math.gamma(12)
    assert drift.e_value(even, 1.0) == pytest.approx(beta * 2**10)


def test_a_count_has_one_tail_or_both() -> None:
    tails = [intervals.count_p(3, 5.0, 1.0, tail) for tail in ("lower", "upper", "both")]
    law = stats.poisson(5.0)
    assert tails[0] == pytest.approx(law.cdf(3) - law.pmf(3) / 2)
    assert tails[0] + tails[1] == pytest.approx(1)
    assert tails[2] == pytest.approx(2 * tails[0])


def test_the_survival_quantile_is_scipys_inside_an_interval_near_its_log_log_one() -> None:
    rng = np.random.default_rng(5)
    delays = [
        (float(delay), bool(delay < limit))
        for delay, limit in zip(rng.exponential(60, 80), rng.exponential(150, 80), strict=True)
    ]
    sample = stats.CensoredData.right_censored([delay for delay, _ in delays], [not seen for _, seen in delays])
    survival = stats.ecdf(sample).sf
    bounds = survival.confidence_interval(0.95, method="log-log")
    value, lower, upper, method = quantile_of_delays(delays, 0.5, 0.95)
    assert value == survival.quantiles[np.argmax(survival.probabilities <= 0.5)]
    seen = survival.quantiles
    for ours, band in ((lower, bounds.low), (upper, bounds.high)):
        assert abs(np.searchsorted(seen, ours) - np.argmax(band.probabilities <= 0.5)) <= 2
    assert lower < value < upper
    assert method == "kaplan_meier"


def test_a_bound_that_is_not_reached_is_the_longest_wait() -> None:
    waiting = [(10.0, True), (20.0, True), (500.0, False)]
    assert quantile_of_delays(waiting, 0.95, 0.95)[2:] == (500.0, "kaplan_meier_unreached_upper_censored")


def test_months_follow_the_clocks_of_their_zone() -> None:
    """Berlin: March 2026 begins at 23:00 UTC and ends, on summer time, at 22:00."""
    first_ms = _ms("2026-03-10T00:00:00+00:00")
    march, april = months(first_ms, _ms("2026-05-01T00:00:00+00:00"), ZoneInfo("Europe/Berlin"))
    assert (march.start_ms, march.end_ms) == (_ms("2026-02-28T23:00:00+00:00"), _ms("2026-03-31T22:00:00+00:00"))
    assert april.start_ms == march.end_ms


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
