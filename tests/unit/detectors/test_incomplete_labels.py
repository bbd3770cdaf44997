"""Calibration and discrimination when flagged cases are all labelled and unflagged ones in part: weighted by inverse coverage."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from detectors import inverse_coverage, weighted_auroc, weighted_calibration, weighted_calibration_error
from detectors.auroc import auroc
from detectors.brier import brier
from detectors.calibration import calibration_in_the_large, calibration_slope
from detectors.calibration_error import calibration_error
from detectors.estimate import Insufficient, Reason
from detectors.inverse_coverage import Coverage
from detectors.observed_expected import observed_expected
from detectors.score_bins import ScoreBins
from detectors.score_sketch import SKETCH_BINS, sketch_logit
from detectors.spiegelhalter import spiegelhalter
from tests.unit.detectors.sketches import drawn, sketched

TERMS = {
    "events": lambda p, y: y,
    "score": lambda p, y: p,
    "square": lambda p, y: (p - y) ** 2,
    "quartic": lambda p, y: (p - y) ** 4,
    "numerator": lambda p, y: (y - p) * (1 - 2 * p),
    "variance": lambda p, y: (1 - 2 * p) ** 2 * p * (1 - p),
}


class Field(NamedTuple):
    """Rows (cells, rows): score, outcome, flagged, labelled."""

    score: np.ndarray
    outcome: np.ndarray
    flagged: np.ndarray
    labelled: np.ndarray

    def by_flag(self, values: np.ndarray) -> np.ndarray:
        return np.stack([(values * (self.flagged == flag)).sum(axis=1) for flag in (False, True)], axis=1)

    def sums(self, name: str) -> np.ndarray:
        term = TERMS[name](self.score, self.outcome) * self.labelled
        return np.round(self.by_flag(term) * (1 if name == "events" else 1e6)).astype(np.int64)

    @property
    def coverage(self) -> Coverage:
        return Coverage.of(self.by_flag(self.labelled), self.inferences)

    @property
    def inferences(self) -> np.ndarray:
        return self.by_flag(np.ones(self.score.shape, dtype=np.int64))

    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        parts = [sketched(self.score, self.outcome, self.labelled * (self.flagged == flag)) for flag in (False, True)]
        neg, pos = (np.stack([part[label] for part in parts], axis=1) for label in (0, 1))
        return neg, pos

    def score_sums(self) -> np.ndarray:
        return sketched(self.score, self.outcome, self.labelled)[2]


def field(rng, shape, unflagged_labelled, **truth) -> Field:
    score, outcome = drawn(rng, shape, **truth)
    flagged = score >= 0.5
    return Field(score, outcome, flagged, (flagged | (rng.random(shape) < unflagged_labelled)).astype(np.int64))


MEASURES = {
    "observed/expected": lambda f: inverse_coverage.observed_expected(f.coverage, f.sums("events"), f.sums("score")),
    "brier": lambda f: inverse_coverage.brier(f.coverage, f.sums("square"), f.sums("quartic")),
    "slope": lambda f: weighted_calibration.calibration_slope(*f.tables(), sketch_logit(), f.inferences),
    "intercept": lambda f: weighted_calibration.calibration_in_the_large(*f.tables(), sketch_logit(), f.inferences),
    "auroc": lambda f: weighted_auroc.auroc(*f.tables(), f.inferences),
    "calibration error": lambda f: weighted_calibration_error.calibration_error(*f.tables(), f.score_sums(), f.inferences),
}


def total(values):
    return values.sum(axis=1)


UNWEIGHTED = {
    "observed/expected": lambda f: observed_expected(
        total(f.by_flag(f.labelled)), total(f.sums("events")), total(f.sums("score"))
    ),
    "brier": lambda f: brier(total(f.by_flag(f.labelled)), total(f.sums("square")), total(f.sums("quartic"))),
    "slope": lambda f: calibration_slope(ScoreBins.of(*(total(table) for table in f.tables())), sketch_logit()),
    "intercept": lambda f: calibration_in_the_large(ScoreBins.of(*(total(table) for table in f.tables())), sketch_logit()),
    "auroc": lambda f: auroc(ScoreBins.of(*(total(table) for table in f.tables()))),
    "calibration error": lambda f: calibration_error(*(total(table) for table in f.tables()), f.score_sums()),
}


@pytest.mark.parametrize("name", MEASURES)
def test_with_every_case_labelled_nothing_is_weighted(name):
    whole = field(np.random.default_rng(1), (8, 800), 1.0, slope=0.8)
    for weighted, plain in zip(MEASURES[name](whole), UNWEIGHTED[name](whole), strict=True):
        assert weighted.value == pytest.approx(plain.value, abs=1e-9)
        assert (weighted.lower, weighted.upper) == pytest.approx((plain.lower, plain.upper), abs=0.02)
        assert weighted.n == plain.n


def test_with_every_case_labelled_the_interval_of_the_ratio_is_the_exact_one():
    whole = field(np.random.default_rng(2), (8, 60), 1.0)
    for weighted, plain in zip(MEASURES["observed/expected"](whole), UNWEIGHTED["observed/expected"](whole), strict=True):
        assert (weighted.lower, weighted.upper) == pytest.approx((plain.lower, plain.upper), rel=1e-9)


def test_with_every_case_labelled_the_calibration_error_is_the_unweighted_one():
    whole = field(np.random.default_rng(10), (20, 400), 1.0, slope=0.6)
    for weighted, plain in zip(MEASURES["calibration error"](whole), UNWEIGHTED["calibration error"](whole), strict=True):
        assert (weighted.value, weighted.lower, weighted.upper, weighted.p) == pytest.approx(
            (plain.value, plain.lower, plain.upper, plain.p), abs=1e-12
        )


@pytest.mark.parametrize(("name", "shift"), [("observed/expected", 0.6), ("brier", 0.6), ("intercept", 0.6), ("auroc", 0.0)])
def test_a_tenth_of_the_unflagged_labels_tells_what_all_labels_would_have_told(name, shift):
    """The truth bends, so that the answer depends on how many cases of each flag are looked at."""
    rng = np.random.default_rng(3)
    score, outcome = drawn(rng, (400, 1500), shift=shift, slope=1.4)
    flagged = score >= 0.5
    part = Field(score, outcome, flagged, (flagged | (rng.random(score.shape) < 0.1)).astype(np.int64))
    whole = part._replace(labelled=np.ones_like(outcome))
    truth = np.mean([one.value for one in MEASURES[name](whole)])
    corrected = np.mean([one.value for one in MEASURES[name](part)])
    naive = np.mean([one.value for one in UNWEIGHTED[name](part)])
    assert corrected == pytest.approx(truth, abs=0.01)
    assert abs(naive - truth) > 2 * abs(corrected - truth)


@pytest.mark.parametrize("name", MEASURES)
def test_the_bounds_hold_the_truth_though_a_case_may_stand_for_five(name):
    rng = np.random.default_rng(4)
    part = field(rng, (900, 3000), 0.2, slope=0.8)
    large = field(rng, (40, 60_000), 1.0, slope=0.8)
    truth = np.mean([one.value for one in UNWEIGHTED[name](large)])
    found = MEASURES[name](part)
    assert np.mean([one.lower <= truth <= one.upper for one in found]) > 0.935
    assert np.mean([one.upper - one.lower for one in found]) > np.mean([one.upper - one.lower for one in UNWEIGHTED[name](part)])


def test_spiegelhalters_z_keeps_its_level_under_weights():
    part = field(np.random.default_rng(5), (4000, 400), 0.2)
    found = inverse_coverage.spiegelhalter(part.coverage, part.sums("numerator"), part.sums("variance"))
    assert np.mean([one.p < 0.05 for one in found]) == pytest.approx(0.05, abs=0.012)


def test_calibrated_scores_show_no_error_under_weights():
    part = field(np.random.default_rng(11), (3000, 1500), 0.2)
    found = MEASURES["calibration error"](part)
    assert np.mean([one.p < 0.05 for one in found]) == pytest.approx(0.05, abs=0.015)
    assert np.mean([one.p < 0.01 for one in found]) < 0.02
    assert np.mean([one.lower > 0 for one in found]) < 0.03


def test_an_error_of_the_unflagged_alone_counts_for_as_many_as_there_are():
    """Whom the score calls unlikely is positive oftener than it says; of them one in ten is labelled, of the others all."""
    rng = np.random.default_rng(12)
    score, _ = drawn(rng, (300, 4000), centre=-2.0)
    flagged = score >= 0.3
    outcome = (rng.random(score.shape) < score + np.where(flagged, 0.0, 0.08)).astype(np.int64)
    part = Field(score, outcome, flagged, (flagged | (rng.random(score.shape) < 0.1)).astype(np.int64))
    truth = 0.08 * np.sqrt((~flagged).mean())
    rms = {
        name: np.sqrt(np.mean([one.value**2 for one in measures["calibration error"](part)]))
        for name, measures in (("corrected", MEASURES), ("naive", UNWEIGHTED))
    }
    assert rms["corrected"] == pytest.approx(truth, rel=0.05)
    assert rms["naive"] < 0.75 * truth
    bounds = [one.lower <= truth <= one.upper for one in MEASURES["calibration error"](part)]
    assert np.mean(bounds) > 0.935


def test_the_e_value_needs_no_weights():
    part = field(np.random.default_rng(6), (5, 400), 0.2)
    weighted = inverse_coverage.spiegelhalter(part.coverage, part.sums("numerator"), part.sums("variance"))
    plain = spiegelhalter(total(part.by_flag(part.labelled)), total(part.sums("numerator")), total(part.sums("variance")))
    assert [one.e for one in weighted] == pytest.approx([one.e for one in plain])


def test_p_against_a_reference_is_small_where_the_field_is_worse():
    part = field(np.random.default_rng(7), (1, 3000), 0.3)
    area = weighted_auroc.auroc(*part.tables(), part.inferences)[0]
    for reference, expected in ((area.value, 0.5), (area.value + 0.1, 0.0), (area.value - 0.1, 1.0)):
        assert weighted_auroc.auroc(*part.tables(), part.inferences, reference=[reference])[0].p == pytest.approx(
            expected, abs=1e-3
        )
    sums = part.coverage, part.sums("square"), part.sums("quartic")
    score = inverse_coverage.brier(*sums)[0]
    for reference, expected in ((score.value, 0.5), (score.value - 0.05, 0.0), (score.value + 0.05, 1.0)):
        assert inverse_coverage.brier(*sums, reference=[reference])[0].p == pytest.approx(expected, abs=1e-3)
    assert weighted_auroc.auroc(*part.tables(), part.inferences)[0].p is None


def test_a_stratum_of_which_nothing_is_labelled_is_not_made_up():
    part = field(np.random.default_rng(8), (1, 300), 0.0)
    refused = [Insufficient(Reason.VERIFICATION_BIAS, int(part.labelled.sum()))]
    for measure in MEASURES.values():
        assert measure(part) == refused
    assert inverse_coverage.spiegelhalter(part.coverage, part.sums("numerator"), part.sums("variance")) == refused


def test_a_stratum_that_does_not_exist_needs_no_label():
    all_flagged = field(np.random.default_rng(9), (1, 300), 0.0, centre=4.0)
    kept = all_flagged._replace(**{name: getattr(all_flagged, name)[all_flagged.flagged][None] for name in Field._fields})
    assert kept.inferences[0, 0] == 0
    assert MEASURES["observed/expected"](kept)[0].n == kept.score.size


def test_nothing_inferred_and_more_labels_than_cases_are_named():
    found = inverse_coverage.brier(Coverage.of([[0, 0], [5, 5]], [[0, 0], [4, 9]]), [[0, 0], [10, 10]], [[0, 0], [1, 1]])
    assert found == [Insufficient(Reason.NO_EXPOSURE), Insufficient(Reason.DEGENERATE_OUTCOMES, 10)]


def test_classes_apart_have_no_slope_under_weights_either():
    neg, pos = np.zeros((2, 1, 2, SKETCH_BINS), dtype=np.int64)
    neg[0, 0, 20], pos[0, 1, 200] = 9, 9
    cases = [[90, 9]]
    assert weighted_calibration.calibration_slope(neg, pos, sketch_logit(), cases) == [Insufficient(Reason.SEPARATION, 18)]
    assert weighted_auroc.auroc(neg, pos, cases) == [Insufficient(Reason.DEGENERATE_OUTCOMES, 18)]
