"""How long to wait before what failed is tried again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RetryDelay:
    """Doubles with each failure, from `first_s` to `last_s`; `seconds` is 0 while nothing fails."""

    first_s: float
    last_s: float
    seconds: float = 0.0

    def grow(self) -> None:
        """After a failure."""
        self.seconds = min(self.last_s, max(self.first_s, self.seconds * 2))

    def reset(self) -> None:
        """After a success."""
        self.seconds = 0.0
