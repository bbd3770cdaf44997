"""Labels that arrived against what the latency curve of labels leads one to expect."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import poisson_exact
from detectors.outcomes import outcomes

METHOD = "negative_binomial_midp"

_KNOT_Z = tuple(float(z) for z in special.ndtri([0.5, 0.95, 0.99]))


@dataclass(frozen=True, slots=True)
class LatencyCurve:
    """Distribution of the hours from inference to label through its median, 95th and 99th percentile.

    Normal quantiles are piecewise linear in log time through the three points, and the end pieces continue.

    Raises:
        ValueError: the percentiles are not positive, finite and in rising order.

    >>> import numpy as np
    >>> LatencyCurve(24.0, 96.0, 240.0).cdf(np.array([0.0, 24.0, 48.0, 96.0, 240.0])).round(3).tolist()
    [0.0, 0.5, 0.795, 0.95, 0.99]
    """

    p50_h: float
    p95_h: float
    p99_h: float

    def __post_init__(self) -> None:
        if not 0 < self.p50_h <= self.p95_h <= self.p99_h < math.inf:
            raise ValueError(f"latency percentiles must be positive and rising: {self}")

    def cdf(self, age_h: ArrayLike) -> Float:
        """Share of labels that have arrived at each age in hours, any shape; 0 at and before age 0."""
        age = np.nan_to_num(as_float(age_h), nan=0.0)
        log_age = np.log(np.maximum(age, 1e-300))
        t50, t95, t99 = (math.log(hours) for hours in (self.p50_h, self.p95_h, self.p99_h))
        early = _KNOT_Z[0] + (log_age - t50) * _gradient(_KNOT_Z[1] - _KNOT_Z[0], t95 - t50)
        late = _KNOT_Z[1] + (log_age - t95) * _gradient(_KNOT_Z[2] - _KNOT_Z[1], t99 - t95)
        share: Float = special.ndtr(np.where(log_age < t95, early, late))
        return np.where(age > 0, share, 0.0)


def _gradient(rise: float, run: float) -> float:
    """Of a piece of the curve; two equal percentiles make it a step, not a division by zero."""
    return rise / max(run, 1e-9)


def latency_curve(p50_h: float, p95_h: float, p99_h: float) -> LatencyCurve:
    """The curve of a manifest's `label_latency`, percentiles in hours; raises as `LatencyCurve`.

    >>> float(latency_curve(1.0, 2.0, 3.0).cdf(2.0).round(2))
    0.95
    """
    return LatencyCurve(p50_h, p95_h, p99_h)


def expected_arrivals(
    inferences: ArrayLike,
    pane_mid_h: ArrayLike,
    *,
    window_start_h: float,
    window_end_h: float,
    coverage: ArrayLike,
    curve: LatencyCurve,
) -> Float:
    """Labels expected to arrive in a window (C,), from inferences (C, P) of panes whose middles are at `pane_mid_h` (P,).

    Times are hours from any common origin. Each pane gives inferences x coverage x the curve's rise over the window, nothing
    for the time before its own middle. `coverage`, the share that is ever labelled, is one number or (C,).

    >>> curve = latency_curve(24.0, 96.0, 240.0)
    >>> expected_arrivals([[100, 100]], [0, 24], window_start_h=24, window_end_h=48, coverage=0.5, curve=curve).round(2).tolist()
    [39.73]
    """
    middle = as_float(pane_mid_h)
    rise = curve.cdf(window_end_h - middle) - curve.cdf(window_start_h - middle)
    total: Float = (np.atleast_2d(as_float(inferences)) * np.maximum(rise, 0.0)).sum(axis=1)
    return total * as_float(coverage)


@silent
def arrivals(observed: ArrayLike, expected: ArrayLike, *, dispersion: ArrayLike = 1.0, level: float = 0.95) -> list[Outcome]:
    """Observed over expected labels, both (C,), with `p` from the negative binomial whose variance is dispersion x mean.

    `p` doubles the smaller mid-p tail (Lancaster 1961, JASA 56:223); a dispersion of 1 or less is Poisson. The interval is the
    exact Poisson interval of observed / dispersion, scaled back: the same variance by quasi-likelihood (McCullagh & Nelder
    1989, sec. 9.2). `n` is the number observed.

    `no_exposure` where nothing was expected, `degenerate_outcomes` where a count is negative or a number is not finite.

    >>> found = arrivals([5], [12.0], dispersion=2.0)[0]
    >>> round(found.value, 3), round(found.p, 3), found.method
    (0.417, 0.11, 'negative_binomial_midp')
    """
    count, mean = np.atleast_1d(as_float(observed)), np.atleast_1d(as_float(expected))
    spread = np.broadcast_to(as_float(dispersion), count.shape)
    usable = np.isfinite(count) & np.isfinite(mean) & np.isfinite(spread) & (count >= 0) & (mean > 0)
    k, mu, d = np.where(usable, count, 0.0), np.where(usable, mean, 1.0), np.where(usable, np.maximum(spread, 1.0), 1.0)
    lower, upper = poisson_exact(k / d, level)
    refusals = [(mean == 0, Reason.NO_EXPOSURE), (~usable, Reason.DEGENERATE_OUTCOMES)]
    return outcomes(k / mu, lower * d / mu, upper * d / mu, count, METHOD, refusals=refusals, p=_doubled_mid_p(k, mu, d))


def _doubled_mid_p(k: Float, mean: Float, dispersion: Float) -> Float:
    """Twice the smaller of P(X < k) + P(X = k)/2 and P(X > k) + P(X = k)/2, at most 1."""
    below, not_above = _cdf(k - 1.0, mean, dispersion), _cdf(k, mean, dispersion)
    above, not_below = _survival(k, mean, dispersion), _survival(k - 1.0, mean, dispersion)
    tail = np.minimum((below + not_above) / 2.0, (above + not_below) / 2.0)
    return np.clip(2.0 * tail, 0.0, 1.0)


def _size(mean: Float, dispersion: Float) -> tuple[Float, Float, Float]:
    wide = dispersion > 1.0 + 1e-9
    excess = np.where(wide, dispersion - 1.0, 1.0)
    return np.where(wide, 1.0, 0.0), mean / excess, excess


def _cdf(k: Float, mean: Float, dispersion: Float) -> Float:
    wide, size, excess = _size(mean, dispersion)
    count = np.maximum(k, 0.0)
    mixed = special.betainc(size, count + 1.0, 1.0 / (1.0 + excess))
    found = np.where(wide > 0, mixed, special.gammaincc(count + 1.0, mean))
    return np.where(k < 0, 0.0, np.nan_to_num(found, nan=1.0))


def _survival(k: Float, mean: Float, dispersion: Float) -> Float:
    wide, size, excess = _size(mean, dispersion)
    count = np.maximum(k, 0.0)
    mixed = special.betaincc(size, count + 1.0, 1.0 / (1.0 + excess))
    found = np.where(wide > 0, mixed, special.gammainc(count + 1.0, mean))
    return np.where(k < 0, 1.0, np.nan_to_num(found, nan=1.0))
