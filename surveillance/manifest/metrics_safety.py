"""Metric types on adverse events and periodic series."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from surveillance.manifest.metric_kind import CountingWord, EventKind, MetricKind
from surveillance.manifest.metrics_inputs import NormalChart
from surveillance.manifest.part import Flag, Inside01, Number, Part, Positive, PositiveCount, PositiveDurationMs, Text

FilterValue = Text | Flag | Number
_SCALAR: JsonDict = {"type": ["string", "number", "boolean"]}
_SCALARS: JsonDict = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


Accepted = Annotated[
    tuple[FilterValue, ...],
    BeforeValidator(_listed),
    WithJsonSchema(_SCALARS),
]


FilteredKind = Literal[
    "inference",
    "outcome",
    "alert_action",
    "heartbeat",
    "adverse_event",
    "feedback",
    "deployment",
    "config_change",
    "correction",
    "withdrawal",
]


class EventFilter(Part):
    """Events of `kind` in which every named field has one of its accepted values."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Accepted] = Field(init=False)

    kind: FilteredKind = "adverse_event"

    @property
    def where(self) -> dict[str, tuple[str | bool | float, ...]]:
        """Accepted values by telemetry field."""
        return dict(self.__pydantic_extra__)


DEVICE_MAY_BE_CAUSE = EventFilter.model_validate({"suspected_device_role": ["caused", "contributed", "unknown"]})
"""Every role but `none`."""


class MaxSprtPoisson(MetricKind):
    """Poisson MaxSPRT: `horizon` (key `T`) expected events at most, `minimum_events` (key `M`) before it may signal."""

    limit_keys: ClassVar = frozenset({"llr", "exhausted"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True
    event_kind: ClassVar[EventKind] = "adverse_event"

    type: Literal["maxsprt_poisson"]
    rr0: Positive = 1.0
    expected_per_10k: Positive
    horizon: Annotated[Positive, Field(alias="T")]
    minimum_events: Annotated[PositiveCount, Field(alias="M")] = 1
    alpha: Inside01 = 0.05
    filter: EventFilter = DEVICE_MAY_BE_CAUSE


class EventCount(MetricKind):
    """Events that match `filter`."""

    limit_keys: ClassVar = frozenset({"ge", "confirmed_causal"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True
    event_kind: ClassVar[EventKind] = "adverse_event"

    type: Literal["event_count"]
    filter: EventFilter = EventFilter()


class TrendTest(MetricKind):
    """Exact Poisson test of `counts` per `uses` over observation periods, alpha spent over `looks` (MDR Art. 88)."""

    limit_keys: ClassVar = frozenset({"p"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True
    adjusts_for_scopes: ClassVar = False
    event_kind: ClassVar[EventKind] = "adverse_event"

    type: Literal["trend_test"]
    counts: Literal["nonserious", "serious", "all"] = "nonserious"
    uses: CountingWord = "inferences"
    period: Literal["month"] = "month"
    baseline_frequency_per_1000: Positive
    looks: PositiveCount = 1
    filter: EventFilter = EventFilter()


class RunRule(MetricKind):
    """Nelson rule on a periodic series; rule 3 = six strictly rising points.

    The series is a mean or rate as of a normal chart (`of`, or what is named), else `counts` events per use. `mean` and `sd`
    of the series' points; of a mean or rate the baseline's, where they are not given.
    """

    limit_keys: ClassVar = frozenset({"hit"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True

    type: Literal["run_rule"]
    rule: Annotated[PositiveCount, Field(le=8)] = 3
    of: Literal["feature_mean", "score_mean", "rate"] | None = None
    feature: Text | None = None
    counts: Literal["nonserious", "serious", "all"] = "all"
    uses: CountingWord = "inferences"
    numerator: CountingWord | None = None
    denominator: CountingWord | None = None
    filter: EventFilter = EventFilter()
    period: Literal["month"] | PositiveDurationMs = "month"
    mean: Number | None = None
    sd: Positive | None = None

    @property
    def chart(self) -> NormalChart | None:
        """The normal chart of the same series; None where it is events per use."""
        of: Literal["feature_mean", "score_mean", "rate"] | None
        of = self.of or ("rate" if self.numerator is not None else "feature_mean" if self.feature is not None else None)
        if of is None:
            return None
        return NormalChart(
            type="cusum",
            of=of,
            feature=self.feature,
            numerator=self.numerator,
            denominator=self.denominator,
            mean=self.mean,
            sd=self.sd,
        )
