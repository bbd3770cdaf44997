"""Censored quantiles of delays: scipy's Kaplan-Meier, exact and drawn bounds, what is never reached, law 4."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.arrays import Bool, Float
from detectors.estimate import Estimate, Insufficient, Reason
from detectors.kaplan_meier import METHOD, UNREACHED, UPPER_CENSORED, delay_quantile
from tests.oracle.survival import quantile_of_delays

WHOLE = range(31)
"""Upper edges of a bin for each whole number."""
WAITS = st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=40)
QUANTILES = st.sampled_from([0.1, 0.5, 0.8, 0.95])


def binned(waits: list[tuple[int, bool]]) -> list[list[list[int]]]:
    """Counts and sums of ended and censored waits, a bin for each whole number up to 30."""
    found = np.zeros((4, 31), np.int64)
    for wait, ended in waits:
        found[0 if ended else 2, wait] += 1
        found[1 if ended else 3, wait] += wait
    return [[row.tolist()] for row in found]


@given(WAITS, QUANTILES)
def test_the_quantile_is_where_scipys_survival_reaches_it(waits, q):
    found = delay_quantile(*binned(waits), WHOLE, q=q)[0]
    ended, censored = ([wait for wait, seen in waits if seen is kind] for kind in (True, False))
    curve = stats.ecdf(stats.CensoredData(uncensored=ended, right=censored)).sf
    reached = curve.quantiles[(curve.probabilities <= 1 - q + 1e-12) & np.isin(curve.quantiles, ended)]
    assert found.value == (reached[0] if len(reached) else max(wait for wait, _ in waits))


@given(WAITS, QUANTILES, st.sampled_from([0.9, 0.95, 0.99]))
def test_bounds_are_where_the_beta_product_interval_reaches_it(waits, q, level):
    found = delay_quantile(*binned(waits), WHOLE, q=q, level=level)[0]
    value, lower, upper, method = quantile_of_delays([(float(wait), seen) for wait, seen in waits], q, level)
    assert (found.value, found.lower, found.upper, found.method) == (value, min(lower, value), max(upper, value), method)


@pytest.mark.parametrize("n", [5, 30, 71, 72, 200])
@pytest.mark.parametrize("q", [0.5, 0.8, 0.95])
def test_bounds_of_waits_that_all_ended_are_the_order_statistics_of_the_exact_binomial(n, q):
    """Where waits are numbered, the bound is the rank that the binomial leaves in doubt."""
    ended = np.ones((1, n))
    rank = np.arange(1.0, n + 1)[None]
    found = delay_quantile(ended, rank, 0 * ended, 0 * ended, rank, q=q)[0]
    shorter = stats.binom(n, q)
    # Lower: the first rank k of which more than k waits are not surely shorter than the quantile; upper: of which k surely are.
    lower = next(k for k in range(n + 1) if shorter.cdf(k) >= 0.025)
    upper = next((k for k in range(1, n + 1) if shorter.sf(k - 1) <= 0.025), n)
    assert (found.lower, found.upper) == (lower, upper)
    assert (found.method == METHOD) == (shorter.sf(n - 1) <= 0.025)


def test_bounds_of_censored_waits_agree_with_a_drawn_product_of_betas():
    rng = np.random.default_rng(5)
    waits = np.arange(1, 61)
    seen = rng.random(60) < 0.8
    counts = [np.where(seen, 1, 0), np.where(seen, waits, 0), np.where(seen, 0, 1), np.where(seen, 0, waits)]
    found = delay_quantile(*(row[None] for row in counts), waits, q=0.5)[0]
    at_risk = np.arange(60, 0, -1)
    draws = np.where(seen, rng.beta(at_risk, 1.0, (40_000, 60)), 1.0)
    after = np.cumprod(draws, axis=1)
    until_next = after[:, :-1] * rng.beta(at_risk[1:], 1.0, (40_000, 59))
    lower = waits[np.argmax(np.mean(until_next <= 0.5, axis=0) >= 0.025)]
    upper = waits[np.argmax((np.mean(after <= 0.5, axis=0) >= 0.975) & seen)]
    assert (found.lower, found.upper) == (lower, upper)
    assert 10 < lower < found.value < upper < 60


LOG_EDGES = np.concatenate([[0.0], np.rint(2.0 ** (np.arange(6, 40) / 2))])
"""Two bins to a doubling, as delays are kept."""


def log_binned(waits: Float, ended: Bool) -> list[Float]:
    """Counts and sums of ended and of censored waits, each (1, bins)."""
    place = np.searchsorted(LOG_EDGES, waits, side="left")
    kinds = [(place[kind], waits[kind]) for kind in (ended, ~ended)]
    return [np.bincount(at, weight, len(LOG_EDGES))[None] for at, of in kinds for weight in (None, of)]


@pytest.mark.parametrize("q", [0.1, 0.5, 0.75, 0.95])
@pytest.mark.parametrize(("share_ended", "near"), [(1.0, 0.04), (0.8, 0.1)])
@pytest.mark.parametrize("law", ["lognormal", "exponential", "gamma"])
def test_value_and_bounds_of_spread_waits_are_near_those_of_the_waits_themselves(law, share_ended, near, q):
    rng = np.random.default_rng(8)
    draw = {
        "lognormal": rng.lognormal(7.2, 0.45, 1500),
        "exponential": rng.exponential(1300, 1500),
        "gamma": rng.gamma(4, 300, 1500),
    }
    waits, ended = np.rint(draw[law]) + 40, rng.random(1500) < share_ended
    found = delay_quantile(*log_binned(waits, ended), LOG_EDGES, q=q)[0]
    truth = quantile_of_delays(list(zip(waits.tolist(), ended.tolist(), strict=True)), q, 0.95)
    assert [found.value, found.lower, found.upper] == pytest.approx(truth[:3], rel=near)
    assert found.lower < found.value < found.upper


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=60), QUANTILES)
def test_value_and_bounds_lie_in_the_bins_of_the_waits_that_they_are(waits, q):
    found = delay_quantile(*log_binned(np.array(waits, float), np.full(len(waits), True)), LOG_EDGES, q=q)[0]
    truth = quantile_of_delays([(float(wait), True) for wait in waits], q, 0.95)
    shown = [np.searchsorted(LOG_EDGES, one, side="left") for one in (found.value, found.lower, found.upper)]
    assert shown == [np.searchsorted(LOG_EDGES, one, side="left") for one in truth[:3]]
    assert found.method == truth[3]


@given(st.integers(1, 4000), st.integers(1, 90), QUANTILES, st.floats(0.2, 1.0))
def test_equal_waits_are_told_exactly(wait, n, q, share_ended):
    ended = np.arange(n) < share_ended * n
    found = delay_quantile(*log_binned(np.full(n, float(wait)), ended), LOG_EDGES, q=q)[0]
    assert {found.value, found.upper, found.lower} <= {0.0, float(wait)}
    assert found.value == wait


def test_dropping_the_waits_nobody_ended_would_halve_the_delay():
    ended, waiting = [[50, 0]], [[0, 50]]
    censored = delay_quantile(ended, [[500, 0]], waiting, [[0, 50_000]], [10, 1000], q=0.8)[0]
    dropped = delay_quantile(ended, [[500, 0]], [[0, 0]], [[0, 0]], [10, 1000], q=0.8)[0]
    assert dropped.value == 10.0
    assert censored.value == 1000.0


def test_an_upper_bound_that_is_not_reached_is_the_longest_wait_and_says_so():
    reached = delay_quantile([[10, 0]], [[100, 0]], [[0, 0]], [[0, 0]], [16, 128], q=0.5)[0]
    open_above = delay_quantile([[1, 0]], [[10, 0]], [[0, 1]], [[0, 99]], [16, 128], q=0.5)[0]
    unreached = delay_quantile([[1, 0]], [[10, 0]], [[0, 1]], [[0, 99]], [16, 128], q=0.6)[0]
    assert (reached.upper, reached.method) == (10.0, METHOD)
    assert (open_above.value, open_above.upper, open_above.method) == (10.0, 99.0, UPPER_CENSORED)
    assert (unreached.value, unreached.upper, unreached.method) == (99.0, 99.0, UNREACHED)


def test_when_nobody_ended_a_wait_even_the_lower_bound_is_the_longest():
    found = delay_quantile([[0]], [[0]], [[7]], [[700]], [128], q=0.95)[0]
    assert (found.lower, found.value, found.upper, found.n, found.method) == (100.0, 100.0, 100.0, 7, UNREACHED)


@given(WAITS, st.integers(1, 30))
def test_a_longer_delay_never_makes_the_quantile_shorter(waits, more):
    longer = [(wait if at else min(30, wait + more), seen) for at, (wait, seen) in enumerate(waits)]
    before, after = (delay_quantile(*binned(one), WHOLE, q=0.8)[0] for one in (waits, longer))
    assert after.value >= before.value or not all(seen for _, seen in waits)


@pytest.mark.parametrize("broken", [-1.0, np.nan, np.inf])
def test_what_is_no_count_of_waits_has_no_quantile(broken):
    found = delay_quantile([[broken]], [[1]], [[0]], [[0]], [1], q=0.5)[0]
    assert isinstance(found, Insufficient)
    assert found.reason is Reason.DEGENERATE_OUTCOMES


def test_no_wait_at_all_is_no_exposure():
    assert delay_quantile([[0, 0]], [[0, 0]], [[0, 0]], [[0, 0]], [1, 2], q=0.5) == [Insufficient(Reason.NO_EXPOSURE)]
    assert delay_quantile(*[np.zeros((1, 0))] * 4, [], q=0.5)[0].reason == "no_exposure"


FLOATS = st.one_of(st.floats(0, 1e4), st.sampled_from([0.0, 1e308, -1.0, np.nan, np.inf, 5e-324]))


@given(st.lists(st.lists(FLOATS, min_size=4, max_size=4), min_size=1, max_size=6), QUANTILES)
def test_any_input_gives_an_ordered_estimate_or_a_reason_and_is_left_alone(rows, q):
    columns = [np.array([[row[at] for row in rows]]) for at in range(4)]
    kept = [one.copy() for one in columns]
    found = delay_quantile(*columns, 2.0 ** np.arange(len(rows)), q=q)[0]
    assert isinstance(found, Estimate | Insufficient)
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(columns, kept, strict=True))
