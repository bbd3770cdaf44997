"""The answers of the API, as OpenAPI describes them and as they are checked when they leave.

Lines may gain members; what is named here stays. A number that cannot be computed is absent, so such members are optional
and never null.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

Level = Literal["investigate", "pause", "rollback_or_field_safety"]
State = Literal["open", "resolved"]
Absent = SkipJsonSchema[None]


def _absent(description: str | None = None) -> Any:
    """A member that may be missing; it has no default that could be read as a value."""
    return Field(default=None, description=description, json_schema_extra=lambda schema: schema.pop("default", None))


class Line(BaseModel):
    """An object of the contract."""

    model_config = ConfigDict(extra="allow")


class Window(Line):
    start: str
    end: str


class EstimateBody(Line):
    """Without `value` there is no number; `n` says on how much, `needed` how much there should be."""

    value: float | Absent = _absent()
    lower: float | Absent = _absent()
    upper: float | Absent = _absent()
    n: int | Absent = _absent()
    needed: int | Absent = _absent()
    method: str | Absent = _absent()


class IncidentLine(Line):
    """Newest line of an incident; the service's own (`system.*`) have no hazard, release, manifest or playbook."""

    kind: Literal["incident"]
    incident_id: str
    monitor_id: str
    hazard_id: str | None = _absent()
    level: Level
    state: State
    scope: dict[str, str]
    release_id: str | Absent = _absent()
    manifest_digest: str | Absent = _absent()
    opened_at: str
    changed_at: str
    resolved_at: str | None = Field(description="null while it is open")
    breached_since: str
    window: Window
    estimate: EstimateBody
    limit: dict[str, Any]
    owner: str | None
    ack_by: str
    decide_by: str
    playbook: str | None = _absent()
    summary: str


class TriggerLine(Line):
    kind: Literal["trigger"]
    trigger_id: str
    action: str
    incident_id: str
    scope: dict[str, str]
    target: dict[str, Any]
    requires_confirmation_by: Any
    expires_at: str
    drill: bool
    field_action: dict[str, Any]


class StatusLine(Line):
    kind: Literal["status"]
    manifest_digest: str
    monitor_id: str
    scope: dict[str, str]
    verdict: Literal["met", "breached", "inconclusive"]
    levels: dict[str, str]
    reason: str | None = Field(description="why it is inconclusive; null where it is not")
    window: Window
    estimate: EstimateBody


class SummaryLine(Line):
    kind: Literal["summary"]
    events: int
    counted: int
    duplicates: int
    quarantined: dict[str, int]
    late: int
    panes: int
    watermark: str | None = Field(description="null before the first event")


class FieldAnswer(BaseModel):
    """How old an answer about the field is. What is unknown is absent, with a reason."""

    as_of: str | Absent = _absent("watermark: input before this time is believed complete")
    as_of_reason: str | Absent = _absent("why there is no watermark")
    stale: bool | Absent = _absent("whether the watermark lies more than 15 minutes back")
    stale_reason: str | Absent = _absent("why that cannot be told, or holds without a watermark")


class Monitors(FieldAnswer):
    monitors: list[StatusLine]
    summary: SummaryLine | Absent = _absent("absent before anything was judged")


class Incidents(FieldAnswer):
    """`total` = incidents that match; at most `limit` of them are listed."""

    total: int
    incidents: list[IncidentLine]


class IncidentEvent(BaseModel):
    """One line of an incident's life; `revision` counts from 1."""

    revision: int
    at: str
    line: IncidentLine
    triggers: list[TriggerLine]


class IncidentStory(FieldAnswer):
    incident: IncidentLine
    events: list[IncidentEvent]


class Triggers(FieldAnswer):
    """`total` = triggers there are; at most `limit` of them are listed."""

    total: int
    triggers: list[TriggerLine]


class ReleaseLine(BaseModel):
    """A registered manifest; `registered_at` is broker time."""

    release_id: str
    manifest_id: str
    revision: int
    manifest_digest: str
    registered_at: str


class Releases(BaseModel):
    total: int
    releases: list[ReleaseLine]


class Registration(ReleaseLine):
    manifest: dict[str, Any]


class Release(BaseModel):
    """A release with every manifest registered for it, the newest revision first."""

    release_id: str
    registrations: list[Registration]


class Alive(BaseModel):
    status: Literal["alive"]


class Ready(BaseModel):
    status: Literal["ready"]
    notes: list[str]
