"""How far the story is, on stderr: a bar on a terminal, else a line a day."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from streams.simulated_fleet.cases import DAYS
from surveillance.times import DAY_MS

_WIDTH = 28


class DemoProgress:
    """`elapsed_s` gives seconds since the start of the demo."""

    def __init__(self, out: TextIO, elapsed_s: Callable[[], float]) -> None:
        self._out, self._elapsed_s = out, elapsed_s
        self._bar = out.isatty()
        self._drawn = False
        self._events = 0

    def report(self, simulated_ms: int, events: int) -> None:
        """`simulated_ms` of the story are over; `events` more were published."""
        self._events += events
        seconds = self._elapsed_s()
        said = f"{self._events:,} events in {seconds:.1f} s ({self._events / max(seconds, 0.001):,.0f} events/s)"
        if self._bar:
            done = simulated_ms * _WIDTH // (DAYS * DAY_MS)
            day = min(DAYS, simulated_ms // DAY_MS + 1)
            self._out.write(f"\r\x1b[K[{'#' * done}{'.' * (_WIDTH - done)}] day {day} of {DAYS}, {said}")
            self._drawn = True
        elif simulated_ms % DAY_MS == 0:
            self._out.write(f"day {simulated_ms // DAY_MS} of {DAYS} is over: {said}\n")
        self._out.flush()

    def clear(self) -> None:
        """Takes the bar away, so that something else can be written."""
        if self._drawn:
            self._out.write("\r\x1b[K")
            self._out.flush()
            self._drawn = False

    def note(self, text: str) -> None:
        """A line of its own."""
        self.clear()
        self._out.write(text + "\n")
        self._out.flush()
