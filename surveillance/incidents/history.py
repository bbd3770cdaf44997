"""What was judged of one monitor and scope, by window end at the newest revision: the memory that persistence needs."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.verdict import Verdict

_KEPT = 1024
"""Window ends remembered per scope; more than any `of`, `clear_after` or `sustained` span of a shipped window reaches back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The verdicts at one window end."""

    end_ms: int
    start_ms: int
    extended: bool
    verdict: Verdict
    levels: Mapping[str, Verdict]


class History:
    """Entries by window end, ascending."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._entries: dict[int, Entry] = {}
        self.first_start_ms: int | None = None
        self.newest: Evidence | None = None
        self.last_conclusive: Evidence | None = None

    def put(self, evidence: Evidence) -> None:
        """Remember an evaluation; one of the same window end is replaced."""
        end = evidence.end_ms
        if end not in self._entries:
            insort(self._ends, end)
        self._entries[end] = Entry(end, evidence.start_ms, evidence.extended, evidence.verdict, evidence.levels)
        if self.first_start_ms is None or evidence.start_ms < self.first_start_ms:
            self.first_start_ms = evidence.start_ms
        if self.newest is None or end >= self.newest.end_ms:
            self.newest = evidence
        self._keep_conclusive(evidence)
        if len(self._ends) > _KEPT:
            del self._entries[self._ends.pop(0)]

    def _keep_conclusive(self, evidence: Evidence) -> None:
        last = self.last_conclusive
        if evidence.verdict is not Verdict.INCONCLUSIVE:
            if last is None or evidence.end_ms >= last.end_ms:
                self.last_conclusive = evidence
        elif last is not None and last.end_ms == evidence.end_ms:
            # A revision took the verdict away: the one before it is shown by its entry's window only when judged again.
            self.last_conclusive = None

    def newest_first(self, conclusive: Callable[[Entry], bool]) -> Iterator[Entry]:
        """Conclusive entries from the newest back. Of extended windows that share events only the newer one counts."""
        counted: Entry | None = None
        for end in reversed(self._ends):
            entry = self._entries[end]
            if not conclusive(entry):
                continue
            overlaps = counted is not None and entry.end_ms > counted.start_ms and (entry.extended or counted.extended)
            if not overlaps:
                counted = entry
                yield entry

    def within(self, after_ms: int, to_ms: int) -> Iterator[Entry]:
        """Entries with after < end <= to, ascending."""
        return (self._entries[end] for end in self._ends if after_ms < end <= to_ms)

    def breached_since(self, end_ms: int) -> int:
        """Start of the first window of the unbroken breach that ends with the entry at `end_ms`."""
        start = self._entries[end_ms].start_ms
        for end in reversed([end for end in self._ends if end <= end_ms]):
            verdict = self._entries[end].verdict
            if verdict is Verdict.MET:
                break
            if verdict is Verdict.BREACHED:
                start = self._entries[end].start_ms
        return start
