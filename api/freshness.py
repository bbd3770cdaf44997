"""How old an answer about the field is: `as_of`, and whether that is stale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surveillance.times import MINUTE_MS, from_text

STALE_AFTER_MS = 15 * MINUTE_MS

NOTHING_JUDGED = "nothing was judged yet"
NOT_WALL_TIME = "time is made by the publisher, so its distance from now says nothing"


@dataclass(frozen=True, slots=True)
class Freshness:
    """`as_of` is the watermark, RFC 3339; None and `stale` None are unknown, for the reason beside them."""

    as_of: str | None
    stale: bool | None
    reason: str = ""
    age_ms: int | None = None

    def members(self) -> dict[str, Any]:
        """Members of an answer; what is unknown is absent, with the reason."""
        if self.as_of is None:
            return {"as_of_reason": self.reason, "stale": True, "stale_reason": self.reason}
        if self.stale is None:
            return {"as_of": self.as_of, "stale_reason": self.reason}
        return {"as_of": self.as_of, "stale": self.stale}


def freshness_of(summary: Mapping[str, Any] | None, now_ms: int, *, wall_time: bool) -> Freshness:
    """Of the summary line of the log (None = there is none). A field that nothing was judged of is stale, never fresh."""
    as_of = None if summary is None else summary["watermark"]
    if as_of is None:
        return Freshness(None, True, NOTHING_JUDGED)
    if not wall_time:
        return Freshness(as_of, None, NOT_WALL_TIME)
    age_ms = now_ms - from_text(as_of)
    return Freshness(as_of, age_ms > STALE_AFTER_MS, age_ms=age_ms)
