"""The estimators of all metric types that need nothing but the sums of their own window."""

from __future__ import annotations

from collections.abc import Mapping

from surveillance.evaluation.estimators import counts, delays, inputs, labels, scores, shape, subgroups, use, volume
from surveillance.evaluation.estimators.request import Estimator

ESTIMATORS: Mapping[str, Estimator] = {
    **counts.ESTIMATORS,
    **delays.ESTIMATORS,
    **inputs.ESTIMATORS,
    **labels.ESTIMATORS,
    **scores.ESTIMATORS,
    **shape.ESTIMATORS,
    **subgroups.ESTIMATORS,
    **use.ESTIMATORS,
    **volume.ESTIMATORS,
}
