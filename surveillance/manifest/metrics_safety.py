"""Metric types on adverse events and periodic series."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from surveillance.manifest.metric_kind import CountingWord, EventKind, MetricKind
from surveillance.manifest.part import Flag, Inside01, Number, Part, Positive, PositiveCount, Text

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


class EventFilter(Part):
    """Events of `kind` in which every named field has one of its accepted values."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Accepted] = Field(init=False)

    kind: Text = "adverse_event"

    @property
    def where(self) -> dict[str, tuple[str | bool | float, ...]]:
        """Accepted values by telemetry field."""
        return dict(self.__pydantic_extra__)


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
    filter: EventFilter | None = None


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
    event_kind: ClassVar[EventKind] = "adverse_event"

    type: Literal["trend_test"]
    counts: Literal["nonserious", "serious", "all"] = "nonserious"
    uses: CountingWord = "inferences"
    period: Literal["month"] = "month"
    baseline_frequency_per_1000: Positive
    looks: PositiveCount = 1
    filter: EventFilter | None = None


class RunRule(MetricKind):
    """Nelson rule on a periodic series; rule 3 = six strictly rising points."""

    limit_keys: ClassVar = frozenset({"hit"})
    opens_at_once: ClassVar = True
    ignores_min_sample: ClassVar = True

    type: Literal["run_rule"]
    rule: Annotated[PositiveCount, Field(le=8)] = 3
    of: Text | None = None
    feature: Text | None = None
    counts: Literal["nonserious", "serious", "all"] | None = None
    uses: CountingWord | None = None
    numerator: CountingWord | None = None
    denominator: CountingWord | None = None
    filter: EventFilter | None = None
    period: Text = "month"
    mean: Number | None = None
    sd: Positive | None = None
