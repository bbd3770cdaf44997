"""Cox's calibration line, logit P(y) = intercept + slope x logit(score), from counts per score bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, Float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.occupied import Occupied
from detectors.outcomes import Refusal, outcomes
from detectors.score_bins import ScoreBins

_LONGEST_STEP = 1.75
"""Largest change of any fitted logit in one Newton step. The curvature changes by at most e^s over a change s, so a step is
sure to raise the likelihood while (e^s - 1 - s)/s^2 < 1, that is up to 1.79."""

_SETTLED = 1e-4
"""A fit ends with the step whose length, in squared standard errors, is at most this. Newton's error after a step is about
the square of its length, so what is missing is far below the error of the estimate."""

_MOST_STEPS = 400

_FAR = 1e300
"""More than any logit."""


@dataclass(frozen=True, slots=True)
class JointFit:
    """Intercept and slope (C,) with Wald standard errors, n labelled rows, and the cells that have no fit, with reasons."""

    intercept: Float
    slope: Float
    intercept_se: Float
    slope_se: Float
    n: Float
    refusals: tuple[Refusal, ...]


@silent
def joint_fit(scores: ScoreBins, bin_logit: ArrayLike) -> JointFit:
    """Maximum likelihood of intercept and slope by IRLS over all cells at once (Cox 1958, Biometrika 45:562).

    `bin_logit` (C, B) or (B,) represents the bins. The fit starts from perfect calibration and takes three steps as a rule. Each
    cell stops by itself, so its result does not depend on its company.

    Refused: `no_positives`, `no_negatives`; `degenerate_outcomes` where all rows have one logit or a count is negative;
    `separation` where no score of one class lies strictly inside the other's range, so that the slope is infinite (Albert &
    Anderson 1984, Biometrika 71:1), or the likelihood is too flat for a finite fit.
    """
    cells = _Cells.of(scores, bin_logit)
    one_logit, separated = _separation(cells)
    refused = cells.refused | one_logit | separated
    line = _solve(_Fit.of(cells), ~refused)
    refusals = (
        *cells.refusals(),
        (one_logit, Reason.DEGENERATE_OUTCOMES),
        (separated | (line[_DONE] == 0.0), Reason.SEPARATION),
    )
    return JointFit(line[_INTERCEPT], line[_SLOPE], line[_INTERCEPT_SE], line[_SLOPE_SE], scores.n, refusals)


def calibration_slope(scores: ScoreBins, bin_logit: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Slope of the joint fit with Wald interval; 1 is calibrated, below 1 is over-confident. Refusals as `joint_fit`.

    >>> import numpy as np
    >>> slope = calibration_slope(ScoreBins.of([[90, 50, 30]], [[10, 50, 70]]), np.log([1/9, 1, 7/3]))[0]
    >>> round(slope.value, 4), round(slope.lower, 3), round(slope.upper, 3)
    (1.0, 0.744, 1.256)
    """
    found = joint_fit(scores, bin_logit)
    return _wald(found.slope, found.slope_se, found, level)


