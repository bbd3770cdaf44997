"""What a worker does right now, for `/readyz`, `pms doctor` and tests; written by the event loop alone."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class WorkerStatus:
    """`waiting_for` is empty when nothing stands in the way; times are seconds of the monotonic clock."""

    waiting_for: str = "assignment"
    moving: frozenset[int] = frozenset()
    stopped: dict[int, str] = field(default_factory=dict)
    last_record_s: dict[int, float] = field(default_factory=dict)
    last_flush_s: float | None = None
    broker_silent_since_s: float | None = None
    """Since when the broker answers no question; None while it does."""

    @property
    def ready(self) -> bool:
        """Whether the worker folds what arrives."""
        return not self.waiting_for
