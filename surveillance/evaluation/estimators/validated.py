"""The validated number that a p-value compares the field with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detectors.intervals import normal_quantile
from surveillance.arrays import Float
from surveillance.evaluation.estimators.request import Request, own_level
from surveillance.manifest.season import seasonal


class Validated(NamedTuple):
    """Number and standard error of each scope, (C,); NaN where the manifest gives none."""

    value: Float
    se: Float


def validated_metric(request: Request, metric_id: str) -> Validated:
    """What `baselines.metrics` says of each scope (its own where it has one, else the overall), in the month of the window."""
    value, se = np.full(len(request.scopes), np.nan), np.zeros(len(request.scopes))
    baseline = request.manifest.baselines.metric(metric_id)
    for at, scope in enumerate(request.scopes if baseline is not None else ()):
        assert baseline is not None
        own = own_level(scope)
        measured = (baseline.of(*own) if own is not None else None) or baseline.overall
        if measured is not None:
            value[at] = seasonal(measured.value, baseline.month_factor, request.end_ms)
            low, high = measured.ci95 or (measured.value, measured.value)
            se[at] = (high - low) / (2 * normal_quantile(0.95))
    return Validated(value, se)
