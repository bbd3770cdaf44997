"""How far the story is: a bar belongs on a terminal and nowhere else."""

from __future__ import annotations

import io

from streams.demo_progress import DemoProgress
from surveillance.times import DAY_MS


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_where_there_is_no_terminal_a_day_is_a_line() -> None:
    out = io.StringIO()
    progress = DemoProgress(out, lambda: 2.0)
    progress.report(DAY_MS // 2, 300)
    progress.report(DAY_MS, 700)
    progress.clear()
    assert out.getvalue() == "day 1 of 14 is over: 1,000 events in 2.0 s (500 events/s)\n"


def test_on_a_terminal_a_bar_grows_and_makes_room_for_what_is_said() -> None:
    out = _Terminal()
    progress = DemoProgress(out, lambda: 2.0)
    progress.report(7 * DAY_MS, 1000)
    assert "[##############..............] day 8 of 14" in out.getvalue()
    progress.note("said")
    assert out.getvalue().endswith("\r\x1b[Ksaid\n")
