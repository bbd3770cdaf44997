"""Cox's calibration line, logit P(y) = intercept + slope x logit(score), from counts per score bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.arrays import Bool, Float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import normal_quantile
from detectors.occupied import LANES, bin_dot, bin_sum, occupied, of_bins
from detectors.outcomes import Refusal, outcomes

_GROUP = 8
"""Neighbouring bins that the first, rough fit takes together."""

_LONGEST_STEP = 1.75
"""Largest change of any fitted logit in one Newton step. The curvature changes by at most e^s over a change s, so a step is
sure to raise the likelihood while (e^s - 1 - s)/s^2 < 1, that is up to 1.79."""

_SETTLED = 1e-4
"""A fit ends with the step whose length, in squared standard errors, is at most this. Newton's error after a step is about
the square of its length, so what is missing is far below the error of the estimate."""

_MOST_STEPS = 400


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
def joint_fit(neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike) -> JointFit:
    """Maximum likelihood of intercept and slope by IRLS over all cells at once (Cox 1958, Biometrika 45:562).

    `neg`, `pos` (C, B) count rows per bin in rising score order, `bin_logit` (C, B) or (B,) represents the bins. A fit of
    groups of eight bins starts the fit of all bins, which then takes two steps as a rule. Each cell stops by itself, so its
    result does not depend on its company.

    Refused: `no_positives`, `no_negatives`; `degenerate_outcomes` where all rows have one logit or a count is negative;
    `separation` where no score of one class lies strictly inside the other's range, so that the slope is infinite (Albert &
    Anderson 1984, Biometrika 71:1), or the likelihood is too flat for a finite fit.
    """
    cells = _Cells.of(neg, pos, bin_logit)
    one_logit, separated = _separation(cells)
    refused = cells.impossible | cells.no_positives | cells.no_negatives | one_logit | separated
    line = np.zeros((_ROWS, len(refused)))
    if not refused.any():
        line = _solve(cells.total, cells.pos, cells.x, cells.first_bin)
    elif not refused.all():
        kept = np.flatnonzero(~refused)
        line[:, kept] = _solve(cells.total[kept], cells.pos[kept], _of_cells(cells.x, kept), cells.first_bin)
    refusals = (
        *cells.class_refusals(),
        (one_logit, Reason.DEGENERATE_OUTCOMES),
        (separated | (line[_DONE] == 0.0), Reason.SEPARATION),
    )
    return JointFit(line[_INTERCEPT], line[_SLOPE], line[_INTERCEPT_SE], line[_SLOPE_SE], cells.n, refusals)


def calibration_slope(neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Slope of the joint fit with Wald interval; 1 is calibrated, below 1 is over-confident. Refusals as `joint_fit`.

    >>> import numpy as np
    >>> slope = calibration_slope([[90, 50, 30]], [[10, 50, 70]], np.log([1/9, 1, 7/3]))[0]
    >>> round(slope.value, 4), round(slope.lower, 3), round(slope.upper, 3)
    (1.0, 0.744, 1.256)
    """
    found = joint_fit(neg, pos, bin_logit)
    return _wald(found.slope, found.slope_se, found, level)


