"""The bins of a reference distribution, applied to what devices sent. Bins are closed on the left, the last also on the right;
values beyond the edges fall into the end bins."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from surveillance.arrays import Bool, Float, Int
from surveillance.events.batch import Coded, FeatureColumn, FeatureState
from surveillance.ingest.accumulate import Increments
from surveillance.manifest.manifest import Manifest
from surveillance.panes.binning import bin_count, feature_distribution
from surveillance.panes.statistics import FeatureTail

_MOST_COMPARED = 32
"""Inner edges up to which each is compared with every value; beyond that a search takes fewer steps."""


def number_bins(edges: Sequence[float], values: Float) -> Int:
    """Bin of each value, 0 to len(edges) - 2."""
    inner = edges[1:-1]
    if len(inner) > _MOST_COMPARED:
        return np.searchsorted(np.array(inner), values, side="right").astype(np.int64)
    # Counting the edges at or below a value takes no branch, so it is several times quicker than a search.
    found = np.zeros(len(values), np.int8)
    for edge in inner:
        found += values >= edge
    return found.astype(np.int64)


def category_bins(levels: Sequence[str], text: Coded) -> tuple[Int, Bool]:
    """Bin of each row's text and whether it was sent; a category the reference does not name is `other`."""
    position = {level: at for at, level in enumerate(levels)}
    other = position.get("other", len(levels))
    lookup = np.array([position.get(value, other) for value in text.values] + [0], np.int64)
    return lookup[text.codes], text.codes >= 0


def feature_increments(manifest: Manifest, name: str, column: FeatureColumn, pick: Int) -> list[Increments]:
    """What the picked rows add to a feature's vector: its bin, or missing, sentinel, absent; and out of range."""
    distribution = feature_distribution(manifest, name)
    bins = bin_count(distribution)
    baseline = manifest.baselines.feature(name)
    state, number = column.state[pick], column.number[pick]
    is_number, is_text = state == FeatureState.NUMBER, state == FeatureState.TEXT
    sentinel = _sentinels(baseline.sentinels if baseline is not None else (), column, pick, is_number)
    numeric = distribution is None or distribution.levels is None
    unusable = is_text & ~sentinel if numeric and distribution is not None else np.zeros(len(pick), np.bool_)
    missing = (state == FeatureState.NULL) | sentinel | unusable
    found = [
        Increments(bins + FeatureTail.MISSING, where=missing),
        Increments(bins + FeatureTail.SENTINEL, where=sentinel),
        Increments(bins + FeatureTail.ABSENT, where=state == FeatureState.ABSENT),
        Increments(bins + FeatureTail.SENT, where=state != FeatureState.ABSENT),
        Increments(bins + FeatureTail.NUMBERS, where=is_number & ~sentinel),
    ]
    if baseline is not None and baseline.range is not None:
        low, high = baseline.range
        found.append(
            Increments(bins + FeatureTail.OUT_OF_RANGE, where=is_number & ~sentinel & ((number < low) | (number > high)))
        )
    return found + feature_bins(manifest, name, column, pick)


def feature_bins(manifest: Manifest, name: str, column: FeatureColumn, pick: Int) -> list[Increments]:
    """The bin of each picked row of a feature that has one; nothing where the manifest has no distribution of it."""
    distribution, baseline = feature_distribution(manifest, name), manifest.baselines.feature(name)
    if distribution is None:
        return []
    is_number = column.state[pick] == FeatureState.NUMBER
    sentinel = _sentinels(baseline.sentinels if baseline is not None else (), column, pick, is_number)
    if distribution.edges is not None:
        return [Increments(number_bins(distribution.edges, column.number[pick]), where=is_number & ~sentinel)]
    code, known = category_bins(distribution.levels or (), _as_text(column))
    return [Increments(code[pick], where=known[pick] & ~sentinel)]


def feature_numbers(manifest: Manifest, name: str, column: FeatureColumn, pick: Int) -> tuple[Float, Bool]:
    """The picked rows' numbers, and which of them are numbers and no sentinel."""
    baseline = manifest.baselines.feature(name)
    is_number = column.state[pick] == FeatureState.NUMBER
    sentinel = _sentinels(baseline.sentinels if baseline is not None else (), column, pick, is_number)
    return column.number[pick], is_number & ~sentinel


def _sentinels(sentinels: Sequence[str | float], column: FeatureColumn, pick: Int, is_number: Bool) -> Bool:
    found = np.zeros(len(pick), np.bool_)
    if not sentinels:
        return found
    numbers = [float(one) for one in sentinels if not isinstance(one, str)]
    if numbers:
        found |= is_number & np.isin(column.number[pick], numbers)
    texts = np.array([value in sentinels for value in column.text.values] + [False], np.bool_)
    return found | texts[column.text.codes[pick]]


def _as_text(column: FeatureColumn) -> Coded:
    """A category sent as a number is the JSON text of that number."""
    is_number = column.state == FeatureState.NUMBER
    if not is_number.any():
        return column.text
    numbers, inverse = np.unique(column.number[is_number], return_inverse=True)
    texts = [json.dumps(int(value) if value == int(value) else value) for value in numbers.tolist()]
    codes = column.text.codes.copy()
    codes[is_number] = inverse + len(column.text.values)
    return Coded(codes, (*column.text.values, *texts))
