"""Trend of event counts per use against the frequency that was foreseen: exact Poisson test (MDR Art. 88)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from detectors.arrays import as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import poisson_exact
from detectors.outcomes import outcomes


@silent
def poisson_trend(n: ArrayLike, uses: ArrayLike, *, frequency_per_1000: float, level: float = 0.95) -> list[Outcome]:
    """Observed over foreseen events, both (C,), with the exact Poisson interval (Garwood 1936, Biometrika 28:437) and the
    upper p-value P(N >= n) at the foreseen mean (Przyborowski & Wilenski 1940, Biometrika 31:313).

    `no_exposure` where no event was to be expected, `degenerate_outcomes` where a count is none.

    >>> found = poisson_trend([9], [10_000], frequency_per_1000=0.42)[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3), round(found.p, 4)
    (2.143, 0.98, 4.068, 0.0279)
    """
    count, mean = as_float(n), as_float(uses) * frequency_per_1000 / 1000.0
    lower, upper = poisson_exact(count, level)
    p = np.where(count > 0, special.gammainc(np.maximum(count, 1.0), mean), 1.0)
    impossible = ~((count >= 0) & (mean >= 0) & np.isfinite(count) & np.isfinite(mean))
    refusals = [(impossible, Reason.DEGENERATE_OUTCOMES), (mean == 0, Reason.NO_EXPOSURE)]
    return outcomes(count / mean, lower / mean, upper / mean, count, "exact_poisson", refusals=refusals, p=p)
