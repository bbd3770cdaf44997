"""The metric of a monitor: one closed union over `type`, as contract/monitors.md lists them.

Each class states, beside its fields, the keys its limits may use (`limit_keys`), whether level limits may use an e-value
(`has_e_value`), whether it opens at the first crossing (`opens_at_once`) and whether `strata.min_sample` is ignored.
"""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from surveillance.manifest.metrics_inputs import (
    ContextMix,
    Drift,
    FeatureShare,
    InputQuality,
    NormalChart,
    OutOfDistribution,
    Saturation,
    VarianceRatio,
)
from surveillance.manifest.metrics_operation import (
    ClockOffset,
    DigestMismatch,
    DuplicateRate,
    HeartbeatGap,
    LabelArrivals,
    LowestValue,
    Quantile,
    RateOf,
    RateRatio,
    Volume,
)
from surveillance.manifest.metrics_performance import (
    BernoulliCusum,
    BrierScore,
    Calibration,
    CalibrationError,
    Discrimination,
    Prevalence,
    ProportionVsFloor,
    SiteOutlier,
    SubgroupGap,
)
from surveillance.manifest.metrics_safety import EventCount, MaxSprtPoisson, RunRule, TrendTest

Metric = Annotated[
    Drift
    | FeatureShare
    | NormalChart
    | Saturation
    | VarianceRatio
    | ContextMix
    | OutOfDistribution
    | InputQuality
    | DigestMismatch
    | BernoulliCusum
    | ProportionVsFloor
    | Discrimination
    | BrierScore
    | CalibrationError
    | Calibration
    | Prevalence
    | SubgroupGap
    | SiteOutlier
    | RateRatio
    | RateOf
    | Quantile
    | LabelArrivals
    | HeartbeatGap
    | Volume
    | DuplicateRate
    | ClockOffset
    | LowestValue
    | MaxSprtPoisson
    | EventCount
    | TrendTest
    | RunRule,
    Field(discriminator="type"),
]

METRIC_CLASSES = {name: kind for kind in get_args(get_args(Metric)[0]) for name in get_args(kind.model_fields["type"].annotation)}
"""Metric class by type name: every type of the contract."""
