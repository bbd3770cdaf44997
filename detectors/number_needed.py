"""How many alerts must be worked up to find one case: the reciprocal of the positive predictive value."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import wilson
from detectors.outcomes import impossible_share, outcomes

METHOD = "reciprocal_wilson"


@silent
def number_needed_to_evaluate(true_alerts: ArrayLike, alerts: ArrayLike, *, level: float = 0.95) -> list[Outcome]:
    """Alerts per case found, from counts (C,) of labelled alerts and the positives among them (Romero-Brufau et al. 2015,
    Crit. Care 19:285). Bounds are the reciprocals of the Wilson bounds of the share. `n` = alerts.

    `no_exposure` without alerts, `no_positives` where no alert found a case: no finite number is needed then.

    >>> found = number_needed_to_evaluate([10], [80])[0]
    >>> found.value, round(found.lower, 2), round(found.upper, 2)
    (8.0, 4.65, 14.42)
    """
    k, n = np.atleast_1d(as_float(true_alerts)), np.atleast_1d(as_float(alerts))
    lower, upper = wilson(k, n, level)
    refusals = [
        (impossible_share(k, n) | ~np.isfinite(n), Reason.DEGENERATE_OUTCOMES),
        (n == 0, Reason.NO_EXPOSURE),
        (k == 0, Reason.NO_POSITIVES),
    ]
    return outcomes(n / np.maximum(k, 1e-300), 1.0 / upper, 1.0 / np.maximum(lower, 1e-300), n, METHOD, refusals=refusals)
