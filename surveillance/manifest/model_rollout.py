"""Section `rollout`: how a release reaches the field, and what stops it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from surveillance.manifest.part import Count, Inside01, NonNegative, Number, Part, PositiveCount, Share, Text


class ShadowRun(Part):
    """What a shadow run must show."""

    min_days: NonNegative = 0
    min_inferences: Count = 0
    agreement_kappa_min: Number | None = None


class Arms(Part):
    """Releases that are compared."""

    candidate: Text
    control: Text


class Allocation(Part):
    """How units are allotted to arms."""

    unit: Text = "device"
    candidate_share: Share | None = None
    stratify_by: tuple[Text, ...] = ()
    expected_ratio_test_p: Inside01 | None = None


class Stage(Part):
    """A share of the fleet and how long it is held."""

    share: Share
    min_days: NonNegative = 0


class StopCondition(Part):
    """A condition on candidate against control that stops the rollout."""

    id: Text
    metric: Text
    strata: tuple[Text, ...] = ()
    compare: Text | None = None
    method: Text | None = None
    halt_above: Number | None = None
    halt_below: Number | None = None
    halt_at: Number | None = None
    continue_below: Number | None = None
    continue_above: Number | None = None
    alpha: Inside01 | None = None
    min_positives: PositiveCount | None = None


class OnStop(Part):
    """What a stop condition triggers."""

    emit: Text | None = None
    then: Text | None = None
    arm: Text | None = None


class Canary(Part):
    """A staged rollout against a control."""

    arms: Arms | None = None
    allocation: Allocation | None = None
    population_limit: dict[str, Any] = Field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    stop_conditions: tuple[StopCondition, ...] = ()
    on_stop: OnStop | None = None


class Rollout(Part):
    """How the release reaches the field."""

    mode: Literal["shadow", "parallel", "canary", "site_by_site", "full"] = "full"
    shadow: ShadowRun | None = None
    canary: Canary | None = None
