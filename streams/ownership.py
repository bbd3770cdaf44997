"""Which releases this process judges: the manifests on its partitions of the releases topic, as the group assigned them.

    revoked ──▶ none owned ──the agent reads its partitions from their beginning──▶ owned
       ▲                                                                             │
       └──────────────────────────────── rebalance ◀─────────────────────────────────┘

Two evaluators may own a release for a moment, or none: ids and revisions make the first harmless, the next owner makes up
for the second.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from faust.types import EventT

from streams.faust_app import AgentPlan
from streams.sink import Record


class Ownership:
    """A `PartitionSink` of no data partitions, because it hears of every assignment; and the handler of the agent."""

    def __init__(self) -> None:
        self._digests: set[str] = set()

    def digests(self) -> Collection[str]:
        """Digests owned now."""
        return frozenset(self._digests)

    def agent(self, releases: str) -> AgentPlan:
        """The agent on the releases topic."""
        return AgentPlan(releases, self._take, from_start=True)

    async def _take(self, event: EventT[bytes]) -> None:
        key = event.key
        if isinstance(key, bytes):
            self._digests.add(key.decode("ascii", "replace"))

    # what a PartitionSink is asked --------------------------------------------------------------------------
    def assign(self, partitions: Collection[int]) -> Mapping[int, int]:
        self._digests = set()
        return {}

    def fold(self, partition: int, records: Sequence[Record]) -> None:
        """Never called: there is no data partition."""

    def flush_due(self) -> bool:
        return False

    def flush(self, deadline_s: float | None) -> Mapping[int, int]:
        return {}

    def gap(self, partition: int, wanted: int, log_start: int, log_end: int) -> None:
        """Never called: there is no data partition."""

    def revoke(self, partitions: Collection[int]) -> None:
        """Nothing to forget: `assign` follows."""
