"""What joined labels add or take out: by pane of the inference, and by pane of the label's first arrival."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detectors.score_sketch import SKETCH_BINS, sketch_bin
from surveillance.arrays import Codes, Float
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.contributions.contribution import MICRO, Contribution
from surveillance.ingest.contributions.uses import uses_of
from surveillance.ingest.join import Joined
from surveillance.panes import statistics
from surveillance.panes.plan import Plan
from surveillance.panes.statistics import Arrival, Flow, Label, LabelScoreHead, Use


def label_contributions(plan: Plan, joined: Joined, day_cells: Codes) -> Iterator[Contribution]:
    """What joined labels add, or take out: by pane of the inference, and by pane of the label's first arrival."""
    score, label = joined.score_micro / MICRO, joined.value.astype(np.float64)
    at_inference = (joined.row, joined.cell, joined.event_ms)
    first = joined.first
    labelled = [Increments(Use.LABELLED, where=first)]
    for statistic in plan.statistics:
        if statistic.family == statistics.LABELS:
            yield Contribution(statistic, *at_inference, _label_sums(joined, score, label))
        elif statistic.family == statistics.LABEL_SCORES:
            yield Contribution(statistic, *at_inference, _label_scores(joined))
        elif statistic.family == statistics.TREATED_LABELS:
            start = joined.flagged.astype(np.int64) * len(Label)
            cases = [Increments(start + Label.INFERENCES, joined.sign), *_label_sums(joined, score, label)]
            yield Contribution(statistic, *at_inference, _of_treated(joined, cases))
        elif statistic.family == statistics.TREATED_SCORES:
            flag = joined.flagged.astype(np.int64)
            cases = [Increments(LabelScoreHead.INFERENCES_UNFLAGGED + flag, joined.sign), *_label_scores(joined)]
            yield Contribution(statistic, *at_inference, _of_treated(joined, cases))
        elif statistic.family == statistics.USE:
            yield Contribution(statistic, *at_inference, labelled)
        elif statistic.family == statistics.SAFETY:
            yield Contribution(statistic, *at_inference, uses_of(statistic, labelled, len(joined.row)))
        elif statistic.family == statistics.ARRIVALS:
            yield Contribution(statistic, *at_inference, [Increments(Arrival.LABELLED, where=first)])
            yield Contribution(statistic, joined.row, joined.cell, joined.arrival_ms, [Increments(Arrival.ARRIVALS, where=first)])
        elif statistic.family == statistics.FLOW:
            column = Flow.NEGATIVES_UNFLAGGED + 2 * joined.flagged.astype(np.int64) + joined.value
            yield Contribution(statistic, joined.row, day_cells, joined.arrival_ms, [Increments(column, joined.sign)])


def _of_treated(joined: Joined, cases: list[Increments]) -> list[Increments]:
    """The increments of cases that were treated before their label, nothing of the others."""
    return [one._replace(where=joined.treated if one.where is None else one.where & joined.treated) for one in cases]


def _label_sums(joined: Joined, score: Float, label: Float) -> list[Increments]:
    start = joined.flagged.astype(np.int64) * len(Label)
    error = score - label
    micro = {
        Label.SCORE_MICRO: score,
        Label.SQUARE_MICRO: error**2,
        Label.QUARTIC_MICRO: error**4,
        Label.SPIEGELHALTER_MICRO: -error * (1 - 2 * score),
        Label.SPIEGELHALTER_VARIANCE_MICRO: (1 - 2 * score) ** 2 * score * (1 - score),
    }
    counted = [
        Increments(start + Label.NEGATIVES + joined.value, joined.sign),
        Increments(start + Label.VERIFIED, joined.sign, joined.verified),
    ]
    return counted + [
        Increments(start + column, np.rint(value * MICRO).astype(np.int64) * joined.sign) for column, value in micro.items()
    ]


def _label_scores(joined: Joined) -> list[Increments]:
    bins = sketch_bin(joined.score_micro)
    stratum = 2 * joined.flagged.astype(np.int64) + joined.value
    return [
        Increments(LabelScoreHead.VERIFIED_UNFLAGGED, joined.sign, joined.verified & ~joined.flagged),
        Increments(statistics.LABEL_COUNT_AT + stratum * SKETCH_BINS + bins, joined.sign),
        Increments(statistics.LABEL_SUM_AT + bins, joined.score_micro * joined.sign),
    ]
