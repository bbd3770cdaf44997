"""What an inference adds by itself, by pane of its event time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from detectors.score_sketch import SKETCH_BINS, sketch_bin
from surveillance.arrays import Bool, Codes, Float, Int
from surveillance.events.batch import Columns
from surveillance.ingest.accumulate import Increments
from surveillance.ingest.axes import UNKNOWN, axis_levels
from surveillance.ingest.contributions.contribution import MICRO, Contribution
from surveillance.ingest.contributions.log_binned import log_binned
from surveillance.ingest.contributions.uses import uses_of
from surveillance.ingest.power_sums import power_sums
from surveillance.ingest.reference_bins import category_bins, feature_bins, feature_increments, feature_numbers, number_bins
from surveillance.manifest.mix_reference import mix_distribution
from surveillance.panes import statistics
from surveillance.panes.binning import bin_count, feature_distribution
from surveillance.panes.log_bins import LONGEST_DELAY_MS, log_edges
from surveillance.panes.plan import Plan
from surveillance.panes.standard_scale import standard_scale
from surveillance.panes.statistics import (
    Arrival,
    Delays,
    Flow,
    Identity,
    Label,
    LabelScoreHead,
    Mix,
    Ood,
    Quality,
    ScoreTail,
    Statistic,
    Use,
)


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
    for statistic in plan.statistics:
        if statistic.family in _MAKERS:
            increments = _MAKERS[statistic.family](plan, statistic, facts)
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
    return found + _score_bins(plan, facts)


def _score_bins(plan: Plan, facts: InferenceFacts) -> list[Increments]:
    distribution = feature_distribution(plan.manifest, "score")
    if distribution is None or distribution.edges is None:
        return []
    return [Increments(number_bins(distribution.edges, facts.score))]


DEFAULT_EPS = 0.001
"""Width within which a score counts as saturated where the manifest says none."""


def _output(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    return [_of_all(0, np.zeros(len(facts.row), np.bool_)), *_output_bins(plan, facts)]


def _output_bins(plan: Plan, facts: InferenceFacts) -> list[Increments]:
    distribution = feature_distribution(plan.manifest, "output_class")
    text = facts.columns.text("output_class")
    if distribution is None or distribution.levels is None:
        return []
    bins, known = category_bins(distribution.levels, text)
    return [Increments(bins[facts.pick], where=known[facts.pick])]


def _safety(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    return uses_of(statistic, _use(plan, statistic, facts), len(facts.row))


def _spread(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    family, _, feature = statistic.subject.partition(":")
    if family == statistics.SCORE:
        return _score_bins(plan, facts)
    if family == statistics.OUTPUT:
        return _output_bins(plan, facts)
    return feature_bins(plan.manifest, feature, facts.columns.feature(feature), facts.pick)


def _of_all(column: int, holds: Bool) -> Increments:
    """Counts where it holds, and touches the row for every inference: a scope is there once it has one."""
    return Increments(column, holds.astype(np.int64))


def _shape(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    manifest, subject = plan.manifest, statistic.subject
    bins, scale = bin_count(feature_distribution(manifest, subject)), standard_scale(manifest, subject)
    if subject == "score" and manifest.baselines.feature(subject) is None:
        return power_sums(facts.score, np.ones(len(facts.row), np.bool_), scale, bins) + _score_bins(plan, facts)
    column = facts.columns.feature(subject)
    numbers, usable = feature_numbers(manifest, subject, column, facts.pick)
    return power_sums(numbers, usable, scale, bins) + feature_bins(manifest, subject, column, facts.pick)


def _mix(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    distribution = mix_distribution(plan.manifest, statistic.subject)
    if distribution is None or distribution.levels is None:
        return [Increments(Mix.KNOWN)]
    codes, levels = axis_levels(facts.columns, facts.pick, plan, statistic.subject)
    position = {level: at for at, level in enumerate(distribution.levels)}
    other = position.get("other", len(distribution.levels))
    known = np.array([level != UNKNOWN or level in position for level in levels], np.bool_)[codes]
    at = np.array([position.get(level, other) for level in levels], np.int64)[codes]
    return [_of_all(bin_count(distribution) + Mix.KNOWN, known), Increments(at, where=known)]


def _ood(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    score = facts.columns.number("ood_score")[facts.pick]
    found = [_of_all(Ood.SENT, ~np.isnan(score))]
    if statistic.subject:
        found.append(Increments(Ood.ABOVE, where=score > float(statistic.subject)))
    return found


def _quality(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    quality = facts.columns.number("input_quality")[facts.pick]
    sent = ~np.isnan(quality)
    value = np.where(sent, quality, 0.0)
    micro = {Quality.SUM_MICRO: value, Quality.SQUARE_MICRO: value**2}
    sums = [Increments(column, np.rint(values * MICRO).astype(np.int64), sent) for column, values in micro.items()]
    return [_of_all(Quality.SENT, sent), *sums]


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


def _label_free(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    place = facts.flagged.astype(np.int64) * SKETCH_BINS + sketch_bin(facts.score_micro)
    return [Increments(place), Increments(2 * SKETCH_BINS + place, facts.score_micro)]


def _arrivals_of_inferences(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    return [Increments(Arrival.INFERENCES)]


def _alerts(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    return [
        Increments(Delays.ALERTS, where=facts.flagged),
        Increments(Delays.ALERTS_AT_MS, facts.event_ms % statistic.pane_ms, facts.flagged),
    ]


def _latencies(plan: Plan, statistic: Statistic, facts: InferenceFacts) -> list[Increments]:
    latency_ms = facts.columns.number("latency_ms")[facts.pick]
    return log_binned(log_edges(statistic.subject, LONGEST_DELAY_MS), latency_ms, np.isfinite(latency_ms))


_MAKERS: Mapping[str, Callable[[Plan, Statistic, InferenceFacts], list[Increments]]] = {
    statistics.USE: _use,
    statistics.FEATURE: _feature,
    statistics.SCORE: _score,
    statistics.OUTPUT: _output,
    statistics.SPREAD: _spread,
    statistics.SAFETY: _safety,
    statistics.SHAPE: _shape,
    statistics.MIX: _mix,
    statistics.OOD: _ood,
    statistics.QUALITY: _quality,
    statistics.IDENTITY: _identity,
    statistics.LABELS: _labels_of_inferences,
    statistics.LABEL_SCORES: _label_scores_of_inferences,
    statistics.LABEL_FREE: _label_free,
    statistics.ARRIVALS: _arrivals_of_inferences,
    statistics.DELAYS: _alerts,
    statistics.LATENCIES: _latencies,
}
