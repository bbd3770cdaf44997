"""The application: routes, their refusals, and the guard around them."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI

from api import field_routes, health_routes, page, release_routes
from api.desk import Desk
from api.guard import Guard
from api.problems import add_problem_handlers
from api.store_pool import StorePool
from surveillance.serving import ApiOffer


def build_app(offer: ApiOffer, pool: StorePool, now_ms: Callable[[], int]) -> Guard:
    """An ASGI application. `now_ms` is the wall clock that staleness is told by."""
    app = FastAPI(
        title="Post-market surveillance of deployed models",
        version="1",
        description="Reads what was judged. Times are RFC 3339; errors are problem documents (RFC 9457).",
        openapi_url="/v1/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # A redirect would be built from the Host header, which the caller chooses.
        redirect_slashes=False,
    )
    app.state.desk = Desk(offer, pool, now_ms)
    for routes in (field_routes, release_routes, health_routes, page):
        app.include_router(routes.router)
    add_problem_handlers(app)
    return Guard(app)
