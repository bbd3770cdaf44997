"""What counted events add to the statistics of one manifest: which rows, in which cells and panes, at which vector indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from detectors.score_sketch import SKETCH_BINS, sketch_bin
from surveillance.arrays import Bool, Codes, Float, Int
from surveillance.events.batch import Columns
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.join import ACTION_BITS, ACTIONED_MASK, Joined
from surveillance.ingest.reference_bins import category_bins, feature_increments, number_bins
from surveillance.panes import statistics
from surveillance.panes.plan import Plan, bin_count, feature_distribution
from surveillance.panes.statistics import Arrival, Beats, Events, Flow, Identity, Label, LabelScoreHead, ScoreTail, Statistic, Use

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Contribution:
    """Increments of one statistic. `row` (of the batch, ascending), `cells` and `times_ms` have shape (n,)."""

    statistic: Statistic
    row: Int
    cells: Codes
    times_ms: Int
    increments: Sequence[Increments]


@dataclass(frozen=True, slots=True)
class InferenceFacts:
    """Field-use inferences of one manifest: rows of the batch, rows of the inference columns, and what is known of each."""

    row: Int
    pick: Int
    columns: Columns
    cells: Codes
    day_cells: Codes
    event_ms: Int
    broker_ms: Int
    score: Float
    score_micro: Int
    flagged: Bool
    opens: Bool
    onset: Bool
    release_differs: Bool


def inference_contributions(plan: Plan, facts: InferenceFacts) -> Iterator[Contribution]:
    """Everything an inference says by itself, by pane of its event time."""
    makers = {
        statistics.USE: _use,
        statistics.FEATURE: _feature,
        statistics.SCORE: _score,
        statistics.OUTPUT: _output,
        statistics.IDENTITY: _identity,
        statistics.LABELS: _labels_of_inferences,
        statistics.LABEL_SCORES: _label_scores_of_inferences,
        statistics.ARRIVALS: _arrivals_of_inferences,
    }
    for statistic in plan.statistics:
        if statistic.family in makers:
            increments = makers[statistic.family](plan, statistic, facts)
            yield Contribution(statistic, facts.row, facts.cells, facts.event_ms, increments)
        elif statistic.family == statistics.FLOW:
            split = [
                Increments(Flow.INFERENCES_UNFLAGGED, where=~facts.flagged),
                Increments(Flow.INFERENCES_FLAGGED, where=facts.flagged),
            ]
            yield Contribution(statistic, facts.row, facts.day_cells, facts.broker_ms, split)


def _use(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    abstained = facts.columns.number("abstained")[facts.pick] == 1.0
    ineligible = facts.columns.number("eligibility.intended_use")[facts.pick] == 0.0
    return [
        Increments(Use.INFERENCES),
        Increments(Use.ENCOUNTERS, where=facts.opens),
        Increments(Use.ALERTS, where=facts.flagged),
        Increments(Use.ALERT_ONSETS, where=facts.onset),
        Increments(Use.ABSTAINED, where=abstained),
        Increments(Use.INELIGIBLE, where=ineligible),
    ]


def _feature(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    return feature_increments(plan.manifest, statistic.subject, facts.columns.feature(statistic.subject), facts.pick)


def _score(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    distribution = feature_distribution(plan.manifest, "score")
    bins = bin_count(distribution)
    reference = plan.manifest.baselines.score
    widths = reference.saturation_share if reference is not None else None
    low = high = float(statistic.subject) if statistic.subject else None
    low = low if low is not None else widths.low_eps if widths is not None else DEFAULT_EPS
    high = high if high is not None else widths.high_eps if widths is not None else DEFAULT_EPS
    found = [
        Increments(bins + ScoreTail.LOW, where=facts.score <= low),
        Increments(bins + ScoreTail.HIGH, where=facts.score >= 1.0 - high),
        Increments(bins + ScoreTail.SCORES),
    ]
    if distribution is not None and distribution.edges is not None:
        found.append(Increments(number_bins(distribution.edges, facts.score)))
    return found


DEFAULT_EPS = 0.001
"""Width within which a score counts as saturated where the manifest says none."""


def _output(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    distribution = feature_distribution(plan.manifest, "output_class")
    text = facts.columns.text("output_class")
    if distribution is None or distribution.levels is None:
        return []
    bins, known = category_bins(distribution.levels, text)
    return [Increments(bins[facts.pick], where=known[facts.pick])]


def _identity(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    kind, _, fields = statistic.subject.partition(":")
    expected = plan.manifest.release.identities.digests
    differs = facts.release_differs.copy() if kind == "identity_mismatch" else np.zeros(len(facts.row), np.bool_)
    for field in fields.split(","):
        if field not in expected:
            continue
        sent = facts.columns.text(field)
        other = np.array([value != expected[field] for value in sent.values] + [False], np.bool_)
        differs |= other[sent.codes[facts.pick]]  # code -1 (not sent) reads the last entry
    return [Increments(Identity.CHECKED), Increments(Identity.MISMATCHED, where=differs)]


def _labels_of_inferences(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    return [Increments(facts.flagged.astype(np.int64) * len(Label) + Label.INFERENCES)]


def _label_scores_of_inferences(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    return [Increments(facts.flagged.astype(np.int64) + LabelScoreHead.INFERENCES_UNFLAGGED)]


def _arrivals_of_inferences(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    return [Increments(Arrival.INFERENCES)]


def label_contributions(plan: Plan, joined: Joined, day_cells: Codes) -> Iterator[Contribution]:
    """What joined labels add, or take out: by pane of the inference, and by pane of the label's first arrival."""
    score, label = joined.score_micro / MICRO, joined.value.astype(np.float64)
    at_inference = (joined.row, joined.cell, joined.event_ms)
    first = joined.first
    for statistic in plan.statistics:
        if statistic.family == statistics.LABELS:
            yield Contribution(statistic, *at_inference, _label_sums(joined, score, label))
        elif statistic.family == statistics.LABEL_SCORES:
            yield Contribution(statistic, *at_inference, _label_scores(joined))
        elif statistic.family == statistics.USE:
            yield Contribution(statistic, *at_inference, [Increments(Use.LABELLED, where=first)])
        elif statistic.family == statistics.ARRIVALS:
            yield Contribution(statistic, *at_inference, [Increments(Arrival.LABELLED, where=first)])
            yield Contribution(statistic, joined.row, joined.cell, joined.arrival_ms, [Increments(Arrival.ARRIVALS, where=first)])
        elif statistic.family == statistics.FLOW:
            column = Flow.NEGATIVES_UNFLAGGED + 2 * joined.flagged.astype(np.int64) + joined.value
            yield Contribution(statistic, joined.row, day_cells, joined.arrival_ms, [Increments(column, joined.sign)])


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
    for statistic in plan.statistics:
        if statistic.family == statistics.USE:
            counted = [Increments(word, where=where) for word, where in new.items()]
            yield Contribution(statistic, joined.row, joined.cell, joined.event_ms, counted)
        elif statistic.family == statistics.FLOW:
            counted = [
                Increments(Flow.ACTIONED, where=new[Use.ACTIONED_ALERTS]),
                Increments(Flow.OVERRIDDEN, where=new[Use.OVERRIDES]),
            ]
            yield Contribution(statistic, joined.row, day_cells, joined.arrival_ms, counted)


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
