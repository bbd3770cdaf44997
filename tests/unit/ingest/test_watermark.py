"""The clocks of a partition: they move with records only, and never backwards."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from surveillance.arrays import NOT_SENT_MS
from surveillance.ingest.watermark import PartitionClock
from surveillance.registry import Registry
from tests.oracle.streams import START_MS, manifest
from tests.oracle.times import format_time
from tests.property.folding import LogRecord, decoded, registration

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def feedback(number, event_ms):
    event = {
        "schema": "pms.feedback", "schema_version": 1, "event_id": f"e{number}", "product": "p", "site_id": "s",
        "device_id": "d", "release_id": "rel-a", "event_time": format_time(START_MS + event_ms),
        "feedback_id": "f", "inference_id": "i", "kind": "k", "theme_code": "t", "severity": "low",
    }  # fmt: skip
    return json.dumps(event).encode()


def fetch(*records):
    """(broker ms, event ms or None for a tick)."""
    tick = json.dumps({"schema": "pms.tick"}).encode()
    return decoded(
        [
            LogRecord(at, START_MS + broker_ms, tick if event_ms is None else feedback(at, event_ms))
            for at, (broker_ms, event_ms) in enumerate(records)
        ]
    )


def clocks(batch, registry=None, clock=None):
    counted = np.ones(len(batch), np.bool_)
    known = Registry([registration(manifest("rm-a", 1, "rel-a"))]) if registry is None else registry
    found = (clock or PartitionClock()).after(batch, counted, known)
    return [(column - START_MS).tolist() for column in found]


def test_the_watermark_is_the_largest_event_time_less_the_out_of_orderness():
    batch = fetch((HOUR_MS, HOUR_MS), (HOUR_MS + 1000, HOUR_MS - 5000), (HOUR_MS + 2000, HOUR_MS + 1500))
    watermark, partition = clocks(batch)
    assert watermark == [HOUR_MS - MINUTE_MS, HOUR_MS - MINUTE_MS, HOUR_MS + 1500 - MINUTE_MS]
    assert partition == [HOUR_MS, HOUR_MS + 1000, HOUR_MS + 2000]


def test_broker_time_bounds_what_a_fast_clock_can_do():
    watermark, _ = clocks(fetch((HOUR_MS, HOUR_MS + 90_000)))
    assert watermark == [HOUR_MS - MINUTE_MS]


def test_a_tick_moves_the_watermark_to_its_own_time():
    watermark, partition = clocks(fetch((0, 0), (2 * HOUR_MS, None)))
    assert (watermark, partition) == ([-MINUTE_MS, 2 * HOUR_MS], [0, 2 * HOUR_MS])


def test_events_that_do_not_count_move_partition_time_alone():
    batch = fetch((0, 0), (HOUR_MS, HOUR_MS))
    counted = np.array([True, False])
    watermark, partition = PartitionClock().after(batch, counted, Registry())
    assert (watermark - START_MS).tolist() == [-MINUTE_MS, -MINUTE_MS]
    assert (partition - START_MS).tolist() == [0, HOUR_MS]


def test_before_anything_is_seen_there_is_no_time():
    batch = fetch((HOUR_MS, HOUR_MS))
    watermark, _ = PartitionClock().after(batch, np.zeros(1, np.bool_), Registry())
    assert watermark.tolist() == [NOT_SENT_MS]


def test_the_largest_out_of_orderness_in_force_at_the_broker_time_counts():
    slow = manifest("rm-b", 1, "rel-b")
    slow["surveillance"]["telemetry"]["out_of_orderness"] = "PT10M"
    known = Registry([registration(manifest("rm-a", 1, "rel-a")), registration(slow, START_MS + HOUR_MS)])
    batch = fetch((HOUR_MS - 1, HOUR_MS - 1), (2 * HOUR_MS, 2 * HOUR_MS))
    assert clocks(batch, known)[0] == [HOUR_MS - 1 - MINUTE_MS, 2 * HOUR_MS - 10 * MINUTE_MS]


@given(st.lists(st.tuples(st.integers(0, HOUR_MS), st.one_of(st.none(), st.integers(0, HOUR_MS))), min_size=1, max_size=20))
def test_neither_clock_goes_backwards_and_looking_moves_neither(records):
    clock = PartitionClock(START_MS + 1000, START_MS + 2000)
    watermark, partition = clocks(fetch(*records), clock=clock)
    assert sorted(watermark) == watermark
    assert sorted(partition) == partition
    assert watermark[0] >= 1000
    assert partition[0] >= 2000
    assert (clock.watermark_ms, clock.partition_ms) == (START_MS + 1000, START_MS + 2000)
