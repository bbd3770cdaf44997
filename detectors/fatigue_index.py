"""Signs that alerts are no longer read: acknowledged at once, repeated, overridden without a reason."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import wilson
from detectors.outcomes import impossible_share, outcomes

METHOD = "mean_of_shares"
HASTY_ACK_MS = 2_000
"""An acknowledgement given sooner than this was given without reading."""


@silent
def fatigue_index(
    hasty_acks: ArrayLike,
    acks: ArrayLike,
    repeats: ArrayLike,
    alerts: ArrayLike,
    unexplained: ArrayLike,
    overrides: ArrayLike,
    *,
    level: float = 0.95,
) -> list[Outcome]:
    """Mean of three shares, all counts (C,): acks under `HASTY_ACK_MS`, repeated alerts, overrides without a reason.

    A share of nothing (no ack, no override) is left out of the mean. Bounds are the means of the shares' score bounds (Wilson
    1927, JASA 22:209), each at a third of 1 - level (Bonferroni; Dunn 1961, JASA 56:52): the mean of intervals that all hold is
    an interval that holds, whatever the shares have to do with each other. `n` = alerts.

    `no_exposure` where there were no alerts, `degenerate_outcomes` where a part is no part of its whole.

    >>> found = fatigue_index([10], [40], [30], [100], [5], [10])[0]
    >>> round(found.value, 3), round(found.lower, 3), round(found.upper, 3)
    (0.35, 0.176, 0.553)
    """
    parts = [np.atleast_1d(as_float(one)) for one in (hasty_acks, repeats, unexplained)]
    wholes = [np.atleast_1d(as_float(one)) for one in (acks, alerts, overrides)]
    broken = np.any([impossible_share(k, n) | ~np.isfinite(n) for k, n in zip(parts, wholes, strict=True)], axis=0)
    known = np.stack([np.where(broken, 0.0, n) > 0 for n in wholes])
    shares = np.stack([np.where(n > 0, k / np.maximum(n, 1e-300), 0.0) for k, n in zip(parts, wholes, strict=True)])
    bounds = [wilson(k, n, 1.0 - (1.0 - level) / len(parts)) for k, n in zip(parts, wholes, strict=True)]
    lower, upper = np.stack([low for low, _ in bounds]), np.stack([high for _, high in bounds])
    told = np.maximum(known.sum(axis=0), 1)
    value, low, high = (np.where(known, one, 0.0).sum(axis=0) / told for one in (shares, lower, upper))
    refusals = [(broken, Reason.DEGENERATE_OUTCOMES), (wholes[1] == 0, Reason.NO_EXPOSURE)]
    return outcomes(value, low, high, wholes[1], METHOD, refusals=refusals)
