"""For whoever runs the service: is it alive, is it ready, what does it count."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from api.desk import AtDesk
from api.problems import described, unavailable
from api.schemas import Alive, Ready
from surveillance.errors import StoreError

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

router = APIRouter(tags=["service"])


@router.get("/healthz", summary="The process answers", response_model=Alive)
async def healthz() -> Any:
    """Whatever its store or log may do: restarting the process would not mend them."""
    return {"status": "alive"}


@router.get("/readyz", summary="Ready, or what it waits for", response_model=Ready, responses=described(503))
async def readyz(desk: AtDesk) -> Any:
    """503 names everything that stands in the way."""
    readiness = desk.offer.readiness()
    waiting = list(readiness.waiting_for)
    try:
        await desk.pool.read(desk.offer.store.describe)
    except StoreError:
        waiting.append("the store, which does not answer")
    if waiting:
        return unavailable("waits for " + "; ".join(waiting), waiting_for=waiting, notes=list(readiness.notes))
    return {"status": "ready", "notes": list(readiness.notes)}


@router.get("/metrics", summary="Metrics in Prometheus text format", response_class=PlainTextResponse)
async def metrics(desk: AtDesk) -> Response:
    """What the process counts; empty where it counts nothing."""
    return Response(desk.offer.metrics(), headers={"Content-Type": METRICS_TYPE})
