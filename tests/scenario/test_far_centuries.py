"""What is counted does not depend on the century: files may be old, and a wrong clock may be centuries ahead."""

from __future__ import annotations

from functools import cache

import pytest

from streams.replay import Replay
from surveillance.events.times import FIRST_MS, LAST_MS, parse_time
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.times import DAY_MS, to_text
from tests.oracle.streams import START_MS, manifest
from tests.property.deciding import inference, outcome
from tests.property.folding import registration

WEEK_DAYS = 7
START_DAY = START_MS // DAY_MS


def lines_from(day: int) -> list[bytes]:
    """A day of inferences of two sites with outcomes, `day` days after the usual start."""
    lines: list[bytes] = []
    for number in range(150):
        at_ms, site = day * DAY_MS + number * 600_000, "ab"[number % 2]
        told = {"site_id": site, "device_id": f"d-{site}"}
        lines.append(inference(number, at_ms, 0.8 if number % 3 else 0.2, **told))
        if number >= 40:
            lines.append(outcome(number - 40, number // 7 % 2, at_ms + 1000, of=number - 40, **told))
    return lines


@cache
def judged(day: int) -> dict[tuple[str, str], tuple[str, int | None]]:
    """Verdict and n by monitor and scope."""
    replay = Replay(Registry([registration(manifest("rm-a", 1, "rel-a"))]), MemoryStore())
    found = [line for line in replay.run(lines_from(day)) if line["kind"] == "status"]
    return {(line["monitor_id"], str(line["scope"])): (line["verdict"], (line.get("estimate") or {}).get("n")) for line in found}


@pytest.mark.parametrize("weeks", [-4_000, 14_000, 400_000], ids=["1949", "2294", "9692"])
def test_the_same_events_in_another_century_are_judged_alike(weeks: int) -> None:
    assert judged(weeks * WEEK_DAYS) == judged(0)


def test_deadlines_beyond_the_last_year_that_can_be_written_stop_nothing() -> None:
    assert judged(LAST_MS // DAY_MS - START_DAY - 2).keys() == judged(0).keys()


@pytest.mark.parametrize("ms", [FIRST_MS, FIRST_MS + 1, -1, 0, 999, LAST_MS])
def test_every_time_that_an_event_may_have_is_written_as_it_is_read(ms: int) -> None:
    assert parse_time(to_text(ms)) == ms


def test_a_time_that_cannot_be_written_is_the_nearest_that_can() -> None:
    assert (to_text(LAST_MS + 1), to_text(FIRST_MS - 1)) == (to_text(LAST_MS), to_text(FIRST_MS))
