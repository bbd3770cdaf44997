"""`surveillance.monitors[]`: one metric, its axes, its window and its limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from surveillance.manifest.model_limits import Limits, PersistencePart
from surveillance.manifest.model_metrics import Metric
from surveillance.manifest.part import ClosedPart, Count, Flag, Positive, Text

PER_LABEL = "per_label"
CUMULATIVE = "cumulative"

IMPLICIT_AXES = {"device": "device_id", "gateway": "gateway_id"}
"""Axes that heartbeat, clock, duplicate and minimum monitors have without a declaration, with their telemetry fields."""


IntervalMethod = Literal[
    "wilson",
    "clopper_pearson",
    "confidence_sequence",
    "exact_poisson",
    "conditional_binomial",
    "wald",
    "delong",
    "newcombe",
    "kaplan_meier",
]


class IntervalChoice(ClosedPart):
    """Interval asked for; without `method` the default of the metric type and window holds."""

    method: IntervalMethod | None = None
    level: Annotated[float, Field(strict=True, gt=0.5, lt=1)] = 0.95


class Design(ClosedPart):
    """What the limits were designed for: mean days between false alarms by level."""

    arl0_days: dict[str, Positive] = Field(default_factory=dict)


class Monitor(ClosedPart):
    """One monitor. Two of one id are a fault that lint names."""

    id: Text
    hazard_id: Text | None = None
    metric: Metric
    by: tuple[Text, ...] = ()
    window: Text | None = None
    min_n: Count | None = None
    limits: Limits = Limits()
    persistence: PersistencePart | None = None
    interval: IntervalChoice = IntervalChoice()
    design: Design | None = None
    playbook: Text | None = None
    dry_run: Flag = False

    @property
    def axes(self) -> tuple[tuple[str, ...], ...]:
        """Axes of each series: `("site",)` for one axis, `("a", "b")` for `a*b`; empty = one overall series."""
        return tuple(tuple(part.strip() for part in entry.split("*")) for entry in self.by)

    @property
    def is_cumulative(self) -> bool:
        """Judged from the manifest's first event on: no window, or `cumulative`."""
        return self.window in (None, CUMULATIVE)

    @property
    def is_per_label(self) -> bool:
        return self.window == PER_LABEL
