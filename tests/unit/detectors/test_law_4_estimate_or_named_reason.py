"""Law 4 for every detector: whatever comes in, a finite ordered estimate or a named reason comes out, and nothing is changed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import begg_greenes
from detectors.auroc import auroc
from detectors.bernoulli_cusum import fold, miss_parameters, weights
from detectors.brier import brier
from detectors.calibration import calibration_in_the_large, calibration_intercept_joint, calibration_slope
from detectors.estimate import Estimate, Insufficient, Reason
from detectors.intervals import beta_binomial_confidence_sequence, clopper_pearson, poisson_exact, wilson
from detectors.negative_binomial import count_ratio
from detectors.observed_expected import observed_expected
from detectors.poisson_rate_ratio import rate_ratio
from detectors.proportion import proportion
from detectors.psi import psi
from detectors.score_sketch import SKETCH_BINS, sketch_bin
from detectors.spiegelhalter import spiegelhalter

INTS = st.one_of(st.integers(0, 12), st.sampled_from([0, 1, -1, 10**6, 2**31, 2**53 + 1, 2**62, -(2**62), 2**63 - 1]))
FLOATS = st.one_of(
    st.floats(0, 20),
    st.sampled_from([0.0, -1.0, 1e-300, 5e-324, 1e18, 1e308, np.inf, -np.inf, np.nan]),
    st.floats(allow_nan=True),
)
LEVELS = st.sampled_from([0.5, 0.95, 0.999, 1 - 1e-12, 1e-9])


def vector(elements: Any, cells: int, dtype: Any = np.int64) -> Any:
    return st.lists(elements, min_size=cells, max_size=cells).map(lambda rows: np.array(rows, dtype=dtype))


def matrix(elements: Any, cells: int, bins: int, dtype: Any = np.int64) -> Any:
    return vector(elements, cells * bins, dtype).map(lambda flat: flat.reshape(cells, bins))


Case = tuple[Callable[..., Any], list[np.ndarray], dict[str, Any]]


@st.composite
def cases(draw: Any) -> Case:
    cells, bins, level = draw(st.integers(0, 3)), draw(st.integers(1, 20)), draw(LEVELS)
    ints = lambda: draw(vector(INTS, cells))  # noqa: E731
    floats = lambda: draw(vector(FLOATS, cells, np.float64))  # noqa: E731
    table = lambda: draw(matrix(INTS, cells, bins))  # noqa: E731
    probs = draw(st.sampled_from([np.full((cells, bins), 1.0 / bins), draw(matrix(FLOATS, cells, bins, np.float64))]))
    logits = draw(
        st.sampled_from(
            [
                np.linspace(-4, 4, bins),
                draw(vector(FLOATS, bins, np.float64)),
                np.linspace(-1, 1, cells * bins).reshape(cells, bins),
            ]
        )
    )
    choice = draw(st.integers(0, 13))
    line = (calibration_slope, calibration_intercept_joint, calibration_in_the_large)
    begg = (begg_greenes.sensitivity, begg_greenes.specificity, begg_greenes.npv)
    if choice < 3:
        method = draw(st.sampled_from(["wilson", "clopper_pearson", "confidence_sequence"]))
        return proportion, [ints(), ints()], {"method": method, "level": level}
    if choice == 3:
        return psi, [table(), probs, draw(st.sampled_from([ints(), floats()]))], {"level": level}
    if choice == 4:
        return auroc, [table(), table()], {"level": level}
    if choice == 5:
        return brier, [ints(), ints(), ints()], {"level": level}
    if choice == 6:
        return spiegelhalter, [ints(), ints(), ints()], {"level": level}
    if choice == 7:
        return observed_expected, [ints(), ints(), ints()], {"level": level}
    if choice <= 9:
        return draw(st.sampled_from(line)), [table(), table(), logits], {"level": level}
    if choice == 10:
        kept = {"reference_events": floats(), "reference_exposure": floats()} if draw(st.booleans()) else {}
        return rate_ratio, [ints(), floats()], {"reference_rate": floats(), "level": level, **kept}
    if choice == 11:
        return count_ratio, [ints(), floats()], {"dispersion": floats(), "level": level}
    return draw(st.sampled_from(begg)), [ints() for _ in range(4)], {"flagged": ints(), "unflagged": ints(), "level": level}


@settings(max_examples=1500, deadline=None)
@given(cases())
def test_any_input_gives_an_estimate_or_a_named_reason_and_is_left_as_it_was(case):
    detector, arrays, options = case
    given_arrays = [*arrays, *(value for value in options.values() if isinstance(value, np.ndarray))]
    before = [array.copy() for array in given_arrays]
    for array in given_arrays:
        array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = detector(*arrays, **options)
    assert len(found) == len(arrays[0])
    for outcome in found:
        if isinstance(outcome, Estimate):
            assert np.isfinite([outcome.lower, outcome.value, outcome.upper]).all()
            assert outcome.lower <= outcome.value <= outcome.upper
            assert outcome.p is None or 0.0 <= outcome.p <= 1.0
            assert outcome.n >= 0
            assert outcome.method
            assert [type(x) for x in (outcome.value, outcome.lower, outcome.upper, outcome.n)] == [float, float, float, int]
        else:
            assert isinstance(outcome, Insufficient)
            assert isinstance(outcome.reason, Reason)
    for array, copy in zip(given_arrays, before, strict=True):
        assert np.array_equal(array, copy, equal_nan=array.dtype.kind == "f")


@settings(max_examples=300, deadline=None)
@given(st.data(), LEVELS)
def test_interval_functions_give_finite_ordered_bounds_around_the_share(data, level):
    k, n = (data.draw(vector(FLOATS, 4, np.float64)) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for interval in (wilson, clopper_pearson, beta_binomial_confidence_sequence):
            lower, upper = interval(k, n, level)
            assert ((lower >= 0) & (lower <= upper) & (upper <= 1)).all(), (interval, k, n, lower, upper)
        lower, upper = poisson_exact(k, level)
        assert ((lower >= 0) & (lower <= upper) & np.isfinite(upper)).all(), (k, lower, upper)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_charts_and_bins_stay_finite(data):
    p0, p1, v0, v1 = (data.draw(vector(FLOATS, 3, np.float64)) for _ in range(4))
    events, trials = (data.draw(vector(INTS, 3)) for _ in range(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w_event, w_nonevent = weights(p0, p1)
        assert np.isfinite([w_event, w_nonevent]).all()
        chart = fold(np.zeros(3), events, trials, w_event, w_nonevent)
        assert (np.isfinite(chart) & (chart >= 0)).all()
        assert np.isfinite(miss_parameters(p0, v0, v1)).all()
        bins = sketch_bin(events)
    assert ((bins >= 0) & (bins < SKETCH_BINS)).all()


@pytest.mark.parametrize("scale", [1, 10_000])
def test_the_bits_of_a_cell_do_not_depend_on_its_company(scale):
    rng = np.random.default_rng(99)
    cells, bins = 41, SKETCH_BINS
    shape = np.exp(-(np.linspace(-4, 4, bins) ** 2))
    neg, pos = rng.poisson(shape * scale, (cells, bins)), rng.poisson(shape * scale * 0.4, (cells, bins))
    logits = np.linspace(-5, 5, bins)
    per_cell = logits + rng.normal(0, 1e-3, (cells, 1))
    k, n = pos.sum(axis=1), (neg + pos).sum(axis=1)
    whole = [
        auroc(neg, pos),
        calibration_slope(neg, pos, logits),
        calibration_slope(neg, pos, per_cell),
        calibration_in_the_large(neg, pos, logits),
        calibration_in_the_large(neg, pos, per_cell),
        psi(neg, np.full((cells, bins), 1 / bins), n),
        proportion(k, n, method="confidence_sequence"),
        proportion(k, n, method="clopper_pearson"),
        count_ratio(k, n / 3.0, dispersion=2.0),
    ]
    for i in range(cells):
        one = slice(i, i + 1)
        alone = [
            auroc(neg[one], pos[one]),
            calibration_slope(neg[one], pos[one], logits),
            calibration_slope(neg[one], pos[one], per_cell[one]),
            calibration_in_the_large(neg[one], pos[one], logits),
            calibration_in_the_large(neg[one], pos[one], per_cell[one]),
            psi(neg[one], np.full((1, bins), 1 / bins), n[one]),
            proportion(k[one], n[one], method="confidence_sequence"),
            proportion(k[one], n[one], method="clopper_pearson"),
            count_ratio(k[one], n[one] / 3.0, dispersion=2.0),
        ]
        assert [found[i] for found in whole] == [found[0] for found in alone]
