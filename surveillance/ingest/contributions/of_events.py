"""What events of every kind add by their envelope: arrivals, retransmissions, signs of life, the span of a manifest."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.arrays import Bool, Codes, Int
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.contributions.contribution import Contribution
from surveillance.panes import statistics
from surveillance.panes.plan import Plan
from surveillance.panes.statistics import Beats, Events


def event_contributions(plan: Plan, row: Int, cells: Codes, event_ms: Int, duplicate: Bool) -> Iterator[Contribution]:
    """Everything that arrived in field use, and the retransmissions among it, by event time."""
    for statistic in plan.of_family(statistics.EVENTS):
        yield Contribution(
            statistic, row, cells, event_ms, [Increments(Events.ARRIVED), Increments(Events.DUPLICATES, where=duplicate)]
        )


def span_contributions(plan: Plan, row: Int, cells: Codes, event_ms: Int) -> Iterator[Contribution]:
    """Every counted event, whatever its kind and mode."""
    for statistic in plan.of_family(statistics.SPAN):
        yield Contribution(statistic, row, cells, event_ms, [Increments(0)])


def beat_contributions(plan: Plan, row: Int, cells: Codes, broker_ms: Int, heartbeat: Bool) -> Iterator[Contribution]:
    """Heartbeats and signs of life by device, in broker time."""
    interval_ms = plan.manifest.surveillance.telemetry.heartbeat_interval_ms
    slot = broker_ms // interval_ms % statistics.BEAT_SLOTS
    at_start = broker_ms % interval_ms == 0
    for statistic in plan.of_family(statistics.BEATS):
        increments = [
            Increments(Beats.AT_START * statistics.BEAT_SLOTS + slot, where=heartbeat & at_start),
            Increments(Beats.INSIDE * statistics.BEAT_SLOTS + slot, where=heartbeat & ~at_start),
            Increments(Beats.ANY_EVENT * statistics.BEAT_SLOTS + slot),
        ]
        yield Contribution(statistic, row, cells, broker_ms, increments)
