"""What joined actions add for their alert: each counting word once per alert, by pane of the inference."""

from __future__ import annotations

from collections.abc import Iterator

from surveillance.arrays import Bool, Codes
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.contributions.contribution import Contribution
from surveillance.ingest.contributions.log_binned import log_binned
from surveillance.ingest.contributions.uses import uses_of
from surveillance.ingest.join import ACTION_BITS, ACTIONED_MASK, Joined
from surveillance.panes import statistics
from surveillance.panes.log_bins import LONGEST_DELAY_MS, log_edges
from surveillance.panes.plan import Plan
from surveillance.panes.statistics import Delays, Flow, Statistic, Use


def action_contributions(plan: Plan, joined: Joined, day_cells: Codes) -> Iterator[Contribution]:
    """What joined actions add for their alert: each counting word once per alert, by pane of the inference."""
    after = joined.before | joined.value
    words = {
        Use.ACTIONED_ALERTS: ACTIONED_MASK,
        Use.OVERRIDES: ACTION_BITS["override"],
        Use.DISMISSALS: ACTION_BITS["dismiss"],
        Use.ACKS: ACTION_BITS["ack"],
        Use.DELIVERED: ACTION_BITS["delivered"],
    }
    new = {word: ((after & mask) != 0) & ((joined.before & mask) == 0) for word, mask in words.items()}
    use = [Increments(word, where=where) for word, where in new.items()]
    for statistic in plan.statistics:
        if statistic.family == statistics.USE:
            yield Contribution(statistic, joined.row, joined.cell, joined.event_ms, use)
        elif statistic.family == statistics.SAFETY:
            counted = uses_of(statistic, use, len(joined.row))
            yield Contribution(statistic, joined.row, joined.cell, joined.event_ms, counted)
        elif statistic.family == statistics.FLOW:
            counted = [
                Increments(Flow.ACTIONED, where=new[Use.ACTIONED_ALERTS]),
                Increments(Flow.OVERRIDDEN, where=new[Use.OVERRIDES]),
            ]
            yield Contribution(statistic, joined.row, day_cells, joined.arrival_ms, counted)
        elif statistic.family == statistics.DELAYS:
            counted = _acknowledgements(statistic, joined, new[Use.ACKS])
            yield Contribution(statistic, joined.row, joined.cell, joined.event_ms, counted)


def _acknowledgements(statistic: Statistic, joined: Joined, first: Bool) -> list[Increments]:
    """The first acknowledgement of an alert, in the alert's pane."""
    edges = log_edges(statistic.subject, LONGEST_DELAY_MS)
    return [
        Increments(Delays.ACKNOWLEDGED, where=first),
        Increments(Delays.ACKNOWLEDGED_AT_MS, joined.event_ms % statistic.pane_ms, first),
        *log_binned(edges, joined.delay_ms, first, start=len(Delays)),
    ]
