"""Who answers an incident and how: `owners`, `escalation`, `playbooks`, `rollback`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, WithJsonSchema

from surveillance.manifest.part import Count, DurationMs, Flag, Part, PositiveDurationMs, Text


class Owner(Part):
    """A role: people in order, or an on-call schedule, or contacts per site."""

    primary: Text | None = None
    deputy: Text | None = None
    schedule: Text | None = None
    per_site: Text | None = None
    prrc: Flag = False

    @property
    def is_reachable(self) -> bool:
        return any((self.primary, self.deputy, self.schedule, self.per_site))


class EscalationStep(Part):
    """Whom to call next, and when."""

    after_ms: Annotated[DurationMs, Field(alias="after")]
    to: Text
    when: Literal["unacked"] | None = None
    levels: tuple[Text, ...] = ()


def _no_as_text(value: Any) -> Any:
    return "no" if value is False else value


class Playbook(Part):
    """Steps to take. `reportability_form` says whether an incident may close without one."""

    steps: tuple[Text, ...] = ()
    reportability_form: Annotated[
        Literal["required", "if_level_ge_pause", "no"],
        BeforeValidator(_no_as_text),
        WithJsonSchema({"enum": ["required", "if_level_ge_pause", "no", False]}),
    ] = "no"
    max_open_ms: Annotated[DurationMs | None, Field(alias="max_open")] = None
    doc: Text | None = None


class RollbackTrigger(NamedTuple):
    """A monitor at a level, or a rollout stop condition (`level` None)."""

    name: str
    level: str | None


class AutoConfirm(Part):
    """After `after_ms` the second person is not waited for, for these monitors only."""

    after_ms: Annotated[DurationMs, Field(alias="after")]
    monitors: tuple[Text, ...] = ()


class RollbackTarget(Part):
    """The release to go back to."""

    release_id: Text
    manifest_digest: Text | None = None
    approval_valid_until: Text | None = None


class Fallback(Part):
    """How care goes on meanwhile, and for how long."""

    mode: Text | None = None
    alternatives: tuple[Text, ...] = ()
    max_duration_ms: Annotated[DurationMs | None, Field(alias="max_duration")] = None
    on_expiry: Text | None = None


class Verify(Part):
    """How it is shown that the rollback happened."""

    by: Text = "heartbeat_and_inference_identity"
    within_ms: Annotated[PositiveDurationMs | None, Field(alias="within")] = None
    straggler_action: Text | None = None


class Effectiveness(Part):
    """Monitors that must be met on the target before closure: `same` = the one that asked."""

    monitors: Text | tuple[Text, ...] = "same"
    windows: Count = 3


class Notification(Part):
    """Whom to tell, where and by when."""

    who: Text
    channel: Text | None = None
    template: Text | None = None
    within_ms: Annotated[DurationMs | None, Field(alias="within")] = None


class Drill(Part):
    """How often the way back is rehearsed."""

    last: Text | None = None
    every_ms: Annotated[PositiveDurationMs | None, Field(alias="every")] = None
    max_time_to_verified_ms: Annotated[PositiveDurationMs | None, Field(alias="max_time_to_verified")] = None


class Rollback(Part):
    """What may ask for a rollback, who may, and how it is verified."""

    preapproved: Flag = False
    approval_ref: Text | None = None
    triggers: tuple[Text, ...] = ()
    initiators: tuple[Text, ...] = ()
    approvers: tuple[Text, ...] = ()
    auto_confirm: AutoConfirm | None = None
    target: RollbackTarget | None = None
    reverts: tuple[Text, ...] = ()
    keeps: tuple[Text, ...] = ()
    scope_options: tuple[Text, ...] = ()
    fallback: Fallback | None = None
    verify: Verify = Verify()
    effectiveness: Effectiveness = Effectiveness()
    notifications: tuple[Notification, ...] = ()
    drill: Drill | None = None

    @property
    def parsed_triggers(self) -> tuple[RollbackTrigger, ...]:
        """`monitor:level` split at the last colon; a name without a level is a stop condition."""
        split = [entry.rpartition(":") for entry in self.triggers]
        return tuple(RollbackTrigger(name, level) if name else RollbackTrigger(level, None) for name, _, level in split)

    def triggers_at(self, monitor_id: str, level: str) -> bool:
        """Whether an incident of the monitor at the level may ask for a rollback."""
        return RollbackTrigger(monitor_id, level) in self.parsed_triggers
