"""Law 4 where no outcome is given: folds of charts, e-values and sums stay numbers, whatever comes, and rest on their rows alone.

Thousands of cells, sound ones and spoilt ones, go through each. What refuses its parameters says which of them is wrong.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest

from detectors import bernoulli_cusum, label_arrivals, maxsprt_poisson, normal_chart, ra_cusum, run_length
from detectors.dirichlet_multinomial import dirichlet_multinomial_e
from detectors.e_detector import EDetector, start
from detectors.estimate import LARGEST_E
from detectors.label_arrivals import LatencyCurve, expected_arrivals
from detectors.run_rules import RULES, points_needed, run_rule_hits
from detectors.vlad import vlad
from tests.contract.detector_windows import Array, Arrays, Random, histogram, share_of, sizes, spoilt
from tests.project_tree import ROOT

CELLS = 160
ROUNDS = 12
CURVE = LatencyCurve(18.0, 96.0, 240.0)


class Step(NamedTuple):
    """One window of a chart over cells: the state before and what came, by cell, and what is after, by cell."""

    draw: Callable[[Random, int], Arrays]
    call: Callable[..., Array]


def _state(rng: Random, cells: int) -> Array:
    return rng.choice([0.0, 0.3, 4.0, 1e9], cells)


def _labels(rng: Random, cells: int) -> Arrays:
    weights = bernoulli_cusum.weights(rng.choice([1e-6, 0.1, 0.9], cells), rng.choice([1e-4, 0.3, 0.99], cells))
    return (
        {"previous": _state(rng, cells)}
        | share_of(("events", "trials"), rng, cells)
        | dict(zip(("w_event", "w_nonevent"), weights, strict=True))
    )


def _sides(rng: Random, cells: int) -> Arrays:
    return {"sides": np.stack([_state(rng, cells), _state(rng, cells)], axis=1), "z": rng.normal(0, 3, cells)}


def _e_detector(log_m: Array, events: Array, trials: Array) -> Array:
    """The logarithms; -inf says that nothing was seen, and any other must be a number."""
    found = EDetector(0.1, log_m).fold(events, trials).log_m
    return np.where(found == -np.inf, -1.0, found)


def _e_value(log_m: Array) -> Array:
    return EDetector(0.1, log_m).value


def _bets(rng: Random, cells: int) -> Arrays:
    return {"log_m": rng.choice([0.0, -5.0, 40.0, 690.0], (cells, start(0.1, cells=1).log_m.shape[1]))}


STEPS: Mapping[str, Step] = {
    "bernoulli_cusum.fold": Step(_labels, bernoulli_cusum.fold),
    "ra_cusum.fold": Step(
        lambda rng, cells: {"previous": _state(rng, cells), "total_score": rng.normal(0, 9, cells)}, ra_cusum.fold
    ),
    "normal_chart.fold_cusum": Step(_sides, lambda sides, z: normal_chart.fold_cusum(sides, z, 0.5)),
    "normal_chart.fold_ewma": Step(_sides, lambda sides, z: normal_chart.fold_ewma(sides, z, 0.2)),
    "e_detector.fold": Step(lambda rng, cells: _bets(rng, cells) | share_of(("events", "trials"), rng, cells), _e_detector),
    "e_detector.value": Step(_bets, _e_value),
    "bernoulli_cusum.weights": Step(
        lambda rng, cells: {"p0": rng.random(cells), "p1": rng.random(cells)},
        lambda p0, p1: np.stack(bernoulli_cusum.weights(p0, p1), axis=1),
    ),
    "bernoulli_cusum.miss_parameters": Step(
        lambda rng, cells: {name: rng.random(cells) for name in ("p", "coverage_unflagged", "coverage_flagged")},
        bernoulli_cusum.miss_parameters,
    ),
    "ra_cusum.score": Step(
        lambda rng, cells: {"risk": rng.random(cells), "outcome": rng.integers(0, 2, cells)},
        lambda risk, outcome: ra_cusum.score(risk, outcome, odds_ratio=2.0),
    ),
    "normal_chart.standardised": Step(
        lambda rng, cells: {
            "total": rng.normal(0, 50, cells), "n": sizes(rng, cells), "mean": rng.normal(0, 1, cells), "sd": rng.random(cells),
        },
        normal_chart.standardised,
    ),
    "label_arrivals.cdf": Step(lambda rng, cells: {"age_h": rng.exponential(90.0, cells)}, CURVE.cdf),
}  # fmt: skip
"""What gives one number, or one row of numbers, for each cell."""


def given(arrays: Arrays, call: Callable[..., Array], **options: Any) -> Array:
    """What comes of arrays that nobody may write to; a warning is a failure."""
    before = {name: array.tobytes() for name, array in arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = call(**arrays, **options)
    assert {name: array.tobytes() for name, array in arrays.items()} == before
    return found


def drawn(draw: Callable[[Random, int], Arrays], seed: int, *, wild: bool) -> Arrays:
    rng = np.random.default_rng(seed)
    arrays = draw(rng, CELLS)
    return spoilt(rng, arrays) if wild else arrays


def test_every_fold_there_is_stands_here():
    folds = {
        f"{path.stem}.{line.split('def ')[1].split('(')[0]}"
        for path in (ROOT / "detectors").glob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.lstrip().startswith("def fold")
    }
    assert folds == {name for name in STEPS if ".fold" in name}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_gives_numbers_and_each_cell_is_the_same_alone_as_in_company(name: str):
    draw, call = STEPS[name]
    for seed in range(ROUNDS):
        for wild in (False, True):
            arrays = drawn(draw, seed, wild=wild)
            whole = given(arrays, call)
            assert len(whole) == CELLS
            assert np.isfinite(whole).all(), (seed, wild, whole[~np.isfinite(whole)])
            for at in range(seed, CELLS, ROUNDS):
                alone = given({key: array[at : at + 1].copy() for key, array in arrays.items()}, call)
                assert alone.tobytes() == whole[at : at + 1].tobytes()


@pytest.mark.parametrize("name", [name for name in STEPS if ".fold" in name])
def test_the_order_and_the_split_of_cells_are_irrelevant_to_a_fold(name: str):
    draw, call = STEPS[name]
    arrays = drawn(draw, 3, wild=True)
    whole, order = given(arrays, call), np.random.default_rng(3).permutation(CELLS)
    assert given({key: array[order] for key, array in arrays.items()}, call).tobytes() == whole[order].tobytes()
    for cut in (0, 1, 77, CELLS):
        parts = [given({key: array[some] for key, array in arrays.items()}, call) for some in (slice(cut), slice(cut, None))]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_a_chart_of_labels_that_is_not_at_its_floor_adds_them_up_however_they_are_split():
    rng = np.random.default_rng(4)
    events = rng.integers(0, 5, (30, CELLS))
    trials = events + rng.integers(0, 20, (30, CELLS))
    event, nonevent = bernoulli_cusum.weights(0.1, 0.3)
    high = np.full(CELLS, 1e4)
    at_once = bernoulli_cusum.fold(high, events.sum(axis=0), trials.sum(axis=0), event, nonevent)
    one_by_one = high
    for some, of in zip(events, trials, strict=True):
        one_by_one = bernoulli_cusum.fold(one_by_one, some, of, event, nonevent)
    np.testing.assert_allclose(one_by_one, at_once, rtol=1e-12)


def test_an_empty_pane_leaves_every_chart_of_labels_as_it_was():
    rng, nothing = np.random.default_rng(5), np.zeros(CELLS, np.int64)
    state = _state(rng, CELLS)
    assert bernoulli_cusum.fold(state, nothing, nothing, 1.1, -0.2).tobytes() == state.tobytes()
    assert ra_cusum.fold(state, np.zeros(CELLS)).tobytes() == state.tobytes()
    log_m = _bets(rng, CELLS)["log_m"]
    assert start(0.1, cells=CELLS).fold(nothing, nothing).value.tolist() == [0.0] * CELLS
    assert EDetector(0.1, log_m).fold(nothing, nothing).log_m.tobytes() == log_m.tobytes()


# series ----------------------------------------------------------------------------------------------------
def _points(rng: Random, cells: int) -> Arrays:
    return {"z": rng.normal(0, 1.5, cells)}


def _panes(rng: Random, cells: int) -> Arrays:
    found = share_of(("events", "n"), rng, cells)
    return {"events": found["events"], "sum_risk_micro": np.floor(found["n"] % 10**9 * rng.random(cells) * 1e6).astype(np.int64)}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_hits_at_points_that_the_newest_so_many_alone_decide(rule: int):
    needed = points_needed(rule)
    for seed in range(ROUNDS):
        for wild in (False, True):
            arrays = drawn(_points, seed, wild=wild)
            hits = given(arrays, lambda z: run_rule_hits(z, rule))
            assert hits.dtype == np.bool_
            assert hits.shape == (CELLS,)
            for cut in (needed, 40, 99):
                later = run_rule_hits(arrays["z"][cut - needed + 1 :], rule)
                assert later[needed - 1 :].tolist() == hits[cut:].tolist()


def test_a_rule_that_there_is_not_is_refused_by_its_number():
    with pytest.raises(KeyError, match="9"):
        run_rule_hits([0.0], 9)


def test_a_vlad_goes_on_where_it_stood():
    for seed in range(ROUNDS):
        arrays = drawn(_panes, seed, wild=False)
        whole = given(arrays, vlad)
        for cut in (0, 1, 80, CELLS):
            before, after = (vlad(*(array[some] for array in arrays.values())) for some in (slice(cut), slice(cut, None)))
            gone_on = np.concatenate([before, (before[-1] if cut else 0.0) + after])
            np.testing.assert_allclose(gone_on, whole, rtol=1e-9, atol=1e-6)


def test_a_vlad_of_anything_is_numbers():
    for seed in range(ROUNDS):
        assert np.isfinite(given(drawn(_panes, seed, wild=True), vlad)).all()


# e-values --------------------------------------------------------------------------------------------------
def test_an_e_value_of_categories_is_a_number_or_that_there_is_none_and_the_same_alone():
    for seed in range(ROUNDS):
        for wild in (False, True):
            arrays = drawn(histogram, seed, wild=wild)
            whole = given(arrays, dirichlet_multinomial_e)
            known = whole[~np.isnan(whole)]
            assert ((known >= 0) & (known <= LARGEST_E)).all()
            assert wild or len(known) >= CELLS / 4
            for at in range(seed, CELLS, ROUNDS):
                alone = given({key: array[at : at + 1].copy() for key, array in arrays.items()}, dirichlet_multinomial_e)
                assert alone.tobytes() == whole[at : at + 1].tobytes()


def test_what_nobody_saw_has_no_e_value():
    nothing = np.zeros((1, 3), np.int64)
    assert np.isnan(dirichlet_multinomial_e(nothing, [[0.2, 0.3, 0.5]], [100])).all()
    assert np.isnan(dirichlet_multinomial_e([[1, 2, 3]], [[0.2, 0.3, 0.5]], [0])).all()


# expected arrivals -----------------------------------------------------------------------------------------
def _rows(rng: Random, cells: int) -> Arrays:
    return {"inferences": sizes(rng, cells) % 10**6, "pane": rng.integers(0, 48, cells), "cell": rng.integers(0, 9, cells)}


WINDOW: Mapping[str, Any] = {"pane_mid_h": np.arange(48) + 0.5, "window_start_h": 30.0, "window_end_h": 48.0, "curve": CURVE}


def test_expected_arrivals_add_up_however_the_rows_are_split_or_ordered():
    for seed in range(ROUNDS):
        arrays = drawn(_rows, seed, wild=False)
        coverage = np.random.default_rng(seed).random(9)
        whole = given(arrays, expected_arrivals, cells=9, coverage=coverage, **WINDOW)
        assert (whole >= 0).all()
        assert whole.sum() > 0
        order = np.random.default_rng(seed).permutation(CELLS)
        shuffled = expected_arrivals(**{key: array[order] for key, array in arrays.items()}, cells=9, coverage=coverage, **WINDOW)
        np.testing.assert_allclose(shuffled, whole, rtol=1e-12)
        for cut in (0, 1, 80, CELLS):
            halves = [
                expected_arrivals(**{key: array[some] for key, array in arrays.items()}, cells=9, coverage=coverage, **WINDOW)
                for some in (slice(cut), slice(cut, None))
            ]
            np.testing.assert_allclose(halves[0] + halves[1], whole, rtol=1e-12)
        alone = arrays["cell"] == 4
        only = {key: array[alone] for key, array in arrays.items()} | {"cell": np.zeros(int(alone.sum()), np.int64)}
        assert expected_arrivals(**only, cells=1, coverage=coverage[4:5], **WINDOW).tobytes() == whole[4:5].tobytes()


# parameters that make no chart -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: start(0.0, cells=1), "p0 .*0.0"),
        (lambda: start(float("nan"), cells=1), "p0 .*nan"),
        (lambda: bernoulli_cusum.run_length(0.1, 0.1, 0.1, 4.0), "p0=0.1, p1=0.1"),
        (lambda: bernoulli_cusum.run_length(0.1, 0.2, 0.1, float("nan")), "h=nan"),
        (lambda: ra_cusum.run_length([0.1], [0.0], 4.0, odds_ratio=2.0), "1 risks"),
        (lambda: ra_cusum.run_length([0.1], [1.0], -4.0, odds_ratio=2.0), "h=-4.0"),
        (lambda: ra_cusum.run_length([float("nan")], [1.0], 4.0, odds_ratio=2.0), "risk"),
        (lambda: ra_cusum.score([0.1], [1], odds_ratio=0.0), "odds ratio .*0.0"),
        (lambda: run_length.cusum_run_length(-1.0, 4.0), "k=-1.0"),
        (lambda: run_length.ewma_run_length(0.0, 4.0), "lambda=0.0"),
        (lambda: label_arrivals.latency_curve(10.0, 5.0, 20.0), "p50_h=10.0, p95_h=5.0"),
        (lambda: maxsprt_poisson.critical_value(0.0, 0.05), "T=0.0"),
        (lambda: maxsprt_poisson.critical_value(10.0, float("nan")), "alpha"),
        (lambda: normal_chart.fold_cusum([[0.0, 0.0]], [1.0], float("nan")), "k"),
        (lambda: normal_chart.fold_ewma([[0.0, 0.0]], [1.0], 1.5), "smoothing"),
        (lambda: dirichlet_multinomial_e([[1, 2]], [[0.5, 0.5]], [9], concentration=0.0), "concentration"),
    ],
)  # fmt: skip
def test_parameters_that_make_no_chart_are_refused_by_name(make: Callable[[], Any], named: str):
    with pytest.raises(ValueError, match=named):
        make()
