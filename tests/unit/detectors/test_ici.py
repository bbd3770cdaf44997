from __future__ import annotations

import numpy as np
import pytest

from detectors.estimate import Insufficient, Reason
from detectors.ici import SPAN, ici
from tests.unit.detectors.sketches import drawn, sketched


def loess(score, outcome):
    """Local quadratic fit row by row, which is what R calls loess with span 0.75 and a direct surface."""
    near = int(len(score) * SPAN + 1e-5)
    curve = np.empty(len(score))
    for at, centre in enumerate(score):
        distance = np.abs(score - centre)
        weight = np.sqrt(np.clip(1 - (distance / np.sort(distance)[near - 1]) ** 3, 0, 1) ** 3)
        design = np.stack([np.ones_like(score), score - centre, (score - centre) ** 2], axis=1)
        curve[at] = np.linalg.lstsq(design * weight[:, None], outcome * weight, rcond=None)[0][0]
    return np.clip(curve, 0, 1)


@pytest.mark.parametrize(("shift", "slope"), [(0.0, 1.0), (0.6, 1.0), (0.0, 0.5)])
def test_the_indices_are_those_of_a_loess_curve_through_the_rows(shift, slope):
    score, outcome = drawn(np.random.default_rng(1), (1, 600), shift=shift, slope=slope)
    distance = np.abs(loess(score[0], outcome[0]) - score[0])
    tables = sketched(score, outcome)
    assert ici(*tables)[0].value == pytest.approx(distance.mean(), abs=0.002)
    assert ici(*tables, index="e50")[0].value == pytest.approx(np.median(distance), abs=0.004)
    assert ici(*tables, index="e90")[0].value == pytest.approx(np.quantile(distance, 0.9), abs=0.006)
    assert ici(*tables, index="emax")[0].value == pytest.approx(distance.max(), abs=0.01)


def test_it_nears_the_true_mean_distance_with_the_rows():
    rng = np.random.default_rng(2)
    score, outcome = drawn(rng, (1, 60_000), shift=0.5)
    truth = np.abs(1 / (1 + np.exp(-0.5) * (1 - score) / score) - score).mean()
    assert ici(*sketched(score, outcome))[0].value == pytest.approx(truth, abs=0.006)


def test_quantiles_are_in_order_and_the_mean_is_between():
    for found in zip(
        *(ici(*sketched(*drawn(np.random.default_rng(3), (6, 300))), index=index) for index in ("e50", "e90", "emax")),
        strict=True,
    ):
        assert found[0].value <= found[1].value <= found[2].value
        assert found[0].method == "loess_e50"


def test_bounds_hold_the_true_distance_at_least_as_often_as_they_say():
    rng = np.random.default_rng(4)
    score, outcome = drawn(rng, (150, 500), shift=0.5)
    truth = np.abs(1 / (1 + np.exp(-0.5) * (1 - score) / score) - score).mean(axis=1)
    found = ici(*sketched(score, outcome))
    assert np.mean([one.lower <= at <= one.upper for one, at in zip(found, truth, strict=True)]) >= 0.95


def test_one_score_alone_is_off_by_its_difference_to_the_share():
    found = ici([[30]], [[70]], [[50_000_000]])[0]
    assert found.value == pytest.approx(0.2)
    assert found.lower == pytest.approx(0.2 - 1.96 * np.sqrt(0.7 * 0.3 / 100), abs=1e-3)


def test_one_class_alone_has_a_curve_too_and_its_bounds_have_a_width():
    found = ici([[40, 40]], [[0, 0]], [[4_000_000, 12_000_000]])[0]
    assert found.value == pytest.approx(0.2)
    assert found.lower < 0.2 < found.upper


def test_no_row_and_impossible_counts_are_named():
    found = ici([[0], [-1]], [[0], [2]], [[0], [1_000_000]])
    assert found == [Insufficient(Reason.NO_EXPOSURE), Insufficient(Reason.DEGENERATE_OUTCOMES)]
