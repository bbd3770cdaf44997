"""The pipeline of production on a log in memory: its sink, its evaluator, its outlet and its outbox, one step at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streams.demo_story import PARTITIONS, Slice
from streams.evaluation_service import EvaluationService
from streams.header_key import header_key
from streams.outbox import Outbox
from streams.outlet import Outlet
from streams.partitioned_log import LogConsumer, PartitionedLog
from streams.producer import Message
from streams.registrar import Registrar
from streams.sink_lane import SinkLane
from streams.telemetry_sink import TelemetrySink
from streams.topics import TopicNames, planned_topics
from surveillance.evaluation.global_clock import LogShape
from surveillance.incidents.lines import Line
from surveillance.ingest.owned import LogPartition
from surveillance.log_identity import record_log
from surveillance.manifest.digest import canonical_bytes
from surveillance.registry import Registry
from surveillance.store.protocol import Store

LOG_ID = "in-process/pms.telemetry/1"
PREFIX = "pms."


class DemoPipeline:
    """All calls come from one thread. `topic` is the telemetry's."""

    def __init__(self, store: Store, document: Mapping[str, Any], now_ms: int) -> None:
        """Registers the manifest `document`. Raises InvalidManifest, StoreUnavailable."""
        names = TopicNames.under(PREFIX)
        self.topic = names.telemetry
        self.log = PartitionedLog({plan.name: plan.partitions for plan in planned_topics(PREFIX, PARTITIONS)})
        record_log(store, LOG_ID, names.telemetry, PARTITIONS, now_ms)
        registry = Registry()
        Registrar(registry, store, allow_unsigned=True, header_time=True)(canonical_bytes(document), now_ms)
        key = header_key(store, now_ms)
        sink = TelemetrySink(
            LogPartition(LOG_ID, names.telemetry, 0, PARTITIONS),
            store,
            registry,
            Outlet(self.log, names.telemetry, names.quarantine, PARTITIONS, key),
            time_source="header",
            header_key=key,
        )
        self._consumer = LogConsumer(self.log, names.telemetry, sink)
        self._evaluation = EvaluationService(store, registry, LOG_ID, LogShape(PARTITIONS, None))
        self._outbox = Outbox(store, LOG_ID, self.log, names.incidents, names.triggers)

    def step(self, messages: Sequence[Message]) -> list[Line]:
        """Publish, fold, judge, deliver. Returns the incident and trigger lines that were decided.

        Raises StoreUnavailable or QuarantineLimit.
        """
        self.log.send_all(messages)
        self._consumer.drain()
        decided = self._evaluation.step()
        self._outbox.deliver(decided)
        return decided


class InMemoryStage:
    """A `Stage`: the pipeline on a thread of its own, so that the page answers meanwhile."""

    def __init__(self, store: Store, pipeline: DemoPipeline, lane: SinkLane) -> None:
        self.store, self.topic = store, pipeline.topic
        self._pipeline, self._lane = pipeline, lane

    async def advance(self, part: Slice) -> Sequence[Line]:
        """See `Stage`. Raises what the pipeline raises."""
        return await self._lane.call(self._pipeline.step, part.messages)
