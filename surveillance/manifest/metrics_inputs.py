"""Metric types on what goes in and what the score looks like: drift, missing values, charts, saturation, variance."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from surveillance.manifest.metric_kind import CountingWord, IntervalFamily, MetricKind, Tail
from surveillance.manifest.part import Inside01, Number, Positive, Share, Text


class Drift(MetricKind):
    """Distance of a feature, of `score` or of `output_class` to its reference distribution. `*` = each feature."""

    limit_keys: ClassVar = frozenset({"p", "effect_min", "ge"})
    has_e_value: ClassVar = True

    type: Literal["psi", "js", "ks", "wasserstein", "tv"]
    feature: Text
    bins: Literal["baseline"] = "baseline"
    concentration: Positive = 1.0


class FeatureShare(MetricKind):
    """Share of missing, absent or out-of-range values of a feature. `*` = each feature."""

    limit_keys: ClassVar = frozenset({"abs", "ratio_to_baseline", "abs_min"})
    interval_family: ClassVar[IntervalFamily] = "proportion"

    type: Literal["missing_rate", "absent_rate", "out_of_range_rate"]
    feature: Text


class NormalChart(MetricKind):
    """Normal chart of a per-window mean or share. `k` is the CUSUM's allowance, `smoothing` (key `lambda`) the EWMA's weight."""

    limit_keys: ClassVar = frozenset({"h"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True

    type: Literal["cusum", "ewma"]
    of: Literal["feature_mean", "score_mean", "rate"] = "feature_mean"
    feature: Text | None = None
    numerator: CountingWord | None = None
    denominator: CountingWord | None = None
    k: Positive = 0.5
    smoothing: Annotated[Inside01, Field(alias="lambda")] = 0.2
    tail: Tail = "both"
    dispersion: Positive | None = None
    mean: Number | None = None
    sd: Positive | None = None

    @property
    def subject(self) -> str:
        """The feature whose mean is charted, or `score`; empty where none is named."""
        return "score" if self.of == "score_mean" else self.feature or ""


class Saturation(MetricKind):
    """Share of scores within `eps` of 0 or 1; without `eps` the widths of `baselines.score.saturation_share` hold."""

    limit_keys: ClassVar = frozenset({"abs", "ratio_to_baseline", "abs_min"})
    interval_family: ClassVar[IntervalFamily] = "proportion"

    type: Literal["saturation_share"]
    side: Literal["low", "high", "both"] = "both"
    eps: Annotated[Share, Field(le=0.5)] | None = None


class VarianceRatio(MetricKind):
    """Variance of `score` or of a feature against its baseline, and windows that are identical to the last count."""

    limit_keys: ClassVar = frozenset({"p", "identical_windows"})

    type: Literal["variance_ratio"]
    feature: Text = "score"
    tail: Tail = "lower"


class ContextMix(MetricKind):
    """Shift of the mix of an axis's levels against the reference."""

    limit_keys: ClassVar = frozenset({"p", "effect_min", "ci_upper_below", "ci_lower_above", "above", "below"})
    has_e_value: ClassVar = True

    type: Literal["mix_shift"]
    axis: Text | None = None
    concentration: Positive = 1.0


class OutOfDistribution(MetricKind):
    """Share of inferences whose `ood_score` is above `threshold` (default `operating_point.abstain.ood_above`)."""

    limit_keys: ClassVar = frozenset({"ci_upper_below", "ci_lower_above", "p", "above", "below"})
    interval_family: ClassVar[IntervalFamily] = "proportion"

    type: Literal["ood_share"]
    threshold: Number | None = None


class InputQuality(MetricKind):
    """Mean of `input_quality`."""

    limit_keys: ClassVar = frozenset({"ci_upper_below", "ci_lower_above", "p", "above", "below"})
    interval_family: ClassVar[IntervalFamily] = "wald"

    type: Literal["quality_mean"]


def is_about_inputs(metric: MetricKind) -> bool:
    """Whether the type is of this module: what went in, or what the score looked like. Alone it never rolls back (law 7)."""
    return type(metric).__module__ == __name__
