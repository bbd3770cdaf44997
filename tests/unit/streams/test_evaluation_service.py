"""Evaluation of several partitions that stop, fall behind and come back, over restarts and beside another evaluator."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from streams.evaluation_service import EvaluationService
from surveillance.evaluation.global_clock import LogShape
from surveillance.ingest.owned import LogPartition, OwnedPartition
from surveillance.registry import Registry
from surveillance.store.memory import MemoryStore
from surveillance.times import to_text
from tests.oracle.streams import START_MS
from tests.property.deciding import HOUR_MS, MINUTE_MS, inference, monitor, outcome, release, tick
from tests.property.folding import accept_all, decoded, log_of, registration

LOG_ID = "log"
IDENTITY = monitor("identity", {"type": "identity_mismatch", "fields": ["model_digest"]}, {"pause": {"ge": 1}}, window="w1h")
WRONG: dict[str, Any] = {"model_digest": "sha256:" + "9" * 64}
STALLED = "system.partition_stalled"


class Field:
    """Two partitions of a log, written to as workers write, and evaluators that may be started anew at any time."""

    def __init__(self, *documents: dict[str, Any], started_ms: int | None = START_MS) -> None:
        self.store = MemoryStore()
        self.registry = Registry(registration(document) for document in documents or (release(IDENTITY),))
        self.log = LogShape(2, started_ms)
        self.offsets = [0, 0]

    def write(self, partition: int, *lines: bytes, stopped: str = "") -> None:
        """A worker takes the partition over, folds the lines, and flushes."""
        at = LogPartition(LOG_ID, "pms.telemetry", partition, 1)
        owned = OwnedPartition(at, self.store, self.registry)
        first = self.offsets[partition]
        records = [log_of([line])[0] for line in lines]
        moved = [type(one)(first + number, one.timestamp, one.value) for number, one in enumerate(records)]
        self.offsets[partition] += len(lines)
        owned.go_on()
        if moved:
            owned.take(decoded(moved, partition=partition))
        if stopped:
            owned.stop(stopped)
        owned.flush(accept_all)

    def evaluator(self) -> EvaluationService:
        return EvaluationService(self.store, self.registry, LOG_ID, self.log)

    def status(self, name: str) -> dict[str, Any]:
        rows: list[dict[str, Any]] = [json.loads(row.body) for row in self.store.read_status(LOG_ID) if row.key[0] == "1"]
        (found,) = [one for one in rows if one["monitor_id"] == name]
        return found

    def summary(self) -> dict[str, Any]:
        (found,) = [json.loads(row.body) for row in self.store.read_status(LOG_ID) if row.key[0] == "2"]
        return dict(found)

    def incidents(self) -> list[tuple[str, str]]:
        lines = [json.loads(one.body)["line"] for one in self.store.history("incident_events")]
        return [(line["monitor_id"], line["state"]) for line in lines]


def states(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["monitor_id"], line["state"]) for line in lines if line["kind"] == "incident"]


Restart = Callable[[Field, EvaluationService], EvaluationService]
LIVES = pytest.mark.parametrize("restarted", [lambda field, one: one, lambda field, one: field.evaluator()], ids=["on", "anew"])


@LIVES
def test_a_window_that_closes_without_a_partition_may_be_breached_and_is_met_only_when_it_comes_in(restarted: Restart) -> None:
    field = Field(release(IDENTITY), release(IDENTITY) | {"manifest_id": "rm-b"})
    service = field.evaluator()
    field.write(1, inference("far", 0), tick(MINUTE_MS))
    field.write(0, inference("near", MINUTE_MS), tick(HOUR_MS + MINUTE_MS))
    assert states(service.step()) == [(STALLED, "open")]
    assert field.status("identity")["reason"] == "partial"
    service = restarted(field, service)
    field.write(1, tick(HOUR_MS + 2 * MINUTE_MS))
    field.write(0, tick(HOUR_MS + 2 * MINUTE_MS))
    assert states(service.step()) == [(STALLED, "resolved")]
    assert field.status("identity")["verdict"] == "met"


@LIVES
def test_an_incident_opens_on_a_partial_window_and_resolves_when_the_partition_brings_time_alone(restarted: Restart) -> None:
    quick = IDENTITY | {"persistence": {"k": 1, "of": 1, "clear_after": 1}}
    field = Field(release(quick))
    service = field.evaluator()
    field.write(1, inference("far", 0), tick(MINUTE_MS))
    field.write(0, inference("wrong", MINUTE_MS, **WRONG), inference("right", HOUR_MS + MINUTE_MS), tick(2 * HOUR_MS))
    assert ("identity", "open") in states(service.step())
    assert ("identity", "resolved") not in field.incidents()
    service = restarted(field, service)
    field.write(1, tick(2 * HOUR_MS))
    assert ("identity", "resolved") in states(service.step())


@LIVES
def test_a_window_whose_labels_become_old_enough_is_decided_then(restarted: Restart) -> None:
    sens = {"type": "proportion_vs_floor", "event": "sensitivity", "require_mature": True}
    watched = monitor("sens", sens, {"pause": {"ci_upper_below": 0.9}}, window="w1h", min_n=2, persistence={"k": 1, "of": 1})
    document = release(watched)
    document["baselines"]["label_latency"]["maturity"] = {"coverage_min": 0.99, "or_age": "PT3H"}
    field = Field(document, started_ms=None)
    service = field.evaluator()
    missed = [line for n in range(8) for line in (inference(n, n * MINUTE_MS, 0.2), outcome(n, 1, n * MINUTE_MS + 1000))]
    unlabelled = [inference(f"u{n}", 9 * MINUTE_MS, 0.2) for n in range(4)]
    field.write(0, *missed, *unlabelled, tick(HOUR_MS + MINUTE_MS))
    field.write(1, tick(HOUR_MS + MINUTE_MS))
    assert states(service.step()) == []
    assert field.status("sens")["reason"] == "immature_labels"
    service = restarted(field, service)
    for partition in (0, 1):
        field.write(partition, tick(4 * HOUR_MS + MINUTE_MS))
    assert states(service.step()) == [("sens", "open")]
    service = restarted(field, service)
    for partition in (0, 1):
        field.write(partition, tick(4 * HOUR_MS + 2 * MINUTE_MS))
    assert states(service.step()) == []


@LIVES
@pytest.mark.parametrize("started_ms", [START_MS, None], ids=["append time", "header time"])
def test_a_stopped_partition_opens_one_incident_until_it_moves_again(restarted: Restart, started_ms: int | None) -> None:
    field = Field(started_ms=started_ms)
    service = field.evaluator()
    field.write(0, inference("a", 0), tick(MINUTE_MS))
    field.write(1, inference("b", 0), tick(MINUTE_MS), stopped="quarantine_limit: 9 of 9")
    assert states(service.step()) == [(STALLED, "open"), ("system.quarantine_limit", "open")]
    service = restarted(field, service)
    field.write(0, tick(2 * MINUTE_MS))
    assert states(service.step()) == []
    field.write(1, tick(3 * MINUTE_MS))
    assert states(service.step()) == [(STALLED, "resolved"), ("system.quarantine_limit", "resolved")]


def test_a_partition_that_is_refused_from_its_first_event_on_pages_though_there_is_no_watermark_yet() -> None:
    field = Field()
    field.write(0, b"rubbish", stopped="quarantine_limit: 1 of 1")
    found = field.evaluator().step()
    assert states(found) == [(STALLED, "open"), ("system.quarantine_limit", "open")]
    assert field.summary()["quarantined"] == {"not_json": 1}
    assert field.summary()["watermark"] is None


def test_two_evaluators_open_and_resolve_one_incident_between_them() -> None:
    field = Field()
    both = [field.evaluator(), field.evaluator()]
    field.write(0, inference("a", 0), tick(MINUTE_MS))
    field.write(1, inference("b", 0), tick(MINUTE_MS), stopped="ledger_gap: 3 to 5")
    for _ in range(2):
        both[0].step()
        field.write(0, tick(2 * MINUTE_MS))
        both[1].step()
    field.write(1, tick(3 * MINUTE_MS))
    for one in both:
        one.step()
        field.write(0, tick(4 * MINUTE_MS))
    expected = [(name, state) for state in ("open", "resolved") for name in ("system.ledger_gap", STALLED)]
    assert sorted(field.incidents()) == sorted(expected)


def test_silence_runs_on_the_largest_partition_time_though_the_watermark_stands() -> None:
    silent = monitor("silent", {"type": "heartbeat_gap"}, {"pause": {"missed": 3}}, by=["device"])
    field = Field(release(silent), started_ms=None)
    service = field.evaluator()
    counts = {"uptime_s": 1, "inferences_since_last": 1, "errors_since_last": 0, "buffer_depth": 0, "releases": []}
    beat = json.loads(inference("x", 0)) | {"schema": "pms.heartbeat"} | counts
    field.write(0, json.dumps(beat).encode())
    field.write(1, tick(MINUTE_MS))
    assert states(service.step()) == []
    stands = field.summary()["watermark"]
    field.write(1, tick(HOUR_MS))
    assert states(service.step()) == [("silent", "open")]
    assert field.summary()["watermark"] == stands


def test_the_watermark_of_a_restarted_evaluator_does_not_fall_behind_what_was_judged() -> None:
    field = Field()
    field.write(1, inference("b", 0), tick(MINUTE_MS))
    field.write(0, inference("a", 0), tick(HOUR_MS))
    field.evaluator().step()
    assert field.summary()["watermark"] == to_text(START_MS + HOUR_MS)
    field.write(1, tick(59 * MINUTE_MS))  # back, and behind
    field.evaluator().step()
    assert field.summary()["watermark"] == to_text(START_MS + HOUR_MS)
