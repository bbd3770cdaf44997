"""What every route stands on: the offer of the process that runs the API, the pool that reads its store, and a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from api.freshness import Freshness, freshness_of
from api.store_pool import StorePool
from surveillance.evaluation.status import lines_of_log
from surveillance.log_identity import current_log
from surveillance.serving import ApiOffer

Line = Mapping[str, Any]


class NothingWritten(Exception):
    """No service has written to the store yet, so there is no field to speak of: an empty answer would look good."""


@dataclass(frozen=True, slots=True)
class FieldState:
    """The last state of the current log; `summary` None = nothing was judged yet."""

    log_id: str
    monitors: tuple[Line, ...]
    summary: Line | None
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class Desk:
    """`now_ms` reads the wall clock: staleness is the one thing here that depends on it."""

    offer: ApiOffer
    pool: StorePool
    now_ms: Callable[[], int]

    def log_id(self) -> str:
        """The current log. Blocks. Raises NothingWritten, StoreUnavailable."""
        log = current_log(self.offer.store)
        if log is None:
            raise NothingWritten("no service has written to this store yet")
        return log.log_id

    def field_state(self) -> FieldState:
        """Blocks. Raises NothingWritten, StoreUnavailable."""
        log_id = self.log_id()
        lines = list(lines_of_log(self.offer.store, log_id))
        summary = lines.pop() if lines and lines[-1]["kind"] == "summary" else None
        freshness = freshness_of(summary, self.now_ms(), wall_time=self.offer.wall_time)
        return FieldState(log_id, tuple(lines), summary, freshness)


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_desk)]
