"""What events of every kind add by their envelope: arrivals, retransmissions, signs of life, the span of a manifest."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from surveillance.arrays import NOT_SENT_MS, Bool, Codes, Int
from surveillance.events.batch import Columns
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.contributions.contribution import Contribution
from surveillance.ingest.contributions.log_binned import log_binned
from surveillance.manifest.metrics_operation import CERTIFICATE_DAYS
from surveillance.panes import statistics
from surveillance.panes.log_bins import LONGEST_OFFSET_MS, log_edges
from surveillance.panes.plan import Plan, lowest_slot_ms
from surveillance.panes.statistics import BEAT_SLOTS, Beats, Events, Lowest

CERTIFICATE_ENDS = "cert_not_after"
LARGEST_MILLI = 2**48
"""Beyond it a number counts as this: the sum of a slot fits into 64 bits."""


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


def clock_contributions(plan: Plan, row: Int, cells: Codes, broker_ms: Int, said_ms: Int) -> Iterator[Contribution]:
    """How far the clocks of senders stood from broker time, which is when it counts. `said_ms` = the time they said."""
    everyone = np.ones(len(row), np.bool_)
    for statistic in plan.of_family(statistics.CLOCKS):
        edges = log_edges(statistic.subject, LONGEST_OFFSET_MS)
        yield Contribution(statistic, row, cells, broker_ms, log_binned(edges, np.abs(said_ms - broker_ms), everyone))


def lowest_contributions(plan: Plan, row: Int, cells: Codes, broker_ms: Int, beats: Columns, pick: Int) -> Iterator[Contribution]:
    """Numbers that heartbeats carried, by slot of broker time. `pick` = rows of the heartbeat columns."""
    slot = broker_ms // lowest_slot_ms(plan.manifest) % BEAT_SLOTS
    for statistic in plan.of_family(statistics.LOWEST):
        milli = _carried_milli(beats, statistic.subject, pick)
        sent = milli != NOT_SENT_MS
        increments = [
            Increments(Lowest.HEARTBEATS * BEAT_SLOTS + slot, where=sent),
            Increments(Lowest.SUM_MILLI * BEAT_SLOTS + slot, milli, sent),
        ]
        yield Contribution(statistic, row, cells, broker_ms, increments)


def _carried_milli(beats: Columns, field: str, pick: Int) -> Int:
    """The number in thousandths, so that a time in seconds is one in milliseconds; NOT_SENT_MS where none was sent."""
    if field == CERTIFICATE_DAYS:
        return beats.time_ms(CERTIFICATE_ENDS)[pick]
    number = beats.number(field)[pick]
    sent = np.isfinite(number)
    milli = np.rint(np.clip(np.where(sent, number, 0.0) * 1000, -LARGEST_MILLI, LARGEST_MILLI)).astype(np.int64)
    return np.where(sent, milli, NOT_SENT_MS)
