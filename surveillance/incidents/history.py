"""What was judged of one monitor and scope, by window end at the newest revision: the memory that persistence needs."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator

from surveillance.evaluation.evidence import Evidence
from surveillance.evaluation.verdict import Verdict
from surveillance.manifest.manifest import WINDOWS_REMEMBERED

_FEW_COUNTS = 16
"""A vector of so few counts is not worth a copy of the evaluation without it."""


class History:
    """Evaluations by window end, ascending, without the counts they rest on, where those are many."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._entries: dict[int, Evidence] = {}
        self._forgotten_conclusive: Evidence | None = None
        self.first_start_ms: int | None = None

    def __contains__(self, end_ms: int) -> bool:
        return end_ms in self._entries

    def put(self, evidence: Evidence) -> None:
        """Remember an evaluation; one of the same window end is replaced, or forgotten where it is withdrawn."""
        end, ends = evidence.end_ms, self._ends
        if evidence.withdrawn:
            if self._entries.pop(end, None) is not None:
                ends.remove(end)
            return
        if not ends or end > ends[-1]:
            ends.append(end)
        elif end not in self._entries:
            insort(ends, end)
        self._entries[end] = evidence if len(evidence.counts) <= _FEW_COUNTS else evidence._replace(counts=())
        if self.first_start_ms is None or evidence.start_ms < self.first_start_ms:
            self.first_start_ms = evidence.start_ms
        if len(self._ends) > WINDOWS_REMEMBERED:
            forgotten = self._entries.pop(self._ends.pop(0))
            if forgotten.verdict is not Verdict.INCONCLUSIVE:
                self._forgotten_conclusive = forgotten

    @property
    def newest(self) -> Evidence | None:
        """The evaluation of the greatest window end."""
        return self._entries[self._ends[-1]] if self._ends else None

    @property
    def last_conclusive(self) -> Evidence | None:
        """The conclusive evaluation of the greatest window end, None where there is none."""
        return self.conclusive_at(self._ends[-1]) if self._ends else None

    def newest_at(self, end_ms: int) -> Evidence | None:
        """The evaluation of the greatest window end that is no later than `end_ms`, None where there is none."""
        at = bisect_right(self._ends, end_ms)
        return self._entries[self._ends[at - 1]] if at else None

    def conclusive_at(self, end_ms: int) -> Evidence | None:
        """As `newest_at`, of the conclusive ones."""
        entries = (self._entries[end] for end in reversed(self._ends[: bisect_right(self._ends, end_ms)]))
        conclusive = (entry for entry in entries if entry.verdict is not Verdict.INCONCLUSIVE)
        return next(conclusive, self._forgotten_conclusive)

    def newest_first(self, conclusive: Callable[[Evidence], bool]) -> Iterator[Evidence]:
        """Conclusive entries from the newest back. Of extended windows that share events only the newer one counts."""
        counted: Evidence | None = None
        for end in reversed(self._ends):
            entry = self._entries[end]
            if not conclusive(entry):
                continue
            overlaps = counted is not None and entry.end_ms > counted.start_ms and (entry.extended or counted.extended)
            if not overlaps:
                counted = entry
                yield entry

    def ascending(self) -> Iterator[Evidence]:
        """Every entry, by window end."""
        return (self._entries[end] for end in self._ends)

    def within(self, after_ms: int, to_ms: int) -> Iterator[Evidence]:
        """Entries with after < end <= to, ascending."""
        inside = self._ends[bisect_right(self._ends, after_ms) : bisect_right(self._ends, to_ms)]
        return (self._entries[end] for end in inside)

    def breached_since(self, end_ms: int) -> int:
        """Start of the first window of the unbroken breach that ends with the entry at `end_ms`."""
        start = self._entries[end_ms].start_ms
        for at in range(bisect_right(self._ends, end_ms) - 1, -1, -1):
            entry = self._entries[self._ends[at]]
            if entry.verdict is Verdict.MET:
                break
            if entry.verdict is Verdict.BREACHED:
                start = entry.start_ms
        return start
