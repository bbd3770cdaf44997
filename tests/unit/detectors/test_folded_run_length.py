"""Run lengths of charts that fold batches: of one label each they are those of single labels, of many those of a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.bernoulli_cusum import fold, run_length, weights
from detectors.folded_run_length import FEW_STATES, Batches, FoldedChart

SELDOM = Batches((1e-3,), (1.0,))
NONE = Batches((0.0,), (1.0,))


@pytest.mark.parametrize(("p0", "p1", "h"), [(0.1, 0.2, 4.0), (0.066, 0.09, 6.29), (0.001, 0.002, 3.0), (0.2, 0.1, 4.0)])
def test_single_labels_have_the_run_length_of_single_labels(p0: float, p1: float, h: float) -> None:
    for p in (p0, p1):
        days = FoldedChart(p0, p1, p, h, SELDOM, 1000, None).mean_days()
        assert days == pytest.approx(run_length(p0, p1, p, h), rel=0.02)


def simulated(p: float, h: float, a_pane: float, panes: int, a_day: Batches) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Days until each of some thousand charts signals."""
    draws, charts = np.random.default_rng(3), 4000
    event, nonevent = weights(0.1, 0.15)
    s, signalled = np.zeros(charts), np.full(charts, np.nan)
    for day in range(2000):
        for part in range(panes + 1):
            if part < panes:
                labels = draws.poisson(a_pane, charts)
            else:
                mean = draws.choice(a_day.means, charts, p=a_day.shares)
                labels = draws.poisson(draws.gamma(mean / a_day.excess) * a_day.excess)
            s = fold(s, draws.binomial(labels, p), labels, event, nonevent)
            at = day + (min(part, panes - 1) + 1) / panes
            signalled[np.isnan(signalled) & (s >= h)] = at
        if not np.isnan(signalled).any():
            return signalled
    raise AssertionError("a chart that never signals")


@pytest.mark.parametrize("p", [0.1, 0.13])
def test_days_that_fold_at_once_and_late_labels_are_those_of_a_simulation(p: float) -> None:
    a_day = Batches((30.0, 80.0), (0.3, 0.7), excess=3.0)
    waited = simulated(p, 1.8, 0.5, 6, a_day)
    chart = FoldedChart(0.1, 0.15, p, 1.8, Batches((0.5,), (1.0,)), 6, a_day)
    assert chart.mean_days() == pytest.approx(waited.mean(), rel=0.05)
    assert chart.days(0.8, 700.0) == pytest.approx(np.quantile(np.ceil(waited), 0.8), rel=0.05)


def test_a_day_at_once_signals_more_seldom_than_its_labels_one_by_one() -> None:
    at_once = FoldedChart(0.1, 0.2, 0.1, 3.0, NONE, 288, Batches((100.0,), (1.0,))).mean_days()
    assert at_once > 3 * run_length(0.1, 0.2, 0.1, 3.0) / 100


def test_a_coarse_grid_gives_the_same_days() -> None:
    charts = (
        FoldedChart(0.066, 0.09, 0.075, 6.29, NONE, 1, Batches((4400.0,), (1.0,), 0.8), states) for states in (FEW_STATES, 900)
    )
    coarse, fine = (chart.days(0.8, 700.0) for chart in charts)
    assert coarse is not None
    assert fine is not None
    assert coarse == pytest.approx(fine, rel=0.05)


def test_what_never_happens_never_signals() -> None:
    assert FoldedChart(0.1, 0.2, 0.0, 3.0, SELDOM, 288, None).mean_days() == math.inf
    assert FoldedChart(0.1, 0.2, 0.2, 3.0, NONE, 288, None).mean_days() == math.inf
    assert FoldedChart(0.1, 0.2, 0.1, 400.0, NONE, 288, Batches((1e6,), (1.0,))).days(0.8, 60.0) is None


@pytest.mark.parametrize(("p0", "p1", "p", "h"), [(0.1, 0.1, 0.1, 3), (0, 0.1, 0.1, 3), (0.1, 0.2, 1.1, 3), (0.1, 0.2, 0.1, 0)])
def test_what_is_no_chart_is_an_error(p0: float, p1: float, p: float, h: float) -> None:
    with pytest.raises(ValueError, match="no chart"):
        FoldedChart(p0, p1, p, h, SELDOM, 288, None)
