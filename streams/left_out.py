"""What a replay left out, for a reader who is told that nothing was watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from surveillance.events.named_release import named_release
from surveillance.events.reasons import RELEASE_UNKNOWN
from surveillance.store.protocol import Quarantined

NAMED_MOST = 3


@dataclass(slots=True)
class LeftOut:
    """Filled by a replay as it reads. `arrived_late` = events that arrived after `until`, the first of them at `first_late_ms`.

    `releases` are those of the manifests, `unknown_releases` the first few that events named and no manifest in force was of.
    """

    arrived_late: int = 0
    first_late_ms: int | None = None
    releases: Sequence[str] = ()
    unknown_releases: list[str] = field(default_factory=list)

    def late(self, arrived_ms: int) -> None:
        """An event that was not read, as it arrived after `until`."""
        self.arrived_late += 1
        self.first_late_ms = arrived_ms if self.first_late_ms is None else min(self.first_late_ms, arrived_ms)

    def refused(self, events: Sequence[Quarantined]) -> None:
        """Events that were quarantined."""
        for one in events:
            if len(self.unknown_releases) == NAMED_MOST:
                return
            if one.reason == RELEASE_UNKNOWN and one.payload is not None:
                self._unknown(one.payload)

    def _unknown(self, payload: bytes) -> None:
        named = named_release(payload)
        if named is not None and named not in self.unknown_releases:
            self.unknown_releases.append(named)
