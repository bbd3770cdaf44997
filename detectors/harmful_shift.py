"""Harmful shift: how much higher the risk in the field is than it was when it was validated, at whatever time one looks.

Podkopaev & Ramdas 2022, ICLR ("Tracking the risk of a deployed model and detecting harmful distribution shifts").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import as_float, silent
from detectors.estimate import Outcome, Reason
from detectors.intervals import beta_binomial_confidence_sequence, clopper_pearson
from detectors.outcomes import impossible_share, outcomes


@silent
def harmful_shift(
    events: ArrayLike, n: ArrayLike, validated_events: ArrayLike, validated_n: ArrayLike, *, level: float = 0.95
) -> list[Outcome]:
    """Risk in the field minus validated risk, all (C,): counts of bad results among cases so far, and in the validation.

    The lower bound is that of the field (confidence sequence, since it is looked at as cases come) less the upper one of the
    validation (Clopper-Pearson, looked at once), each at half of 1 - level. Harm is shown where it lies above the tolerance.

    `unknown_reference` without a validated case, `no_exposure` without one in the field.

    >>> found = harmful_shift([60], [200], [100], [1000])[0]
    >>> round(found.value, 2), round(found.lower, 3), round(found.upper, 3)
    (0.2, 0.07, 0.344)
    """
    k, cases, k0, cases0 = as_float(events), as_float(n), as_float(validated_events), as_float(validated_n)
    half = (1.0 + level) / 2.0
    lower, upper = beta_binomial_confidence_sequence(k, cases, half)
    lower0, upper0 = clopper_pearson(k0, cases0, half)
    value = k / np.maximum(cases, 1.0) - k0 / np.maximum(cases0, 1.0)
    refusals = [
        (~(cases0 > 0), Reason.UNKNOWN_REFERENCE),
        (cases == 0, Reason.NO_EXPOSURE),
        (impossible_share(k, cases) | impossible_share(k0, cases0), Reason.DEGENERATE_OUTCOMES),
    ]
    return outcomes(value, lower - upper0, upper - lower0, cases, "harmful_shift", refusals=refusals)
