"""`clock_offset_s`: windows of broker time, from the first event on that said anything of its sender's clock.

A device whose clock is far ahead is quarantined from its first event on, and must be seen all the same.
"""

from __future__ import annotations

from surveillance.evaluation.sums_monitor import SumsMonitor


class ClockMonitor(SumsMonitor):
    """A windowed monitor that does not wait for the manifest's first counted event."""

    def first_pane(self) -> int | None:
        heard = [sums.table.earliest for sums in self._sums if sums.table.earliest is not None]
        return min(heard, default=None)
