"""The releases whose manifests were registered."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query

from api.desk import AtDesk, Desk
from api.field_routes import ListQuery, NoQuery
from api.problems import described
from api.schemas import Release, Releases
from surveillance.times import to_text

router = APIRouter(prefix="/v1", tags=["releases"])


@router.get("/releases", summary="Registered manifests, the newest first", response_model=Releases, responses=described(422, 503))
async def releases(desk: AtDesk, query: Annotated[ListQuery, Query()]) -> Any:
    """At most `limit` of them."""
    found = await desk.pool.read(_registrations, desk)
    lines = [{name: value for name, value in one.items() if name != "manifest"} for one in found]
    return {"total": len(lines), "releases": lines[: query.limit]}


@router.get(
    "/releases/{release_id}",
    summary="A release with its manifests",
    response_model=Release,
    responses=described(404, 422, 503),
)
async def release(desk: AtDesk, release_id: Annotated[str, Path(max_length=200)], _query: Annotated[NoQuery, Query()]) -> Any:
    """Every manifest registered for the release, the newest revision first."""
    found = [one for one in await desk.pool.read(_registrations, desk) if one["release_id"] == release_id]
    if not found:
        raise HTTPException(404, "no manifest of such a release is registered")
    return {"release_id": release_id, "registrations": sorted(found, key=lambda one: -one["revision"])}


def _registrations(desk: Desk) -> list[dict[str, Any]]:
    documents = sorted(desk.offer.store.newest("manifests"), key=lambda one: (-one.at_ms, one.key))
    return [_registration(json.loads(one.body), one.manifest_digest, one.at_ms) for one in documents]


def _registration(manifest: dict[str, Any], digest: str, at_ms: int) -> dict[str, Any]:
    return {
        "release_id": manifest["release"]["release_id"],
        "manifest_id": manifest["manifest_id"],
        "revision": manifest["revision"],
        "manifest_digest": digest,
        "registered_at": to_text(at_ms),
        "manifest": manifest,
    }
