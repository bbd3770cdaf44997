"""Errors as problem documents (RFC 9457): what happened, and no more than the caller may know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from api.desk import NothingWritten
from surveillance.errors import StoreUnavailable

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5

PROBLEM_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Problem document of RFC 9457",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "every fault of the request",
            "items": {"type": "object", "properties": {"path": {"type": "string"}, "message": {"type": "string"}}},
        },
        "waiting_for": {"type": "array", "description": "what readiness waits for", "items": {"type": "string"}},
        "notes": {"type": "array", "items": {"type": "string"}},
    },
}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these statuses."""
    content = {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def problem(status: int, detail: str = "", *, headers: Mapping[str, str] | None = None, **more: Sequence[Any]) -> JSONResponse:
    """A problem document; `more` are members of its own."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body |= ({"detail": detail} if detail else {}) | more
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def unavailable(detail: str, **more: Sequence[Any]) -> JSONResponse:
    """503: the same request may succeed later."""
    return problem(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)}, **more)


def add_problem_handlers(app: FastAPI) -> None:
    """Every refusal of the application becomes a problem document."""
    for status in (400, 404, 405):
        app.add_exception_handler(status, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(StoreUnavailable, _store_unavailable)
    app.add_exception_handler(NothingWritten, _nothing_written)
    app.add_exception_handler(Exception, _unforeseen)


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    # The framework's own refusals are of a class above this one, with the same members.
    refusal = cast("HTTPException", error)
    phrase = HTTPStatus(refusal.status_code).phrase
    return problem(refusal.status_code, "" if refusal.detail == phrase else refusal.detail, headers=refusal.headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # The value itself is not repeated: it may be anything.
    errors = [{"path": ".".join(map(str, one["loc"])), "message": one["msg"]} for one in error.errors()]
    return problem(422, "the request cannot be understood", errors=errors)


async def _store_unavailable(_request: Request, _error: Exception) -> JSONResponse:
    return unavailable("the store does not answer; nothing was lost, ask again")


async def _nothing_written(_request: Request, error: Exception) -> JSONResponse:
    return unavailable(str(error))


async def _unforeseen(_request: Request, _error: Exception) -> JSONResponse:
    return problem(500, "a fault of the service, not of the request")
