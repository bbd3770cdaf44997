"""What all metric types have in common."""

from __future__ import annotations

from typing import ClassVar, Literal

from surveillance.manifest.part import ClosedPart, Flag

CountingWord = Literal[
    "alerts",
    "alert_onsets",
    "overrides",
    "dismissals",
    "acks",
    "actioned_alerts",
    "undelivered",
    "abstained",
    "ineligible",
    "duplicates",
    "encounters",
    "inferences",
    "labelled",
]
"""Names of contract/semantics.md for what is counted."""

Tail = Literal["both", "upper", "lower"]
Proportion = Literal["sensitivity", "specificity", "ppv", "npv"]
EventKind = Literal["inference", "outcome", "alert_action", "heartbeat", "adverse_event"]
IntervalFamily = Literal["proportion", "exact_poisson", "rate_ratio", "wald", "delong", "kaplan_meier", "none"]


class MetricKind(ClosedPart):
    """Facts of a metric type that are no part of a manifest."""

    limit_keys: ClassVar[frozenset[str]]
    has_e_value: ClassVar[bool] = False
    opens_at_once: ClassVar[bool] = False
    ignores_min_sample: ClassVar[bool] = False
    runs_on_partition_time: ClassVar[bool] = False
    """Whether the largest partition time closes its windows, as silence needs it, and not the watermark."""
    adjusts_for_scopes: ClassVar[bool] = True
    """Whether `strata.multiplicity` acts on its p limits."""
    interval_family: ClassVar[IntervalFamily] = "none"
    event_kind: ClassVar[EventKind] = "inference"


class Labelled(MetricKind):
    """A metric on labelled rows. With `require_mature` a window whose labels are not yet complete gives no number."""

    event_kind: ClassVar[EventKind] = "outcome"

    require_mature: Flag = False
    verification_correction: Literal["begg_greenes", "none"] = "none"
