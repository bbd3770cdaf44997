"""Section `baselines`: what the field is compared with, frozen at release."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from surveillance.manifest.model_distribution import Reference
from surveillance.manifest.model_labels import LabelLatency
from surveillance.manifest.model_operational import Operational
from surveillance.manifest.part import Count, Number, NumberOrMap, Pair, Part, Positive, Share, Text

MonthFactors = Annotated[tuple[Positive, ...], Field(min_length=12, max_length=12)]


class FeatureBaseline(Reference):
    """Reference of one input feature. `sentinels` are values that stand for "missing"."""

    name: Text
    kind: Literal["continuous", "categorical"] = "continuous"
    unit: Text | None = None
    range: Pair | None = None
    sentinels: tuple[Text | Number, ...] = ()
    dispersion: Positive | None = None

    @model_validator(mode="before")
    @classmethod
    def _kind_from_shape(cls, value: Any) -> Any:
        if isinstance(value, dict) and "kind" not in value and isinstance(value.get("probs"), dict):
            return value | {"kind": "categorical"}
        return value


class SaturationShare(Part):
    """Shares of scores within `low_eps` of 0 and within `high_eps` of 1, and those widths."""

    low_eps: Annotated[Share, Field(le=0.5)] = 0.001
    high_eps: Annotated[Share, Field(le=0.5)] = 0.001
    low: Share | None = None
    high: Share | None = None


class ScoreBaseline(Reference):
    """Reference of the score."""

    saturation_share: SaturationShare = SaturationShare()


class Measured(NumberOrMap):
    """A validated number with its interval; a plain number is read as `{value: number}`. `n_pos` = positives behind it."""

    value: Number
    ci95: Pair | None = None
    n: Count | None = None
    n_pos: Count | None = None
    n_neg: Count | None = None


class MetricBaseline(Part):
    """A validated performance metric. `at` names the threshold it holds at."""

    id: Text
    at: Text | None = None
    overall: Measured | None = None
    strata: dict[str, dict[str, Measured]] = Field(default_factory=dict)
    month_factor: MonthFactors | None = None

    def of(self, axis: str, level: str) -> Measured | None:
        """What `axis` = `level` has of its own."""
        return self.strata.get(axis, {}).get(level)


class Baselines(Part):
    """Every reference; each may be absent."""

    digest: Text | None = None
    features: tuple[FeatureBaseline, ...] = ()
    score: ScoreBaseline | None = None
    output_class: Reference | None = None
    prevalence: Measured | None = None
    metrics: tuple[MetricBaseline, ...] = ()
    operational: Operational = Operational()
    label_latency: LabelLatency | None = None

    def feature(self, name: str) -> FeatureBaseline | None:
        """The baseline of a feature by its name."""
        return next((feature for feature in self.features if feature.name == name), None)

    def metric(self, metric_id: str) -> MetricBaseline | None:
        """The validated metric by its id."""
        return next((metric for metric in self.metrics if metric.id == metric_id), None)

    def reference(self, feature: str) -> Reference | None:
        """The reference of a feature, of `score` or of `output_class`; a feature of such a name comes first."""
        own = self.feature(feature)
        if own is not None:
            return own
        return {"score": self.score, "output_class": self.output_class}.get(feature)