def calibration_intercept_joint(neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Intercept of the joint fit with Wald interval; 0 is calibrated where the slope is 1. Refusals as `joint_fit`.

    >>> import numpy as np
    >>> intercept = calibration_intercept_joint([[80, 50, 20]], [[20, 50, 80]], np.log([1/9, 1, 9]))[0]
    >>> abs(round(intercept.value, 4)), round(intercept.upper, 3)
    (0.0, 0.26)
    """
    found = joint_fit(neg, pos, bin_logit)
    return _wald(found.intercept, found.intercept_se, found, level)


@dataclass(frozen=True, slots=True)
class ShiftFit:
    """Intercept (C,) where the slope is fixed at 1, its Wald standard error, n labelled rows, and the cells without a fit."""

    shift: Float
    se: Float
    n: Float
    refusals: tuple[Refusal, ...]


@silent
def shift_fit(neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike) -> ShiftFit:
    """Maximum likelihood of the intercept alone; arguments as `joint_fit`.

    Refused: `no_positives`, `no_negatives` (one class alone is separated by any intercept); `degenerate_outcomes` where a
    count is negative.
    """
    cells = _Cells.of(neg, pos, bin_logit)
    kept = np.flatnonzero(~(cells.impossible | cells.no_positives | cells.no_negatives))
    shift, information = np.zeros(len(cells.n)), np.ones(len(cells.n))
    shift[kept], information[kept] = _solve_shift(cells.total[kept], cells.events[kept], _of_cells(cells.x, kept))
    return ShiftFit(shift, 1.0 / np.sqrt(information), cells.n, cells.class_refusals())


def calibration_in_the_large(neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Intercept with the slope fixed at 1 and Wald interval (Steyerberg 2019, Clinical Prediction Models, ch. 15).

    Arguments and refusals as `shift_fit`.

    >>> import numpy as np
    >>> shift = calibration_in_the_large([[8, 5]], [[2, 5]], np.log([1/9, 1]))[0]
    >>> round(shift.value, 3), round(shift.lower, 3), round(shift.upper, 3)
    (0.286, -0.751, 1.323)
    """
    fit = shift_fit(neg, pos, bin_logit)
    reach = normal_quantile(level) * fit.se
    return outcomes(fit.shift, fit.shift - reach, fit.shift + reach, fit.n, "wald_irls_slope_1", refusals=fit.refusals)


def _wald(value: Float, se: Float, fit: JointFit, level: float) -> list[Outcome]:
    reach = normal_quantile(level) * se
    return outcomes(value, value - reach, value + reach, fit.n, "wald_irls", refusals=fit.refusals)


@dataclass(frozen=True, slots=True)
class _Cells:
    neg: Float
    pos: Float
    total: Float
    x: Float
    first_bin: int
    n: Float
    events: Float
    impossible: Bool
    no_positives: Bool
    no_negatives: Bool

    @staticmethod
    def of(neg: ArrayLike, pos: ArrayLike, bin_logit: ArrayLike) -> _Cells:
        (negatives, positives), bins = occupied(neg, pos)
        total = negatives + positives
        n, x = bin_sum(total), of_bins(bin_logit, bins, total.shape[1])
        impossible = (negatives.min(axis=1) < 0) | (positives.min(axis=1) < 0) | ~np.isfinite(n)
        unusable = ~np.isfinite(x)
        if unusable.any():
            impossible |= (unusable & (total != 0)).any(axis=1)
            x = np.where(unusable, 0.0, x)
        events, others = bin_sum(positives), bin_sum(negatives)
        return _Cells(negatives, positives, total, x, bins.start, n, events, impossible, ~(events > 0), ~(others > 0))

    def class_refusals(self) -> tuple[Refusal, ...]:
        return (
            (self.impossible, Reason.DEGENERATE_OUTCOMES),
            (self.no_positives, Reason.NO_POSITIVES),
            (self.no_negatives, Reason.NO_NEGATIVES),
        )


def _of_cells(x: Float, cells: NDArray[np.intp]) -> Float:
    return x if x.ndim == 1 else x[cells]


def _separation(cells: _Cells) -> tuple[Bool, Bool]:
    """Cells with one logit only, and cells where the classes do not overlap in more than one logit."""
    low0, high0 = _span(cells.neg, cells.x)
    low1, high1 = _span(cells.pos, cells.x)
    one_logit = np.minimum(low0, low1) == np.maximum(high0, high1)
    return one_logit, (high0 <= low1) | (high1 <= low0)


def _span(counts: Float, x: Float) -> tuple[Float, Float]:
    """Logit of the first and of the last bin that has rows."""
    seen = counts > 0
    first = seen.argmax(axis=1)
    last = counts.shape[1] - 1 - np.ascontiguousarray(seen[:, ::-1]).argmax(axis=1)
    if x.ndim == 1:
        return x[first], x[last]
    cell = np.arange(len(counts))
    return x[cell, first], x[cell, last]


_INTERCEPT, _SLOPE, _INTERCEPT_SE, _SLOPE_SE, _DONE = range(5)
_ROWS = 5


def _solve(total: Float, pos: Float, x: Float, first_bin: int) -> Float:
    """Lines (5, C): intercept, slope, their standard errors, and 1.0 where the fit settled."""
    start = np.zeros((_ROWS, len(total)))
    start[_SLOPE] = 1.0
    rough_total = _grouped(total, first_bin)
    rough_x = _grouped(total * x, first_bin) / np.where(rough_total > 0, rough_total, 1.0)
    rough_pos = _grouped(pos, first_bin)
    rough = _newton(_Bins.of(rough_total, rough_x), bin_sum(rough_pos), bin_dot(rough_pos, rough_x), start)
    return _newton(_Bins.of(total, x), bin_sum(pos), bin_dot(pos, x), rough)


def _grouped(values: Float, first_bin: int) -> Float:
    """Sums over groups of neighbouring bins, in whole strides that begin where they would if no bin had been left out."""
    cells, bins = values.shape
    before = first_bin % (_GROUP * LANES)
    groups = -(-(before + bins) // (_GROUP * LANES)) * LANES
    padded = np.zeros((cells, groups * _GROUP))
    padded[:, before : before + bins] = values
    sums = padded[:, 0::_GROUP].copy()
    for place in range(1, _GROUP):
        sums += padded[:, place::_GROUP]
    return sums


@dataclass(frozen=True, slots=True)
class _Bins:
    """Rows per bin, and logit and squared logit of the bins, the latter (B,) or (C, B)."""

    n: Float
    x: Float
    x2: Float

    @staticmethod
    def of(n: Float, x: Float) -> _Bins:
        return _Bins(n, x, x * x)

    def of_cells(self, cells: NDArray[np.intp]) -> _Bins:
        return _Bins(self.n[cells], _of_cells(self.x, cells), _of_cells(self.x2, cells))


def _newton(bins: _Bins, events: Float, events_x: Float, start: Float) -> Float:
    line = start.copy()
    line[_DONE] = 0.0
    far = np.abs(bins.x).max(axis=-1) + np.zeros(len(events))
    running, left = np.arange(len(events)), bins
    for _ in range(_MOST_STEPS):
        line[:, running] = _step(left, events[running], events_x[running], far[running], line[:, running])
        still = running[line[_DONE, running] == 0.0]
        if len(still) == 0:
            break
        if len(still) < len(running):
            running, left = still, bins.of_cells(still)
    return line


def _step(bins: _Bins, events: Float, events_x: Float, far: Float, line: Float) -> Float:
    """The lines after one Newton step, shortened where a fitted logit would move too far."""
    intercept, slope = line[_INTERCEPT], line[_SLOPE]
    fitted, fitted_x, i00, i01, i11 = _moments(bins, intercept, slope)
    gap, gap_x = events - fitted, events_x - fitted_x
    determinant = i00 * i11 - i01 * i01
    usable = determinant > 1e-12 * i00 * i11
    inverse = np.where(usable, 1.0 / np.where(usable, determinant, 1.0), 0.0)
    by_intercept, by_slope = (i11 * gap - i01 * gap_x) * inverse, (i00 * gap_x - i01 * gap) * inverse
    size = np.abs(by_intercept) + np.abs(by_slope) * far
    share = np.minimum(1.0, _LONGEST_STEP / np.maximum(size, _LONGEST_STEP))
    settled = usable & (by_intercept * gap + by_slope * gap_x <= _SETTLED)
    following = [intercept + share * by_intercept, slope + share * by_slope]
    return np.stack([*following, np.sqrt(np.abs(i11 * inverse)), np.sqrt(np.abs(i00 * inverse)), settled])


def _moments(bins: _Bins, intercept: Float, slope: Float) -> tuple[Float, Float, Float, Float, Float]:
    """Sums of n p and n p x, and of n p (1 - p) times 1, x and x^2, over the bins of each cell.

    With odds = e^intercept and e = e^(-slope x), p = odds / (e + odds): the intercept leaves every pass but one.
    """
    odds = np.exp(intercept)
    divisor = np.multiply(bins.x, -slope[:, None])
    np.exp(divisor, out=divisor)
    divisor += odds[:, None]
    shares = bins.n / divisor
    p0, p1, p2 = odds * bin_sum(shares), odds * bin_dot(shares, bins.x), odds * bin_dot(shares, bins.x2)
    shares /= divisor
    square = odds * odds
    q0, q1, q2 = square * bin_sum(shares), square * bin_dot(shares, bins.x), square * bin_dot(shares, bins.x2)
    return p0, p1, p0 - q0, p1 - q1, p2 - q2


def _solve_shift(total: Float, events: Float, x: Float) -> tuple[Float, Float]:
    """The shift a with sum n expit(a + x) = events, and the information on it."""
    shift, information = np.zeros(len(total)), np.ones(len(total))
    running = np.arange(len(total))
    inverse_odds = np.exp(-x)
    n, odds = total, inverse_odds
    for _ in range(_MOST_STEPS if len(total) else 0):
        p = odds * np.exp(-shift[running])[:, None]
        p += 1.0
        np.reciprocal(p, out=p)
        fitted = n * p
        gap = events[running] - bin_sum(fitted)
        information[running] = np.maximum(bin_sum(fitted) - bin_dot(fitted, p), 1e-300)
        step = gap / information[running]
        shift[running] += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        left = running[step * gap > _SETTLED]
        if len(left) == 0:
            break
        if len(left) < len(running):
            running, n, odds = left, total[left], _of_cells(inverse_odds, left)
    return shift, information
