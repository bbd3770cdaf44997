"""The limit of quarantine: a bad deploy stops its partition instead of draining into the quarantine topic."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuarantinePolicy:
    """Stop when `consecutive` events in a row are invalid, or more than `ratio` of the last `window` events."""

    consecutive: int = 2_000
    ratio: float = 0.5
    window: int = 10_000


class QuarantineState:
    """Counts of one partition since its worker took it over; a restart begins anew, so that a person can let it go on."""

    def __init__(self, policy: QuarantinePolicy) -> None:
        self._policy = policy
        self._in_a_row = 0
        self._recent: list[tuple[int, int]] = []

    def exceeded_by(self, valid: int, invalid: int) -> tuple[int, int] | None:
        """(invalid, of) when the fetch with these counts exceeds the policy, else None. Order within a fetch is not looked at."""
        if not valid and not invalid:
            return None  # ticks alone: an idle partition must not fill memory with them
        self._in_a_row = self._in_a_row + invalid if valid == 0 else 0
        self._recent.append((valid, invalid))
        total = sum(good + bad for good, bad in self._recent)
        while len(self._recent) > 1 and total - sum(self._recent[0]) >= self._policy.window:
            total -= sum(self._recent.pop(0))
        bad = sum(bad for _, bad in self._recent)
        if self._in_a_row >= self._policy.consecutive:
            return self._in_a_row, self._in_a_row
        if total >= self._policy.window and bad > self._policy.ratio * total:
            return bad, total
        return None
