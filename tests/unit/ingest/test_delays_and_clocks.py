"""What ingest keeps of delays and clocks: log bins with an edge at each limit, and the same delay before and after a restart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.replay import ReplayRecord
from surveillance.events.decode import decode
from surveillance.events.limits import DecodeLimits
from surveillance.ingest.contributions.log_binned import log_binned
from surveillance.ingest.join import delay_of
from surveillance.ingest.owned import LogPartition, OwnedPartition
from surveillance.manifest.parse import read_document
from surveillance.panes import statistics
from surveillance.panes.log_bins import LONGEST_DELAY_MS, LONGEST_OFFSET_MS, limits_text, log_bins, log_edges
from surveillance.panes.statistics import Delays
from surveillance.registering import registration_of
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.times import MINUTE_MS
from tests.scenario.test_use_and_operation import ACK, CERTIFICATE, CLOCK, MONDAY_MS, WARD, ack, inference, manifest

LIMITS = st.lists(st.floats(0.001, 1e9), max_size=4)


@given(LIMITS, st.integers(0, LONGEST_DELAY_MS))
def test_a_bin_lies_wholly_on_one_side_of_every_limit(limits, value):
    edges = log_edges(limits_text(limits), LONGEST_DELAY_MS)
    at = int(log_bins(edges, np.array([value]))[0])
    assert value <= edges[at]
    assert at == 0 or edges[at - 1] < value
    for limit in limits:
        assert (value > limit) == (edges[at] > limit)


@given(LIMITS, st.integers(1, LONGEST_OFFSET_MS))
def test_a_bin_is_no_wider_than_half_of_what_is_in_it_or_a_millisecond(limits, value):
    edges = log_edges(limits_text(limits), LONGEST_OFFSET_MS)
    at = int(log_bins(edges, np.array([value]))[0])
    assert edges[at] - edges[at - 1] <= max(1, 0.5 * edges[at - 1])


@pytest.mark.parametrize("odd", [1e308, np.inf, -np.inf, np.nan, -5.0])
def test_what_is_too_long_counts_as_the_longest_and_what_is_no_number_not_at_all(odd):
    edges = log_edges("", LONGEST_DELAY_MS)
    counted, summed = log_binned(edges, np.array([odd, 7.0]), np.array([True, True]))
    assert counted.where.tolist() == [np.isfinite(odd), True]
    assert summed.weight[0] in (0, LONGEST_DELAY_MS)
    assert summed.weight[1] == 7


def test_a_delay_is_what_the_action_says_else_the_time_between_and_never_negative():
    event_ms = np.array([1000, 1000, 1000, 1000])
    when_ms = np.array([4000, 500, -1, -1 - 250])
    assert delay_of(event_ms, when_ms).tolist() == [3000, 0, 0, 250]


@pytest.mark.parametrize("metric", [CLOCK, CERTIFICATE])
def test_a_monitor_of_devices_does_not_split_the_cells_of_inferences(metric):
    limit = {"above": 9} if metric is CLOCK else {"below": 9}
    window = {"window": "w1h"} if metric is CLOCK else {}
    document = manifest(metric, limit, by=["device", "gateway"], **window)
    kept = read_document(WARD)["surveillance"]["monitors"][0]
    document["surveillance"]["monitors"].append(kept)
    plan = registration_of(document, "m").plan
    assert any(plan.of_family(statistics.CLOCKS if metric is CLOCK else statistics.LOWEST))
    assert plan.inference_axes == ("site",)


@pytest.mark.parametrize(("said", "delay_ms"), [({}, 120_000), ({"latency_from_alert_ms": 5_000}, 5_000)])
def test_an_answer_that_waits_for_its_alert_keeps_its_delay_over_a_restart(said, delay_ms):
    document = manifest(ACK, {"above": 900}, window="w1h")
    registry, store = Registry([registration_of(document, "m")]), MemoryStore()
    at = LogPartition("log", "telemetry", 0, 1)
    answered = ack(MONDAY_MS + 3 * MINUTE_MS, "i-1", **said)
    alert = (MONDAY_MS + 10 * MINUTE_MS, inference(MONDAY_MS + MINUTE_MS, "i-1")[1])
    for offset, (arrival_ms, line) in enumerate([answered, alert]):
        owned = OwnedPartition(at, store, registry)  # a worker that has nothing in memory
        record = ReplayRecord(offset, arrival_ms, line)
        owned.take(
            decode([record], partition=0, limits=DecodeLimits(), forbidden=frozenset(), time_source="append", header_key=None)
        )
        owned.flush(lambda refused, elsewhere: None)
    (row,) = [row for row in store.read_panes("log") if row.key.statistic.startswith(statistics.DELAYS)]
    edges = log_edges("900000", LONGEST_DELAY_MS)
    assert row.counts[Delays.ACKNOWLEDGED] == 1
    assert row.counts[len(Delays) + len(edges) :].sum() == delay_ms
