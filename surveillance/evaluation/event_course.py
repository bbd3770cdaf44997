"""Uses and matching events of one scope as they came, with their running sums."""

from __future__ import annotations

from bisect import bisect_left, insort


class EventCourse:
    """Counts by pane, and sums through each pane; a row that changed takes back the sums from its pane on, and no others."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[int, int]] = {}
        self._panes: list[int] = []
        self._uses: list[int] = []
        self._events: list[int] = []
        self._event_panes: list[int] = []
        self._changed_from: int | None = None

    def put(self, pane: int, uses: int, events: int) -> None:
        """The counts of a pane as they are now."""
        known = self._counts.get(pane)
        if known == (uses, events):
            return
        if known is None:
            insort(self._panes, pane)
        if (events > 0) != (known is not None and known[1] > 0):
            if events > 0:
                insort(self._event_panes, pane)
            else:
                self._event_panes.remove(pane)
        self._counts[pane] = (uses, events)
        at = bisect_left(self._panes, pane)
        del self._uses[at:], self._events[at:]
        self._changed_from = pane if self._changed_from is None else min(pane, self._changed_from)

    def take_changed_from(self) -> int | None:
        """The first pane that changed since the last call, None where none did."""
        changed, self._changed_from = self._changed_from, None
        return changed

    def has_begun(self, end_ms: int) -> bool:
        """Whether any pane before `end_ms` holds something."""
        return bool(self._panes) and self._panes[0] < end_ms

    def through(self, end_ms: int) -> tuple[int, int]:
        """(events, uses) of the panes before `end_ms`."""
        self._add_up()
        at = bisect_left(self._panes, end_ms)
        return (self._events[at - 1], self._uses[at - 1]) if at else (0, 0)

    def uses_at_last_event(self, end_ms: int) -> int:
        """Uses through the last pane before `end_ms` that holds events; through its end where none does.

        Where there was no use yet by then, those of the first pane with one: events before it count against those.
        """
        at = bisect_left(self._event_panes, end_ms)
        uses = self.through(self._event_panes[at - 1] + 1 if at else end_ms)[1]
        first_use = self.pane_reaching(1)
        return uses if uses or first_use is None else self.through(min(first_use + 1, end_ms))[1]

    def first_use_after_events(self) -> int | None:
        """The first pane with a use, where events came before it; None where there is none, or none did."""
        first_use = self.pane_reaching(1)
        return first_use if first_use is not None and self._event_panes and self._event_panes[0] < first_use else None

    def event_panes(self, since_ms: int) -> list[int]:
        """Panes from `since_ms` on that hold events, ascending."""
        return self._event_panes[bisect_left(self._event_panes, since_ms) :]

    def pane_reaching(self, uses: float) -> int | None:
        """The first pane through which there were so many uses."""
        self._add_up()
        at = bisect_left(self._uses, uses)
        return self._panes[at] if at < len(self._panes) else None

    def _add_up(self) -> None:
        uses, events = (self._uses[-1], self._events[-1]) if self._uses else (0, 0)
        for pane in self._panes[len(self._uses) :]:
            of_pane = self._counts[pane]
            uses, events = uses + of_pane[0], events + of_pane[1]
            self._uses.append(uses)
            self._events.append(events)