def calibration_intercept_joint(scores: ScoreBins, bin_logit: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Intercept of the joint fit with Wald interval; 0 is calibrated where the slope is 1. Refusals as `joint_fit`.

    >>> import numpy as np
    >>> intercept = calibration_intercept_joint(ScoreBins.of([[80, 50, 20]], [[20, 50, 80]]), np.log([1/9, 1, 9]))[0]
    >>> abs(round(intercept.value, 4)), round(intercept.upper, 3)
    (0.0, 0.26)
    """
    found = joint_fit(scores, bin_logit)
    return _wald(found.intercept, found.intercept_se, found, level)


@dataclass(frozen=True, slots=True)
class ShiftFit:
    """Intercept (C,) where the slope is fixed at 1, its Wald standard error, n labelled rows, and the cells without a fit."""

    shift: Float
    se: Float
    n: Float
    refusals: tuple[Refusal, ...]


@silent
def shift_fit(scores: ScoreBins, bin_logit: ArrayLike) -> ShiftFit:
    """Maximum likelihood of the intercept alone; arguments as `joint_fit`.

    Refused: `no_positives`, `no_negatives` (one class alone is separated by any intercept); `degenerate_outcomes` where a
    count is negative.
    """
    cells = _Cells.of(scores, bin_logit)
    shift, information = _solve_shift(cells, ~cells.refused)
    return ShiftFit(shift, 1.0 / np.sqrt(information), scores.n, cells.refusals())


def calibration_in_the_large(scores: ScoreBins, bin_logit: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Intercept with the slope fixed at 1 and Wald interval (Steyerberg 2019, Clinical Prediction Models, ch. 15).

    Arguments and refusals as `shift_fit`.

    >>> import numpy as np
    >>> shift = calibration_in_the_large(ScoreBins.of([[8, 5]], [[2, 5]]), np.log([1/9, 1]))[0]
    >>> round(shift.value, 3), round(shift.lower, 3), round(shift.upper, 3)
    (0.286, -0.751, 1.323)
    """
    fit = shift_fit(scores, bin_logit)
    reach = normal_quantile(level) * fit.se
    return outcomes(fit.shift, fit.shift - reach, fit.shift + reach, fit.n, "wald_irls_slope_1", refusals=fit.refusals)


def _wald(value: Float, se: Float, fit: JointFit, level: float) -> list[Outcome]:
    reach = normal_quantile(level) * se
    return outcomes(value, value - reach, value + reach, fit.n, "wald_irls", refusals=fit.refusals)


@dataclass(frozen=True, slots=True)
class _Cells:
    """Counts and logits of the bins in use (N,), and what follows for each cell (C,)."""

    scores: ScoreBins
    x: Float
    far: Float
    """Largest size of a logit of the cell."""
    impossible: Bool

    @staticmethod
    def of(scores: ScoreBins, bin_logit: ArrayLike) -> _Cells:
        x = scores.at.pick(bin_logit)
        far = scores.at.largest(np.abs(x))
        unknown = ~np.isfinite(far)
        if unknown.any():
            x = np.where(np.isfinite(x), x, 0.0)
        return _Cells(scores, x, far, scores.impossible | unknown)

    @property
    def refused(self) -> Bool:
        """Which cells have no fit, whatever their logits."""
        return self.impossible | self.scores.of_one_class

    def refusals(self) -> tuple[Refusal, ...]:
        return (self.impossible, Reason.DEGENERATE_OUTCOMES), *self.scores.class_refusals()


def _separation(cells: _Cells) -> tuple[Bool, Bool]:
    """Cells with one logit only, and cells where the classes do not overlap in more than one logit."""
    if _overlap_for_sure(cells):
        none = np.zeros(len(cells.far), np.bool_)
        return none, none
    low0, high0 = _span(cells, cells.scores.neg)
    low1, high1 = _span(cells, cells.scores.pos)
    one_logit = np.minimum(low0, low1) == np.maximum(high0, high1)
    return one_logit, (high0 <= low1) | (high1 <= low0)


def _overlap_for_sure(cells: _Cells) -> bool:
    """Whether both classes have rows in the same two bins of every cell, and bins stand in the order of their logits."""
    if cells.scores.at.filled is not None:
        return False
    rising = cells.x[1:] > cells.x[:-1]
    rising[cells.scores.at.begins[1:] - 1] = True
    in_both = (cells.scores.fewer > 0).astype(np.float64)
    return bool(rising.all() and (cells.scores.at.sum(in_both) >= 2).all())


def _span(cells: _Cells, counts: Float) -> tuple[Float, Float]:
    """Lowest and highest logit that has rows; beyond all logits on the wrong side where none has."""
    out_of_reach = (counts <= 0) * _FAR
    return cells.scores.at.least(cells.x + out_of_reach), -cells.scores.at.least(out_of_reach - cells.x)


@dataclass(frozen=True, slots=True)
class _Fit:
    """What a fit reads: rows and logit of each bin (N,); events, their logits and the largest logit of each cell (C,)."""

    bins: Occupied
    n: Float
    x: Float
    events: Float
    events_x: Float
    far: Float

    @staticmethod
    def of(cells: _Cells) -> _Fit:
        scores = cells.scores
        events_x = scores.at.sum(scores.pos * cells.x)
        return _Fit(scores.at, scores.neg + scores.pos, cells.x, scores.positives, events_x, cells.far)

    def of_cells(self, chosen: Bool) -> _Fit:
        bins, rows = self.bins.only(chosen)
        of_cells = (self.events[chosen], self.events_x[chosen], self.far[chosen])
        return _Fit(bins, self.n[rows], self.x[rows], *of_cells)


_INTERCEPT, _SLOPE, _INTERCEPT_SE, _SLOPE_SE, _DONE = range(5)


def _solve(fit: _Fit, wanted: Bool) -> Float:
    """Lines (5, C) of the cells wanted: intercept, slope, their standard errors, and 1.0 where the fit settled."""
    line = np.zeros((_DONE + 1, len(wanted)))
    line[_SLOPE] = 1.0
    running, left = np.flatnonzero(wanted), fit if wanted.all() else fit.of_cells(wanted)
    known = line[:, running]
    for _ in range(_MOST_STEPS):
        done = known[_DONE] == 1.0
        many_done = int(np.count_nonzero(done))
        # To leave out what has settled costs as much as another step of it.
        if 2 * many_done >= len(done):
            line[:, running] = known
            if many_done == len(done):
                break
            running, known, left, many_done = running[~done], known[:, ~done], left.of_cells(~done), 0
        following = _step(left, known)
        known = np.where(done, known, following) if many_done else following
    else:
        line[:, running] = known
    return line


def _step(fit: _Fit, line: Float) -> Float:
    """The lines after one Newton step, shortened where a fitted logit would move too far."""
    intercept, slope = line[_INTERCEPT], line[_SLOPE]
    fitted, fitted_x, i00, i01, i11 = _moments(fit, intercept, slope)
    gap, gap_x = fit.events - fitted, fit.events_x - fitted_x
    determinant = i00 * i11 - i01 * i01
    usable = determinant > 1e-12 * i00 * i11
    inverse = np.where(usable, 1.0 / determinant, 0.0)
    by_intercept, by_slope = (i11 * gap - i01 * gap_x) * inverse, (i00 * gap_x - i01 * gap) * inverse
    share = _LONGEST_STEP / np.maximum(np.abs(by_intercept) + np.abs(by_slope) * fit.far, _LONGEST_STEP)
    following = np.empty_like(line)
    following[_INTERCEPT], following[_SLOPE] = intercept + share * by_intercept, slope + share * by_slope
    following[_INTERCEPT_SE], following[_SLOPE_SE] = np.sqrt(np.abs(i11 * inverse)), np.sqrt(np.abs(i00 * inverse))
    following[_DONE] = usable & (by_intercept * gap + by_slope * gap_x <= _SETTLED)
    return following


def _moments(fit: _Fit, intercept: Float, slope: Float) -> Float:
    """Sums (5, C) of n p and n p x, and of n p (1 - p) times 1, x and x^2, over the bins of each cell.

    With odds = e^intercept and e = e^(-slope x), p = odds / (e + odds) and 1 - p = e / (e + odds).
    """
    bins, odds = fit.bins, np.exp(intercept)
    e = bins.per_bin(-slope)
    e *= fit.x
    np.exp(e, out=e)
    shares = bins.per_bin(odds)
    shares += e
    np.reciprocal(shares, out=shares)
    e *= shares
    shares *= fit.n
    moments = np.empty((5, len(odds)))
    moments[0] = bins.sum(shares)
    e *= shares
    shares *= fit.x
    moments[1] = bins.sum(shares)
    moments[2] = bins.sum(e)
    e *= fit.x
    moments[3] = bins.sum(e)
    e *= fit.x
    moments[4] = bins.sum(e)
    moments *= odds
    return moments


def _solve_shift(cells: _Cells, wanted: Bool) -> tuple[Float, Float]:
    """The shift a (C,) of the cells wanted, with sum n expit(a + x) = events, and the information on it."""
    shift, information = np.zeros(len(wanted)), np.ones(len(wanted))
    running, (bins, rows) = np.flatnonzero(wanted), cells.scores.at.only(wanted)
    n, inverse_odds = (cells.scores.neg + cells.scores.pos)[rows], np.exp(-cells.x[rows])
    for _ in range(_MOST_STEPS):
        if len(running) == 0:
            break
        p = inverse_odds * bins.per_bin(np.exp(-shift[running]))
        p += 1.0
        np.reciprocal(p, out=p)
        fitted = n * p
        gap = cells.scores.positives[running] - bins.sum(fitted)
        information[running] = np.maximum(bins.sum(fitted) - bins.sum(fitted * p), 1e-300)
        step = gap / information[running]
        shift[running] += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        still = step * gap > _SETTLED
        running, (bins, rows) = running[still], bins.only(still)
        n, inverse_odds = n[rows], inverse_odds[rows]
    return shift, information
