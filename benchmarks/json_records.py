"""JSON from Kafka to panes in chDB, beside the floor on the same records."""

from __future__ import annotations

from benchmarks.filled_topic import fill, fresh_topics, now_ms
from benchmarks.fleet import BATCH, Fleet
from benchmarks.result import Claim, Options, Result, ratio
from benchmarks.throughput import Reader, floor, idle_agent, ingest, per_core, raced, stages
from streams.topics import TopicNames

_SINGLE_EVENTS, _BATCH_EVENTS, _AGENT_RECORDS = 100_000, 400_000, 10_000


def json_single(bootstrap: str, options: Options) -> Result:
    """One event per record."""
    events = options.scaled(_SINGLE_EVENTS, 200)
    with fresh_topics(bootstrap) as prefix:
        topic = fill(bootstrap, prefix, Fleet("single", now_ms()).single(TopicNames.under(prefix).telemetry, events))
        readers = {
            "floor": floor(topic, events, batches=False),
            "ingest": ingest(topic, events),
            "idle_agent": idle_agent(topic, min(events, options.scaled(_AGENT_RECORDS, 100))),
        }
        return _result("json-single", "JSON, one event per record, Kafka to panes in chDB, one process", readers, options)


def json_batch(bootstrap: str, options: Options) -> Result:
    """500 events per record."""
    with fresh_topics(bootstrap) as prefix:
        wanted = options.scaled(_BATCH_EVENTS, 64 * BATCH)
        topic = fill(bootstrap, prefix, Fleet("batch", now_ms()).json_batches(TopicNames.under(prefix).telemetry, wanted))
        readers = {"floor": floor(topic, topic.records * BATCH, batches=True), "ingest": ingest(topic, topic.records * BATCH)}
        return _result("json-batch", "JSON batches of 500, Kafka to panes in chDB, one process", readers, options)


def _result(name: str, what: str, readers: dict[str, Reader], options: Options) -> Result:
    figures = raced(readers, options.rounds)
    contenders = {reader: per_core(readers[reader], figures[reader]) for reader in readers}
    for one in figures["ingest"]:
        assert one["counted"] == readers["ingest"].events, "not every event was counted"
    claims = [Claim("of the floor", ratio(contenders["ingest"], contenders["floor"]), 0.6)]
    if "idle_agent" in contenders:
        claims.append(Claim("× a Faust agent that does nothing", ratio(contenders["ingest"], contenders["idle_agent"]), 15))
    return Result(name, what, options.scale, contenders, claims, stages(figures["ingest"]))
