"""Section `surveillance`: how telemetry is read, which windows there are, what each response level asks for, the monitors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from surveillance.manifest.durations import DAY_MS, HOUR_MS, MINUTE_MS
from surveillance.manifest.model_limits import LEVELS
from surveillance.manifest.model_monitors import Monitor
from surveillance.manifest.part import (
    DurationMs,
    Flag,
    Inside01,
    NonNegative,
    Part,
    Positive,
    PositiveDurationMs,
    Text,
    TimeMs,
    WindowCount,
)

YEAR_S = 366 * 86_400


class Telemetry(Part):
    """How events are read. Defaults are those of the contract, and of its example for what the contract leaves open."""

    schemas: tuple[Text, ...] = ()
    heartbeat_interval_s: Annotated[Positive, Field(ge=1, le=YEAR_S)] = 60
    allowed_lateness_ms: Annotated[DurationMs, Field(alias="allowed_lateness")] = 72 * HOUR_MS
    out_of_orderness_ms: Annotated[DurationMs, Field(alias="out_of_orderness")] = MINUTE_MS
    max_clock_skew_s: Annotated[NonNegative, Field(le=YEAR_S)] = 120
    dedupe_key: Literal["event_id"] = "event_id"
    retransmit_window_ms: Annotated[DurationMs, Field(alias="retransmit_window")] = 7 * DAY_MS

    @property
    def heartbeat_interval_ms(self) -> int:
        return round(self.heartbeat_interval_s * 1000)

    @property
    def max_clock_skew_ms(self) -> int:
        return round(self.max_clock_skew_s * 1000)


class Window(Part):
    """A window of `size_ms`; without `slide` it tumbles."""

    id: Text
    size_ms: Annotated[PositiveDurationMs, Field(alias="size")]
    declared_slide_ms: Annotated[PositiveDurationMs | None, Field(alias="slide")] = None

    @property
    def slide_ms(self) -> int:
        return self.declared_slide_ms or self.size_ms

    @property
    def is_sliding(self) -> bool:
        return self.slide_ms < self.size_ms


class FalseAlarmBudget(Part):
    """False alarms per 30 days that people can afford, by level."""

    per_30_days: dict[str, Positive] = Field(default_factory=dict)


class LevelPolicy(Part):
    """What a response level asks of people and of the service. None = nothing is emitted, nobody must confirm."""

    ack_within_ms: Annotated[DurationMs, Field(alias="ack_within")]
    decide_within_ms: Annotated[DurationMs, Field(alias="decide_within")]
    owner: Text = "safety_officer"
    notify: tuple[Text, ...] = ()
    auto_emit: Text | None = None
    confirm_by: Text | None = None


class Investigate(LevelPolicy):
    """Policy of `investigate`."""

    ack_within_ms: Annotated[DurationMs, Field(alias="ack_within")] = 4 * HOUR_MS
    decide_within_ms: Annotated[DurationMs, Field(alias="decide_within")] = 72 * HOUR_MS


class Pause(LevelPolicy):
    """Policy of `pause`."""

    ack_within_ms: Annotated[DurationMs, Field(alias="ack_within")] = 30 * MINUTE_MS
    decide_within_ms: Annotated[DurationMs, Field(alias="decide_within")] = 4 * HOUR_MS


class RollbackOrFieldSafety(LevelPolicy):
    """Policy of `rollback_or_field_safety`."""

    ack_within_ms: Annotated[DurationMs, Field(alias="ack_within")] = 10 * MINUTE_MS
    decide_within_ms: Annotated[DurationMs, Field(alias="decide_within")] = HOUR_MS


class Levels(Part):
    """The response levels; times that the manifest leaves out are those of the contract's example."""

    investigate: Investigate = Investigate()
    pause: Pause = Pause()
    rollback_or_field_safety: RollbackOrFieldSafety = RollbackOrFieldSafety()

    def of(self, level: str) -> LevelPolicy:
        """Policy of a level.

        Raises:
            KeyError: there is no such level.
        """
        if level not in LEVELS:
            raise KeyError(level)
        policy: LevelPolicy = getattr(self, level)
        return policy


class PersistenceDefault(Part):
    """A level is reached when at least `k` of the last `of` conclusive windows breached it."""

    k: WindowCount = 2
    of: WindowCount = 3
    clear_after: WindowCount = 3
    cooldown_ms: Annotated[DurationMs, Field(alias="cooldown")] = 6 * HOUR_MS


class Detectable(Part):
    """Every subgroup metric must be able to see `effect` within a time at a power."""

    effect: Positive
    within_ms: Annotated[PositiveDurationMs, Field(alias="within")]
    power: Inside01 = 0.8


class CoverageRules(Part):
    """What lint must find watched."""

    every_hazard_monitored: Flag = False
    every_claim_monitored: Flag = False
    every_subgroup_metric_detectable: Detectable | None = None


class Surveillance(Part):
    """What is watched in the field, and how."""

    effective_from_ms: Annotated[TimeMs | None, Field(alias="effective_from")] = None
    telemetry: Telemetry = Telemetry()
    windows: tuple[Window, ...] = ()
    false_alarm_budget: FalseAlarmBudget = FalseAlarmBudget()
    levels: Levels = Levels()
    persistence_default: PersistenceDefault = PersistenceDefault()
    monitors: tuple[Monitor, ...] = ()
    coverage_rules: CoverageRules = CoverageRules()

    def window(self, window_id: str) -> Window | None:
        return next((window for window in self.windows if window.id == window_id), None)
