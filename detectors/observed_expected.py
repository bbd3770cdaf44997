"""Observed over expected events: calibration in the large as a ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import MICRO, as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import poisson_exact
from detectors.outcomes import impossible_share, outcomes


@silent
def observed_expected(n: ArrayLike, events: ArrayLike, sum_p_micro: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """O/E of n labelled rows with `events` positives and the sum of their scores in millionths; all (C,).

    The expected number is taken as known and O as Poisson, with its exact interval (Garwood 1936; Breslow & Day 1987,
    IARC 82, ch. 2).

    `no_exposure` where n is 0, `degenerate_outcomes` where the scores sum to 0 (no ratio) or the counts are impossible.

    >>> ratio = observed_expected([100], [10], [8_000_000])[0]
    >>> ratio.value, round(ratio.lower, 3), round(ratio.upper, 3)
    (1.25, 0.599, 2.299)
    """
    rows, observed, expected = as_float(n), as_float(events), as_float(sum_p_micro) / MICRO
    impossible = impossible_share(observed, rows) | ~(expected > 0)
    divisor = np.where(expected > 0, expected, 1.0)
    lower, upper = poisson_exact(observed, level)
    refusals = [(rows == 0, Reason.NO_EXPOSURE), (impossible, Reason.DEGENERATE_OUTCOMES)]
    return outcomes(observed / divisor, lower / divisor, upper / divisor, rows, "exact_poisson", refusals=refusals)
