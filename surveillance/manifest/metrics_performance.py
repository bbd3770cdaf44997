"""Metric types on labelled inferences: rates, discrimination, calibration, subgroups, sites."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from surveillance.manifest.metric_kind import CountingWord, IntervalFamily, Labelled, Proportion
from surveillance.manifest.part import Inside01

_INTERVAL_KEYS = frozenset({"ci_upper_below", "ci_lower_above"})


class BernoulliCusum(Labelled):
    """CUSUM of an event with probability `p0` when all is well against `p1` when it is not."""

    limit_keys: ClassVar = frozenset({"h"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True

    type: Literal["bernoulli_cusum"]
    event: Literal["miss", "false_alert", "override"]
    p0: Inside01
    p1: Inside01


class ProportionVsFloor(Labelled):
    """A proportion against a floor (`ci_upper_below`) or a ceiling (`ci_lower_above`)."""

    limit_keys: ClassVar = _INTERVAL_KEYS
    interval_family: ClassVar[IntervalFamily] = "proportion"

    type: Literal["proportion_vs_floor"]
    event: Proportion


class Discrimination(Labelled):
    """Area under the ROC curve, tie-aware."""

    limit_keys: ClassVar = _INTERVAL_KEYS | {"p"}
    interval_family: ClassVar[IntervalFamily] = "delong"

    type: Literal["auroc"]


class BrierScore(Labelled):
    """Mean squared error of the score."""

    limit_keys: ClassVar = _INTERVAL_KEYS | {"p"}
    interval_family: ClassVar[IntervalFamily] = "wald"

    type: Literal["brier"]


class CalibrationError(Labelled):
    """Spiegelhalter's Z, or the binned calibration error; the e-value is that of the calibration e-process by betting."""

    limit_keys: ClassVar = _INTERVAL_KEYS | {"p"}
    has_e_value: ClassVar = True
    interval_family: ClassVar[IntervalFamily] = "wald"

    type: Literal["spiegelhalter", "calibration_error"]


class Calibration(Labelled):
    """Observed / expected (exact Poisson), Cox slope, calibration in the large (slope fixed at 1)."""

    limit_keys: ClassVar = frozenset({"outside"})
    interval_family: ClassVar[IntervalFamily] = "wald"

    type: Literal["observed_expected", "calibration_slope", "calibration_intercept"]


class Prevalence(Labelled):
    """Share of positives among labelled rows."""

    limit_keys: ClassVar = _INTERVAL_KEYS | {"p", "above", "below"}
    interval_family: ClassVar[IntervalFamily] = "proportion"

    type: Literal["prevalence"]


class SubgroupGap(Labelled):
    """Difference of a proportion in a subgroup to the overall one, or to the subgroup's baseline."""

    limit_keys: ClassVar = _INTERVAL_KEYS | {"p", "above", "below"}
    interval_family: ClassVar[IntervalFamily] = "proportion"

    type: Literal["subgroup_gap"]
    event: Proportion = "sensitivity"
    to: Literal["overall", "baseline"] = "overall"


class SiteOutlier(Labelled):
    """A site's proportion or rate outside the funnel of all sites, over-dispersion included.

    Of a rate `numerator` per `denominator`, or of the proportion `event`, by default sensitivity.
    """

    limit_keys: ClassVar = _INTERVAL_KEYS | {"p", "above", "below"}
    interval_family: ClassVar[IntervalFamily] = "proportion"

    type: Literal["site_outlier"]
    event: Proportion | None = None
    numerator: CountingWord | None = None
    denominator: CountingWord | None = None

    @property
    def proportion(self) -> Proportion | None:
        """The proportion of labelled rows that it is about, None of a rate."""
        return (self.event or "sensitivity") if self.numerator is None else None

    @model_validator(mode="after")
    def _one_thing(self) -> SiteOutlier:
        if (self.numerator is None) != (self.denominator is None) or (self.event is not None and self.numerator is not None):
            raise ValueError("expected either event, or numerator and denominator")
        if self.proportion is None and self.verification_correction != "none":
            raise ValueError("expected no verification_correction of a rate, which knows no labels")
        return self
