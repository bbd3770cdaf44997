"""Law 4 over every detector there is: thousands of windows in, a finite ordered estimate or a named reason out, for each cell.

The functions are discovered. A detector without windows in detector_windows.py fails here.
"""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any

import numpy as np
import pytest

from detectors.estimate import LARGEST_E, Estimate, Insufficient, Outcome, Reason
from tests.contract.detector_windows import WINDOWS, Arrays, Windows, discovered, spoilt

DETECTORS = discovered()
ROUNDS = 12
"""Of sound windows, and as many of others, for each detector: some 3,800 cells."""
EVERY_CELL_ALONE = ("auroc.auroc", "calibration.calibration_slope")
"""Fitted and summed over bins that the company may occupy otherwise; of the others every seventh cell is tried."""
LEVELS = (1e-9, 0.5, 0.999, 1 - 1e-12)


def windows_of(name: str) -> Windows:
    assert name in WINDOWS, f"detectors/{name.replace('.', '.py, ')}: give it windows in tests/contract/detector_windows.py"
    return WINDOWS[name](DETECTORS[name])


def outcomes_of(windows: Windows, arrays: Arrays, **options: Any) -> list[Outcome]:
    """What comes of the arrays, which nobody may write to; a warning is a failure."""
    before = {name: array.tobytes() for name, array in arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = windows.call(**arrays, **options)
    assert {name: array.tobytes() for name, array in arrays.items()} == before
    return found if isinstance(found, list) else [found]


def assert_honest(outcome: Outcome) -> None:
    if isinstance(outcome, Insufficient):
        assert isinstance(outcome.reason, Reason)
        assert outcome.n >= 0
        return
    assert isinstance(outcome, Estimate)
    numbers = (outcome.value, outcome.lower, outcome.upper)
    assert all(type(number) is float and math.isfinite(number) for number in numbers), outcome
    assert outcome.lower <= outcome.value <= outcome.upper, outcome
    assert type(outcome.n) is int
    assert outcome.n >= 0, outcome
    assert outcome.method
    assert outcome.p is None or 0.0 <= outcome.p <= 1.0, outcome
    assert outcome.e is None or 0.0 <= outcome.e <= LARGEST_E, outcome


def picked(windows: Windows, arrays: Arrays, at: np.ndarray) -> Arrays:
    return {name: array if name in windows.shared else array[at] for name, array in arrays.items()}


def close(one: Outcome, other: Outcome) -> bool:
    """Equal but for the order in which sums over cells were added."""
    if isinstance(one, Insufficient) or isinstance(other, Insufficient):
        return one == other
    return (one.method, one.n) == (other.method, other.n) and all(
        (a is None and b is None) or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-7, abs_tol=1e-9))
        for a, b in ((one.value, other.value), (one.lower, other.lower), (one.upper, other.upper), (one.p, other.p))
    )


def drawn(windows: Windows, seed: int, wild: bool) -> Arrays:
    rng = np.random.default_rng(seed)
    arrays = windows.draw(rng, windows.cells)
    return spoilt(rng, arrays) if wild else arrays


def test_every_detector_has_windows_and_every_window_a_detector():
    assert set(WINDOWS) == set(DETECTORS)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_any_window_gives_a_finite_ordered_estimate_or_a_named_reason(name: str):
    windows, estimated = windows_of(name), 0
    for seed in range(ROUNDS):
        for wild in (False, True):
            found = outcomes_of(windows, drawn(windows, seed, wild))
            for outcome in found:
                assert_honest(outcome)
            estimated += sum(isinstance(outcome, Estimate) for outcome in found)
    assert estimated >= ROUNDS / 2, "sound windows must give numbers, or nothing was tried"


@pytest.mark.parametrize("name", sorted(name for name, one in DETECTORS.items() if "level" in inspect.signature(one).parameters))
def test_any_level_gives_a_finite_ordered_interval(name: str):
    windows = windows_of(name)
    for level in LEVELS:
        for seed, wild in ((6, False), (7, True)):
            for outcome in outcomes_of(windows, drawn(windows, seed, wild), level=level):
                assert_honest(outcome)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_the_order_of_cells_is_irrelevant(name: str):
    windows = windows_of(name)
    if windows.ordered:
        return
    for seed, wild in ((1, False), (2, True)):
        arrays = drawn(windows, seed, wild)
        order = np.random.default_rng(seed).permutation(windows.cells)
        straight, shuffled = outcomes_of(windows, arrays), outcomes_of(windows, picked(windows, arrays, order))
        if len(straight) == 1:
            assert close(straight[0], shuffled[0])
        elif windows.family:
            assert all(close(straight[at], one) for at, one in zip(order.tolist(), shuffled, strict=True))
        else:
            assert [straight[at] for at in order.tolist()] == shuffled


@pytest.mark.parametrize("name", sorted(name for name in DETECTORS if name in WINDOWS))
def test_a_cell_alone_is_the_cell_in_company_to_the_last_bit(name: str):
    windows = windows_of(name)
    if windows.family or windows.ordered:
        return
    for seed, wild in ((3, False), (4, True)):
        arrays = drawn(windows, seed, wild)
        whole = outcomes_of(windows, arrays)
        for at in range(0, windows.cells, 1 if name in EVERY_CELL_ALONE else 7):
            assert outcomes_of(windows, picked(windows, arrays, np.array([at]))) == [whole[at]]


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_no_cells_give_no_outcomes_and_empty_cells_a_reason(name: str):
    windows = windows_of(name)
    arrays = drawn(windows, 5, wild=False)
    nothing = {key: array if key in windows.shared else np.zeros_like(array) for key, array in arrays.items()}
    for outcome in outcomes_of(windows, nothing):
        assert isinstance(outcome, Insufficient)
    none = outcomes_of(windows, picked(windows, arrays, np.zeros(0, np.int64)))
    assert all(isinstance(outcome, Insufficient) for outcome in none)
