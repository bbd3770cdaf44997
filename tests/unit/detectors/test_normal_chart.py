"""Normal charts, and how long they run."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from detectors.normal_chart import fold_cusum, fold_ewma, of_tail, standardised
from detectors.run_length import cusum_run_length, ewma_run_length

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.mark.parametrize(("h", "shift", "mean"), [(4, 0, 335.4), (4, 1, 8.38), (5, 0, 930.9), (5, 1, 10.38)])
def test_mean_run_lengths_of_one_side_at_k_a_half(h, shift, mean):
    """Published to four digits (Montgomery, Introduction to Statistical Quality Control; Siegmund 1985)."""
    assert cusum_run_length(0.5, h, shift=shift, tail="upper").mean == pytest.approx(mean, rel=5e-4)
    assert cusum_run_length(0.5, h, shift=-shift, tail="lower").mean == pytest.approx(mean, rel=5e-4)


@pytest.mark.parametrize(
    ("arl0", "k"),
    [(50, 0.1594), (100, 0.2996), (150, 0.3713), (200, 0.4191), (300, 0.4830), (400, 0.5264), (500, 0.5591), (1000, 0.6568)],
)
def test_the_allowances_of_the_fda_table_at_h_four(arl0, k):
    """DIDSR AIM-CU: one side's mean run length."""
    assert cusum_run_length(k, 4.0, tail="upper").mean == pytest.approx(arl0, rel=5e-4)


@pytest.mark.parametrize(("k", "h", "shift"), [(0.5, 4, 0), (0.5, 5, 0), (0.25, 8, 0), (0.5, 4, 1), (0.5, 5, 2)])
def test_the_chain_agrees_with_siegmunds_approximation(k, h, shift):
    """Siegmund 1985, Sequential Analysis, p. 27: h + 1.166 stands for the overshoot."""
    b, d = h + 1.166, shift - k
    assert cusum_run_length(k, h, shift=shift, tail="upper").mean == pytest.approx(
        (np.exp(-2 * d * b) + 2 * d * b - 1) / (2 * d**2), rel=0.04
    )


def test_two_sides_signal_at_the_sum_of_their_rates():
    one, both = cusum_run_length(0.5, 4, tail="upper").mean, cusum_run_length(0.5, 4).mean
    assert both == pytest.approx(one / 2)
    assert both == pytest.approx(167.7, abs=0.1)


@pytest.mark.parametrize(
    ("smoothing", "width", "mean"), [(0.4, 3.054, 500), (0.25, 2.998, 500), (0.1, 2.814, 500), (0.05, 2.615, 500)]
)
def test_mean_run_lengths_of_the_moving_average(smoothing, width, mean):
    """Lucas & Saccucci 1990, table 1; their limit is `width` standard deviations of the average."""
    h = width * np.sqrt(smoothing / (2 - smoothing))
    assert ewma_run_length(smoothing, h).mean == pytest.approx(mean, rel=0.004)


def simulated(fold, tail, h, windows, charts=4000, shift=0.0, seed=6):
    """Window at which each chart signals, `windows` + 1 where it does not."""
    rng = np.random.default_rng(seed)
    sides, first = np.zeros((charts, 2)), np.full(charts, windows + 1)
    for window in range(1, windows + 1):
        sides = fold(sides, rng.normal(shift, 1, charts))
        first = np.where((of_tail(sides, tail) >= h) & (first > windows), window, first)
    return first


@pytest.mark.parametrize("tail", ["both", "upper", "lower"])
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_probabilities_of_a_signal_are_those_of_the_very_chart(tail, shift):
    charts = {
        "cusum": (lambda sides, z: fold_cusum(sides, z, 0.5), 3.0, cusum_run_length(0.5, 3.0, shift=shift, tail=tail)),
        "ewma": (lambda sides, z: fold_ewma(sides, z, 0.2), 0.9, ewma_run_length(0.2, 0.9, shift=shift, tail=tail)),
    }
    for fold, h, length in charts.values():
        first = simulated(fold, tail, h, 60, shift=shift)
        for windows in (10, 30, 60):
            assert length.within(windows) == pytest.approx(np.mean(first <= windows), abs=0.025)


def test_the_chance_of_a_signal_grows_with_time_and_its_mean_is_that_of_the_run_length():
    length = cusum_run_length(0.5, 3.0)
    chances = [length.within(windows) for windows in (0, 1, 10, 100, 1000, 10_000)]
    assert chances == sorted(chances)
    assert chances[0] == 0.0
    assert chances[-1] == pytest.approx(1.0)


def test_a_chart_that_hardly_ever_signals_says_so():
    assert cusum_run_length(2.0, 30.0).mean == np.inf
    assert cusum_run_length(2.0, 30.0).within(365) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    "call", [lambda: cusum_run_length(-1, 4), lambda: cusum_run_length(0.5, 0), lambda: ewma_run_length(0, 1)]
)
def test_charts_that_cannot_be_are_refused(call):
    with pytest.raises(ValueError, match="no chart has"):
        call()


def specificities():
    path = DATA / "aim-cu" / "spec-60-60.csv"
    if not path.exists():
        pytest.skip("no aim-cu: ../shared/data is not part of this clone")
    with path.open(newline="") as lines:
        return np.array([float(row["y"]) for row in csv.DictReader(lines)])


def test_a_fall_of_specificity_at_day_sixty_signals_at_day_sixty_three():
    """DIDSR AIM-CU: thirty days of baseline, k = .5, h = 4; its S is in units of the series, ours in units of its sd.

    The sd divides by thirty; it, the limit H in units of the series and the mean after the change were derived independently.
    """
    series, h = specificities(), 4.0
    mean, sd = series[:30].mean(), series[:30].std()
    assert (len(series), mean, sd) == (120, pytest.approx(0.8399259084839831), pytest.approx(0.03423837714957228))
    assert (h * sd, series[60:].mean()) == pytest.approx((0.13695350859828911, 0.7794127721177365))
    sides, signals = np.zeros((1, 2)), []
    for day, z in enumerate((series - mean) / sd):
        sides = fold_cusum(sides, [z], 0.5)
        if of_tail(sides, "both")[0] >= h:
            signals.append(day)
    assert signals[0] == 63
    assert of_tail(sides, "lower")[0] * sd == pytest.approx(2.6036368674876362)


def test_days_until_a_running_two_sided_chart_sees_a_shift_are_the_published_ones():
    """DIDSR AIM-CU, h = 4, k = .2996, a shift of 1.2 after a long quiet time: 4.43 days."""
    rng = np.random.default_rng(9)
    sides = np.zeros((60_000, 2))
    for _ in range(30):
        sides = fold_cusum(sides, rng.normal(size=len(sides)), 0.2996)
        sides = sides[of_tail(sides, "both") < 4]
    first, running = np.zeros(len(sides)), np.ones(len(sides), np.bool_)
    while running.any():
        first += running
        sides = fold_cusum(sides, rng.normal(1.2, 1, len(sides)), 0.2996)
        running &= of_tail(sides, "both") < 4
    assert first.mean() == pytest.approx(4.43, abs=0.03)


def test_windows_are_standardised_by_their_own_size():
    assert standardised([30.0, 30.0], [100, 25], [0.2, 0.2], [0.5, 0.5]).tolist() == pytest.approx([2.0, 10.0])
    assert standardised([30.0, 30.0], [0, 100], [0.2, 0.2], [0.5, 0.0]).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("k", [8.0, 10.0, 1e9])
def test_a_chart_that_is_never_left_has_no_end(k):
    assert cusum_run_length(k, 5.0).mean == np.inf
