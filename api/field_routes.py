"""What is true of the field: monitors, incidents, triggers. Every answer says as of when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.desk import AtDesk, Desk
from api.problems import described
from api.schemas import Incidents, IncidentStory, Level, Monitors, State, Triggers
from surveillance.evaluation.status import lines_of_log
from surveillance.incidents.lines import line_text
from surveillance.incidents.reading import IncidentEvent, events_of, newest_events, newest_triggers
from surveillance.times import to_text

NDJSON = "application/x-ndjson"
MOST = 500
MANY = 100

router = APIRouter(prefix="/v1", tags=["field"])


class NoQuery(BaseModel):
    """A query that takes nothing: a misspelt filter must not pass for none."""

    model_config = ConfigDict(extra="forbid")


class ListQuery(NoQuery):
    limit: int = Field(default=MANY, ge=1, le=MOST)


class IncidentQuery(ListQuery):
    state: State | None = None
    level: Level | None = None
    release_id: str | None = Field(default=None, min_length=1, max_length=200)

    def admits(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is what was asked for."""
        asked = self.model_dump(include={"state", "level", "release_id"}, exclude_none=True)
        return all(line.get(name) == value for name, value in asked.items())


@router.get(
    "/monitors",
    summary="The last state of every monitor and scope",
    response_model=Monitors,
    response_model_exclude_unset=True,
    responses={
        200: {
            "description": f"As {NDJSON}: the lines of `pms status --json`",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        },
        **described(422, 503),
    },
)
async def monitors(desk: AtDesk, _query: Annotated[NoQuery, Query()], accept: Annotated[str, Header()] = "") -> Any:
    """JSON, or the lines of `pms status --json` where `Accept` names application/x-ndjson."""
    if NDJSON in accept.lower():
        return Response(await desk.pool.read(_status_bytes, desk), media_type=NDJSON)
    state = await desk.pool.read(desk.field_state)
    summary = {} if state.summary is None else {"summary": state.summary}
    return state.freshness.members() | {"monitors": state.monitors} | summary


def _status_bytes(desk: Desk) -> bytes:
    return b"".join(line_text(line).encode() + b"\n" for line in lines_of_log(desk.offer.store, desk.log_id()))


@router.get(
    "/incidents",
    summary="Incidents at their newest state, the one that changed last first",
    response_model=Incidents,
    response_model_exclude_unset=True,
    responses=described(422, 503),
)
async def incidents(desk: AtDesk, query: Annotated[IncidentQuery, Query()]) -> Any:
    """At most `limit` of those that match."""
    return await desk.pool.read(_incidents, desk, query)


def _incidents(desk: Desk, query: IncidentQuery) -> dict[str, Any]:
    state = desk.field_state()
    found = [one.line for one in newest_events(desk.offer.store, state.log_id) if query.admits(one.line)]
    return state.freshness.members() | {"total": len(found), "incidents": found[: query.limit]}


@router.get(
    "/incidents/{incident_id}",
    summary="One incident, and everything that happened to it",
    response_model=IncidentStory,
    response_model_exclude_unset=True,
    responses=described(404, 422, 503),
)
async def incident(desk: AtDesk, incident_id: Annotated[str, Path(max_length=100)], _query: Annotated[NoQuery, Query()]) -> Any:
    """The newest line, and all lines with the triggers each asked for, the first first."""
    return await desk.pool.read(_story, desk, incident_id)


def _story(desk: Desk, incident_id: str) -> dict[str, Any]:
    state = desk.field_state()
    events = events_of(desk.offer.store, state.log_id, incident_id)
    if not events:
        raise HTTPException(404, "there is no such incident in the current log")
    return state.freshness.members() | {"incident": events[-1].line, "events": [_event_body(one) for one in events]}


def _event_body(event: IncidentEvent) -> dict[str, Any]:
    return {"revision": event.revision, "at": to_text(event.at_ms), "line": event.line, "triggers": list(event.triggers)}


@router.get(
    "/triggers",
    summary="Actions that incidents asked for, the newest first",
    response_model=Triggers,
    response_model_exclude_unset=True,
    responses=described(422, 503),
)
async def triggers(desk: AtDesk, query: Annotated[ListQuery, Query()]) -> Any:
    """At most `limit` of them."""
    return await desk.pool.read(_triggers, desk, query.limit)


def _triggers(desk: Desk, limit: int) -> dict[str, Any]:
    state = desk.field_state()
    found = newest_triggers(desk.offer.store, state.log_id)
    return state.freshness.members() | {"total": len(found), "triggers": found[:limit]}
