"""Ratio of a field rate to its reference rate, with exact intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Bool, Float, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import Bounds, clopper_pearson, poisson_exact
from detectors.outcomes import outcomes

_TWO_SAMPLES, _ONE_SAMPLE = "conditional_binomial", "one_sample_exact_poisson"


@silent
def rate_ratio(
    events: ArrayLike,
    exposure: ArrayLike,
    *,
    reference_rate: ArrayLike,
    reference_events: ArrayLike | None = None,
    reference_exposure: ArrayLike | None = None,
    level: float = 0.95,
) -> list[Outcome]:
    """(events / exposure) over the reference rate; `events`, `exposure` (C,), the reference (C,) or one for all.

    `reference_rate` is events per unit of exposure. Where the reference's own events and exposure are given (either may be
    None or, per cell, <= 0 or not finite: not given), its rate is their quotient and the interval is that of the binomial
    share events / (events + reference_events), exact given their sum (Przyborowski & Wilenski 1940, Biometrika 31:313; Clopper
    & Pearson 1934); `reference_events` may be fractional. Otherwise the reference is a known number and the interval is the
    exact one of a Poisson mean (Garwood 1936).

    `no_exposure` where exposure is 0, `unknown_reference` where no positive reference rate is known, `degenerate_outcomes`
    where events or exposure are negative. `n` is the exposure, rounded down.

    >>> ratio = rate_ratio([30], [1000], reference_rate=0.02, reference_events=200, reference_exposure=10_000)[0]
    >>> round(ratio.value, 3), round(ratio.lower, 3), round(ratio.upper, 3), ratio.method
    (1.5, 0.986, 2.209, 'conditional_binomial')
    """
    count, time = np.atleast_1d(as_float(events)), np.atleast_1d(as_float(exposure))
    rate = np.broadcast_to(as_float(reference_rate), count.shape)
    reference_count = _given(reference_events, count.shape)
    reference_time = _given(reference_exposure, count.shape)
    paired = (reference_count > 0) & (reference_time > 0)
    rate = np.where(paired, reference_count / np.where(paired, reference_time, 1.0), rate)
    known = np.isfinite(rate) & (rate > 0)
    exposed = time > 0
    expected = np.where(exposed & known, time * np.where(known, rate, 1.0), 1.0)
    lower, upper = poisson_exact(count, level)
    lower, upper = lower / expected, upper / expected
    if paired.any():
        _replace(paired, (lower, upper), _conditional(count, time, reference_count, reference_time, level))
    refusals = [
        (~((count >= 0) & (time >= 0)), Reason.DEGENERATE_OUTCOMES),
        (time == 0, Reason.NO_EXPOSURE),
        (~known, Reason.UNKNOWN_REFERENCE),
    ]
    method = [_TWO_SAMPLES if both else _ONE_SAMPLE for both in paired.tolist()]
    return outcomes(count / expected, lower, upper, time, method, refusals=refusals)


def _given(values: ArrayLike | None, shape: tuple[int, ...]) -> Float:
    if values is None:
        return np.zeros(shape)
    given = as_float(values)
    return np.broadcast_to(np.where(np.isfinite(given), given, 0.0), shape)


def _conditional(count: Float, time: Float, reference_count: Float, reference_time: Float, level: float) -> Bounds:
    low, high = clopper_pearson(count, count + reference_count, level)
    quotient = reference_time / np.where(time > 0, time, 1.0)
    return low / np.maximum(1.0 - low, 1e-300) * quotient, high / np.maximum(1.0 - high, 1e-300) * quotient


def _replace(where: Bool, bounds: Bounds, others: Bounds) -> None:
    for bound, other in zip(bounds, others, strict=True):
        bound[where] = other[where]
