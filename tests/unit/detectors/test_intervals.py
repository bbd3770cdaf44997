from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from detectors.estimate import Estimate, Insufficient, Reason
from detectors.intervals import beta_binomial_confidence_sequence, clopper_pearson, poisson_exact, wilson
from detectors.proportion import proportion

COUNTS = [(0, 1), (1, 1), (0, 50), (50, 50), (2, 10), (17, 40), (999, 1000), (3, 100_000)]
ANY = st.one_of(
    st.floats(0, 20), st.floats(), st.sampled_from([0.0, -1.0, 5e-324, 1e-300, 2.0**53, 2.0**62, 1e308, np.inf, -np.inf, np.nan])
)
ANY_COUNT = st.one_of(st.integers(0, 12), st.sampled_from([-1, 10**6, 2**53 + 1, 2**62, -(2**62), 2**63 - 1]))
LEVELS = st.sampled_from([1e-9, 0.5, 0.95, 0.999, 1 - 1e-12])


def four(elements, dtype):
    return st.lists(elements, min_size=4, max_size=4).map(lambda numbers: np.array(numbers, dtype))


@pytest.mark.parametrize(("interval", "name"), [(wilson, "wilson"), (clopper_pearson, "exact")])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_fixed_look_intervals_are_those_of_scipy(interval, name, level):
    k, n = np.array(COUNTS).T
    lower, upper = interval(k, n, level)
    for i, (events, trials) in enumerate(COUNTS):
        want = stats.binomtest(events, trials).proportion_ci(level, method=name)
        assert (lower[i], upper[i]) == pytest.approx((want.low, want.high), abs=1e-10)


def test_garwood_bounds_are_chi_square_quantiles():
    k = np.array([0, 1, 10, 1000, 10**7])
    lower, upper = poisson_exact(k, 0.9)
    assert lower == pytest.approx(np.nan_to_num(stats.chi2.ppf(0.05, 2 * k) / 2), rel=1e-9)
    assert upper == pytest.approx(stats.chi2.ppf(0.95, 2 * k + 2) / 2, rel=1e-9)


def mixture_log(p, k, n):
    """Log of the beta(1/2, 1/2)-mixture likelihood over the likelihood at p."""
    return special.betaln(k + 0.5, n - k + 0.5) - np.log(np.pi) - special.xlogy(k, p) - special.xlog1py(n - k, -p)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.9999])
def test_the_confidence_sequence_ends_where_the_mixture_martingale_reaches_one_over_alpha(level):
    threshold = -np.log1p(-level)
    for k, n in [*COUNTS, (500_000, 10**6), (1, 2)]:
        lower, upper = (float(x[0]) for x in beta_binomial_confidence_sequence([k], [n], level))
        for bound, inside in ((lower, 1e-300), (upper, 1 - 1e-16)):
            if 0 < bound < 1:
                assert mixture_log(bound, k, n) == pytest.approx(threshold, abs=1e-6), (k, n, bound)
            else:
                assert mixture_log(inside, k, n) <= threshold
        assert lower < k / n or lower == 0.0
        assert upper > k / n or upper == 1.0


def test_the_confidence_sequence_agrees_with_a_root_finder():
    lower, _ = beta_binomial_confidence_sequence([17], [40], 0.95)
    want = optimize.brentq(lambda p: mixture_log(p, 17, 40) - np.log(20), 1e-9, 17 / 40)
    assert float(lower[0]) == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize(("p", "missed"), [(0.1, 0.44), (0.3, 0.48)])
def test_an_interval_watched_case_by_case_misses_often_and_the_confidence_sequence_does_not(p, missed):
    """Watched from the tenth to the thousandth case: 44 % of streams at a share of .1, more nearer to a half."""
    rng = np.random.default_rng(7)
    streams, length = 2000, 1000
    k = np.cumsum(rng.random((streams, length)) < p, axis=1)[:, 9:]
    n = np.broadcast_to(np.arange(1, length + 1)[9:], k.shape)

    def ever_missed(interval):
        lower, upper = interval(k.ravel(), n.ravel(), 0.95)
        return ((lower > p) | (upper < p)).reshape(k.shape).any(axis=1).mean()

    assert ever_missed(wilson) == pytest.approx(missed, abs=3 * np.sqrt(missed * (1 - missed) / streams))
    assert ever_missed(beta_binomial_confidence_sequence) <= 0.05


@pytest.mark.parametrize("interval", [wilson, clopper_pearson, beta_binomial_confidence_sequence])
def test_no_data_excludes_nothing(interval):
    lower, upper = interval([0], [0], 0.95)
    assert (lower[0], upper[0]) == (0.0, 1.0)


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, float("nan")])
def test_a_level_that_is_none_is_an_error_of_the_caller(level):
    with pytest.raises(ValueError, match="level"):
        wilson([1], [2], level)


@pytest.mark.parametrize("method", ["wilson", "clopper_pearson", "confidence_sequence"])
def test_a_proportion_of_nothing_is_not_zero(method):
    found = proportion([0, 3, 5, -1], [0, 4, 4, 4], method=method)
    assert found[0] == Insufficient(Reason.NO_EXPOSURE)
    assert found[1].value == 0.75
    assert found[1].n == 4
    assert found[1].method == method
    assert [x.reason for x in found[2:]] == [Reason.DEGENERATE_OUTCOMES] * 2


@settings(max_examples=300, deadline=None)
@given(four(ANY, np.float64), four(ANY, np.float64), LEVELS)
def test_whatever_comes_in_bounds_are_finite_and_ordered(k, n, level):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for interval in (wilson, clopper_pearson, beta_binomial_confidence_sequence):
            lower, upper = interval(k, n, level)
            assert ((lower >= 0) & (lower <= upper) & (upper <= 1)).all(), (interval, lower, upper)
        lower, upper = poisson_exact(k, level)
        assert ((lower >= 0) & (lower <= upper) & np.isfinite(upper)).all()


@settings(max_examples=300, deadline=None)
@given(four(ANY_COUNT, np.int64), four(ANY_COUNT, np.int64), LEVELS)
def test_whatever_is_counted_a_share_of_any_method_lies_in_its_interval_or_is_refused(k, n, level):
    for method in ("wilson", "clopper_pearson", "confidence_sequence"):
        for found, events, trials in zip(proportion(k, n, method=method, level=level), k, n, strict=True):
            assert isinstance(found, Estimate) == (0 <= events <= trials and trials > 0)
            assert isinstance(found, Insufficient) or 0 <= found.lower <= found.value <= found.upper <= 1
