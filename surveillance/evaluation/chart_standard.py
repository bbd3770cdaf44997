"""What a normal chart folds: a window's mean or share, standardised by what the manifest says of the series."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from detectors.normal_chart import clipped, standardised
from surveillance.arrays import Float, Int
from surveillance.evaluation.estimators.request import own_level
from surveillance.evaluation.estimators.use import counted
from surveillance.evaluation.evidence import Scope
from surveillance.evaluation.references import moments_of
from surveillance.manifest.manifest import Manifest
from surveillance.manifest.metrics_inputs import NormalChart
from surveillance.manifest.metrics_operation import RateRatio
from surveillance.manifest.model_baselines import FeatureBaseline
from surveillance.manifest.reference_rate import reference_rate
from surveillance.panes.binning import bin_count, feature_distribution
from surveillance.panes.standard_scale import standard_scale
from surveillance.panes.statistics import Shape


class Standard(NamedTuple):
    """Mean of a series, and its sd: of the window means themselves where the metric gives it, else of the single values."""

    mean: float
    sd: float
    of_windows: bool


def standard_of(manifest: Manifest, metric: NormalChart, scope: Scope, end_ms: int) -> Standard | None:
    """How a scope's window is standardised in the month of its end; None where the manifest does not say."""
    if metric.of == "rate":
        mean = metric.mean if metric.mean is not None else _expected_rate(manifest, metric, scope, end_ms)
        sd = math.sqrt(mean * (1.0 - mean)) if mean is not None and 0.0 < mean < 1.0 else None
        dispersion = metric.dispersion or 1.0
    else:
        reference = manifest.baselines.reference(metric.subject)
        known = moments_of(manifest, reference, scope)
        mean, sd = metric.mean if metric.mean is not None else known.mean, known.sd
        of_feature = reference.dispersion if isinstance(reference, FeatureBaseline) else None
        dispersion = metric.dispersion or of_feature or 1.0
    if mean is None or not (metric.sd or sd):
        return None
    return Standard(mean, metric.sd, True) if metric.sd else Standard(mean, dispersion * (sd or 0.0), False)


def _expected_rate(manifest: Manifest, metric: NormalChart, scope: Scope, end_ms: int) -> float | None:
    """The operational figure of the same words as a share, in its season."""
    if metric.numerator is None or metric.denominator is None:
        return None
    ratio = RateRatio(type="poisson_rate_ratio", numerator=metric.numerator, exposure=metric.denominator)
    found = reference_rate(manifest, ratio, own_level(scope), end_ms)
    return None if found is None else found.value


def totals_of(manifest: Manifest, metric: NormalChart, counts: Int) -> tuple[Float, Int]:
    """Sum and n of the values of each group, both (groups,), from the sums of a window."""
    if metric.of == "rate":
        numerator, denominator = metric.numerator or "", metric.denominator or ""
        return counted(counts, numerator).astype(np.float64), counted(counts, denominator)
    scale = standard_scale(manifest, metric.subject)
    tail = counts[:, bin_count(feature_distribution(manifest, metric.subject)) :]
    n = tail[:, Shape.NUMBERS]
    total: Float = n * scale.mean + tail[:, Shape.SUM_MICRO] * 1e-6 * scale.sd
    return total, n


def z_of(standard: Standard, total: float, n: int) -> float:
    """The window in standard units; n > 0."""
    if standard.of_windows:
        return float(clipped(np.array([(total / n - standard.mean) / standard.sd]))[0])
    return float(standardised([total], [n], [standard.mean], [standard.sd])[0])
