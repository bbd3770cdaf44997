"""When a series changed its level: whether by river's detectors, where by likelihood. For attribution only."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from river import drift
from scipy import special

from detectors.arrays import Float, silent
from detectors.estimate import Estimate, Insufficient, Outcome, Reason

FEWEST = 4
"""Points before which no level before and after can be told apart."""

_ALLOWANCE, _THRESHOLD = 0.5, 6.0
"""Of Page-Hinkley, in standard deviations of the series: the normal CUSUM's k for a shift of one deviation, and an h that a
quiet month of days passes about once in twelve months."""


@silent
def change_point(series: ArrayLike, *, level: float = 0.95) -> Outcome:
    """Index of the first point after the change, of a series (n,) in order of time.

    Page-Hinkley (Page 1954, Biometrika 41:100) and, on long series, ADWIN (Bifet & Gavalda 2007, SIAM SDM) as river has them
    say whether there is a change; the method names the one that did, Page-Hinkley first. Where it is, is the split into two
    normal levels of largest likelihood (Hinkley 1970, Biometrika 57:1), and the bounds hold every split whose likelihood
    ratio against it lies inside chi2(1) at `level`.

    `below_minimum_n` where there are fewer than 4 points, or no detector sees a change in so few; `degenerate_outcomes`
    where a value is no number or all are equal.

    >>> found = change_point([0.1, -0.2, 0.0, 0.2, -0.1, 0.1, 9.0, 9.2, 8.9, 9.1])
    >>> found.value, found.lower, found.upper, found.method
    (6.0, 6.0, 6.0, 'page_hinkley')
    """
    values = np.atleast_1d(np.asarray(series, dtype=np.float64))
    n = len(values)
    if n < FEWEST:
        return Insufficient(Reason.BELOW_MINIMUM_N, n, FEWEST)
    # A value is never large enough that its square is not a number.
    if not np.isfinite(values).all() or float(np.abs(values).max()) > 1e150:
        return Insufficient(Reason.DEGENERATE_OUTCOMES, n)
    spread = _spread(values)
    if spread <= 0:
        return Insufficient(Reason.DEGENERATE_OUTCOMES, n)
    method = _seen_by((values - np.median(values)) / spread)
    if method is None:
        return Insufficient(Reason.BELOW_MINIMUM_N, n, n + 1)
    first, last, best = _split(values, level)
    return Estimate(float(best), float(first), float(last), n, method)


def _spread(values: Float) -> float:
    """Standard deviation around a level that may change: from neighbours' differences, robust against the change itself."""
    steps = np.abs(np.diff(values))
    robust = float(np.median(steps)) / (0.6745 * np.sqrt(2.0))
    return robust if robust > 0 else float(np.sqrt(np.mean(steps**2) / 2.0))


def _seen_by(scaled: Float) -> str | None:
    page_hinkley = partial(drift.PageHinkley, min_instances=2, delta=_ALLOWANCE, threshold=_THRESHOLD, alpha=1.0)
    adwin = partial(drift.ADWIN, clock=1, grace_period=FEWEST)
    for name, make in (("page_hinkley", page_hinkley), ("adwin", adwin)):
        detector: Any = make()  # river is not typed throughout
        for value in scaled.tolist():
            detector.update(value)
            if detector.drift_detected:
                return name
    return None


def _split(values: Float, level: float) -> tuple[int, int, int]:
    """First and last split that the likelihood does not rule out, and the best one."""
    n = len(values)
    sums, squares = np.cumsum(values - values.mean()), float(np.sum((values - values.mean()) ** 2))
    k = np.arange(1, n)
    between = sums[:-1] ** 2 * n / (k * (n - k))
    residual = np.maximum(squares - between, squares * 1e-12)
    deviance = n * np.log(residual)
    best = int(deviance.argmin())
    held = np.flatnonzero(deviance <= deviance[best] + special.chdtri(1, 1.0 - level))
    return int(held[0]) + 1, int(held[-1]) + 1, best + 1
