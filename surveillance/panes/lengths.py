"""How many integers a statistic has: fixed by its family, or by the reference distribution that it counts bins of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from surveillance.manifest.manifest import Manifest
from surveillance.manifest.mix_reference import mix_distribution
from surveillance.panes import statistics
from surveillance.panes.binning import bin_count, feature_distribution
from surveillance.panes.log_bins import LONGEST_DELAY_MS, LONGEST_OFFSET_MS, log_edges

Length = Callable[[Manifest, str], int]
"""Length for a manifest and what the statistic is about (the id behind the colon)."""


def _fixed(length: int) -> Length:
    return lambda manifest, subject: length


def _bins(manifest: Manifest, counted: str) -> int:
    return bin_count(feature_distribution(manifest, counted))


LENGTHS: Mapping[str, Length] = {
    statistics.USE: _fixed(len(statistics.Use)),
    statistics.LABELS: _fixed(statistics.LABELS_LENGTH),
    statistics.LABEL_SCORES: _fixed(statistics.LABEL_SCORES_LENGTH),
    statistics.TREATED_LABELS: _fixed(statistics.LABELS_LENGTH),
    statistics.TREATED_SCORES: _fixed(statistics.LABEL_SCORES_LENGTH),
    statistics.LABEL_FREE: _fixed(statistics.LABEL_FREE_LENGTH),
    statistics.FLOW: _fixed(len(statistics.Flow)),
    statistics.ARRIVALS: _fixed(len(statistics.Arrival)),
    statistics.IDENTITY: _fixed(len(statistics.Identity)),
    statistics.EVENTS: _fixed(len(statistics.Events)),
    statistics.BEATS: _fixed(statistics.BEATS_LENGTH),
    statistics.SPAN: _fixed(1),
    statistics.SAFETY: _fixed(len(statistics.Safety)),
    statistics.FEATURE: lambda manifest, subject: _bins(manifest, subject) + len(statistics.FeatureTail),
    statistics.SCORE: lambda manifest, subject: _bins(manifest, "score") + len(statistics.ScoreTail),
    statistics.OUTPUT: lambda manifest, subject: max(1, _bins(manifest, "output_class")),
    statistics.SHAPE: lambda manifest, subject: _bins(manifest, subject) + len(statistics.Shape),
    statistics.MIX: lambda manifest, axis: bin_count(mix_distribution(manifest, axis)) + len(statistics.Mix),
    statistics.OOD: _fixed(len(statistics.Ood)),
    statistics.QUALITY: _fixed(len(statistics.Quality)),
    statistics.DELAYS: lambda manifest, limits: len(statistics.Delays) + 2 * len(log_edges(limits, LONGEST_DELAY_MS)),
    statistics.LATENCIES: lambda manifest, limits: 2 * len(log_edges(limits, LONGEST_DELAY_MS)),
    statistics.CLOCKS: lambda manifest, limits: 2 * len(log_edges(limits, LONGEST_OFFSET_MS)),
    statistics.LOWEST: _fixed(statistics.LOWEST_LENGTH),
    statistics.SPREAD: lambda manifest, source: _bins(manifest, counted_in(source)),
}


def counted_in(statistic_id: str) -> str:
    """What a statistic of bins counts: the feature, `score` or `output_class`.

    >>> counted_in("feature.v2:px_mean"), counted_in("score.v1:0.01")
    ('px_mean', 'score')
    """
    family, _, subject = statistic_id.partition(":")
    return {statistics.SCORE: "score", statistics.OUTPUT: "output_class"}.get(family, subject)


def length_of(manifest: Manifest, statistic_id: str) -> int:
    """Integers of one row of a statistic. Raises KeyError: no such family."""
    family, _, subject = statistic_id.partition(":")
    return LENGTHS[family](manifest, subject)
