"""Limits of a monitor: one set of conditions per level, all of which must hold for the level to be breached."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from surveillance.manifest.part import (
    ClosedPart,
    Count,
    DurationMs,
    NonNegative,
    Number,
    Pair,
    Positive,
    PositiveCount,
    PositiveDurationMs,
    Share,
    WindowCount,
)

LEVELS: tuple[str, ...] = ("investigate", "pause", "rollback_or_field_safety")
"""Response levels, mildest first."""

MODIFIERS = frozenset({"persistence", "sustained", "gateways"})
"""Limit keys that qualify a condition and are none by themselves."""

Probability = Annotated[Positive, Field(le=1)]


class PersistencePart(ClosedPart):
    """What a monitor or a level says about persistence; what it leaves out comes from the level above it."""

    k: WindowCount | None = None
    of: WindowCount | None = None
    clear_after: WindowCount | None = None
    cooldown_ms: Annotated[DurationMs | None, Field(alias="cooldown")] = None


class LevelLimit(ClosedPart):
    """The conditions of one level; None = not a condition of it. Which keys a metric type may use is checked apart."""

    p: Probability | None = None
    e: Positive | None = None
    effect_min: NonNegative | None = None
    ge: Positive | None = None
    abs: Share | None = None
    abs_min: Share | None = None
    ratio_to_baseline: Positive | None = None
    h: Positive | None = None
    identical_windows: Annotated[Count, Field(ge=2)] | None = None
    ci_upper_below: Number | None = None
    ci_lower_above: Number | None = None
    outside: Pair | None = None
    rr_ci_lower_above: Positive | None = None
    sustained_ms: Annotated[PositiveDurationMs | None, Field(alias="sustained")] = None
    above: Number | None = None
    below: Number | None = None
    coverage_mature_below: Share | None = None
    missed: PositiveCount | None = None
    gateways: PositiveCount | None = None
    llr: Positive | None = None
    exhausted: Literal[True] | None = None
    confirmed_causal: Literal[True] | None = None
    hit: Literal[True] | None = None
    persistence: PersistencePart | None = None

    @cached_property
    def conditions(self) -> dict[str, Any]:
        """Conditions by contract key, in the order of this class; durations in milliseconds, modifiers left out."""
        return {key: value for key, value in self.keys.items() if key not in MODIFIERS}

    @cached_property
    def keys(self) -> dict[str, Any]:
        """Every key that is set, by its contract name; durations in milliseconds."""
        return {key: getattr(self, name) for key, name in self.contract_keys().items() if getattr(self, name) is not None}

    @classmethod
    def contract_keys(cls) -> dict[str, str]:
        """Attribute by contract key."""
        return {field.alias or name: name for name, field in cls.model_fields.items()}


class Limits(ClosedPart):
    """Limits by level; None = never."""

    mode: Literal["null_scaled_chi2", "raw"] = "null_scaled_chi2"
    investigate: LevelLimit | None = None
    pause: LevelLimit | None = None
    rollback_or_field_safety: LevelLimit | None = None

    @cached_property
    def by_level(self) -> dict[str, LevelLimit]:
        """Configured levels, mildest first."""
        return {level: limit for level in LEVELS if (limit := getattr(self, level)) is not None}
