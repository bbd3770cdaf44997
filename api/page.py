"""The page for people: rendered here, readable without scripts, loading nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse, HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.desk import AtDesk, Desk, NothingWritten
from api.field_routes import NoQuery
from api.overview import overview_of
from surveillance.errors import StoreUnavailable

HERE = Path(__file__).parent
REFRESH_S = 15

router = APIRouter(include_in_schema=False)
_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def readable_times(text: str) -> str:
    """Every RFC 3339 time in UTC within the text in the one format of the page.

    >>> readable_times("breached until 2026-03-02T00:00:00Z")
    'breached until 2026-03-02 00:00:00 UTC'
    """
    return re.sub(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z", r"\1 \2 UTC", text)


_templates.filters["readable_times"] = readable_times


class PageQuery(NoQuery):
    refresh: Literal["on", "off"] = "on"


@router.get("/", response_class=HTMLResponse)
async def page(desk: AtDesk, query: Annotated[PageQuery, Query()]) -> Response:
    """Incidents, and what could not be judged. Says so itself where the store gives no answer: a person reads it."""
    refreshing = query.refresh == "on"
    headers = {"Refresh": str(REFRESH_S)} if refreshing else {}
    shown: dict[str, Any] = {"refresh_s": REFRESH_S if refreshing else None, "readiness": desk.offer.readiness()}
    try:
        return HTMLResponse(await desk.pool.read(_rendered, desk, shown), headers=headers)
    except StoreUnavailable:
        trouble = "The store does not answer, so nothing is known of the field. Nothing was lost; this page asks again."
    except NothingWritten:
        trouble = "No service has written to this store yet, so nothing is known of the field."
    return HTMLResponse(_templates.get_template("trouble.html").render(shown | {"trouble": trouble}), 503, headers)


def _rendered(desk: Desk, shown: dict[str, Any]) -> str:
    return _templates.get_template("page.html").render(shown | {"overview": overview_of(desk)})


@router.get("/page.css")
async def style() -> Response:
    """The style of the page."""
    return FileResponse(HERE / "static" / "page.css", media_type="text/css")


@router.get("/icon.svg")
async def icon() -> Response:
    """The icon of the page."""
    return FileResponse(HERE / "static" / "icon.svg", media_type="image/svg+xml")
