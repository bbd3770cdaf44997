"""The bins of a reference distribution, as contract/semantics.md says it."""

from __future__ import annotations

import numpy as np

from surveillance.events.batch import Coded, Kind
from surveillance.ingest.reference_bins import category_bins, feature_increments, number_bins
from surveillance.manifest.parse import parse_manifest
from surveillance.panes.statistics import FeatureTail
from tests.oracle.streams import manifest
from tests.property.deciding import inference
from tests.property.folding import decoded, log_of

BINS = 5  # of px; three of view


def test_bins_are_closed_on_the_left_the_last_also_on_the_right_and_the_ends_take_what_is_beyond():
    edges = [0.0, 1.0, 2.0, 3.0]
    values = np.array([-9.0, 0.0, 0.999, 1.0, 2.0, 3.0, 3.5, np.inf])
    assert number_bins(edges, values).tolist() == [0, 0, 0, 1, 2, 2, 2, 2]


def test_a_category_the_reference_does_not_name_is_other_and_what_was_not_sent_is_none():
    text = Coded(np.array([0, 1, 2, -1], np.int32), ("PA", "LAT", "other"))
    codes, sent = category_bins(["PA", "AP", "other"], text)
    assert codes[sent].tolist() == [0, 2, 2]
    assert sent.tolist() == [True, True, True, False]
    assert category_bins(["PA", "AP"], text)[0][:2].tolist() == [0, 2], "one bin more where the reference names no other"


def counts_of(name, *values):
    """The feature's vector over inferences that sent these values; `...` = not sent."""
    features = [{} if value is ... else {name: value} for value in values]
    batch = decoded(log_of([inference(at, at, features=sent) for at, sent in enumerate(features)]))
    columns = batch.kinds[Kind.INFERENCE]
    read = parse_manifest(manifest("rm-a", 1, "rel-a"))
    length = (BINS if name == "px" else 3) + len(FeatureTail)
    total = np.zeros(length, np.int64)
    for column, weight, where in feature_increments(read, name, columns.feature(name), np.arange(len(columns.rows))):
        assert weight is None
        at = np.broadcast_to(column, (len(columns.rows),))
        total += np.bincount(at[where if where is not None else slice(None)], minlength=length)
    return total[: -len(FeatureTail)].tolist(), dict(zip(FeatureTail, total[-len(FeatureTail) :].tolist(), strict=True))


def test_null_and_sentinels_are_missing_and_absent_is_apart():
    bins, tail = counts_of("px", 0.0, None, -9, ..., -9.0)
    assert bins == [0, 0, 1, 0, 0]
    assert tail == {
        FeatureTail.MISSING: 3, FeatureTail.SENTINEL: 2, FeatureTail.ABSENT: 1, FeatureTail.OUT_OF_RANGE: 0, FeatureTail.SENT: 4,
        FeatureTail.NUMBERS: 1,
    }  # fmt: skip


def test_out_of_range_is_counted_and_still_binned():
    bins, tail = counts_of("px", 4.0, 4.1, -4.0, -4.5)
    assert bins == [2, 0, 0, 0, 2]
    assert tail[FeatureTail.OUT_OF_RANGE] == 2
    assert tail[FeatureTail.MISSING] == 0


def test_text_where_a_number_belongs_is_missing():
    bins, tail = counts_of("px", "high", 0.0)
    assert sum(bins) == 1
    assert tail[FeatureTail.MISSING] == 1


def test_a_category_sent_as_a_number_is_its_text():
    bins, tail = counts_of("view", "PA", "AP", "LAT", 7, None)
    assert bins == [1, 1, 2]
    assert tail[FeatureTail.MISSING] == 1
