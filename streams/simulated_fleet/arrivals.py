"""The fleet's telemetry, day by day, in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from streams.simulated_fleet.cases import DAYS, START_MS, cases_of
from streams.simulated_fleet.disorder import Arrival, disordered
from streams.simulated_fleet.events import Installed, events_of, heartbeats_of
from surveillance.times import DAY_MS

SEED = 20_260_302


def fleet_days(installed: Installed, *, days: int = DAYS, seed: int = SEED) -> Iterator[Sequence[Arrival]]:
    """What arrives on each day, in order. What would arrive after the last day never does.

    The same seed gives the same bytes; each day has chance of its own, so that fewer days are a prefix of more.
    """
    waiting: list[Arrival] = []
    for day in range(1, days + 1):
        rng = np.random.default_rng([seed, day])
        start_ms = START_MS + (day - 1) * DAY_MS
        sent = [*events_of(cases_of(day, rng), installed, rng), *heartbeats_of(day, installed, rng)]
        waiting += disordered(sent, day, start_ms, rng)
        waiting.sort(key=lambda one: one.at_ms)  # stable: what arrives in one millisecond stays in the order it was made
        arrived = sum(one.at_ms < start_ms + DAY_MS for one in waiting)
        yield waiting[:arrived]
        waiting = waiting[arrived:]
