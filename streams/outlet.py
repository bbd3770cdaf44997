"""What ingest sends back to Kafka: refused events to the quarantine topic, strayed ones to their own partition."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Protocol

from streams.producer import Message
from surveillance.events.batch import EventBatch
from surveillance.events.headers import CONTENT_TYPE, Origin, sign_origin
from surveillance.events.partitioning import partition_of
from surveillance.store.protocol import Quarantined
from surveillance.times import to_text

_JSON = (CONTENT_TYPE, b"application/json")
SEND_WITHIN_S = 30.0


class Sender(Protocol):
    """Sends and waits for the broker. `streams.producer.BlockingProducer` is one."""

    def send_all(self, messages: Sequence[Message], within_s: float | None = None) -> None:
        """Raises NotAcknowledged."""


class Outlet:
    """An `Acknowledge` (surveillance.ingest.owned) over a broker: returns when everything is acknowledged."""

    def __init__(self, sender: Sender, telemetry: str, quarantine: str, partitions: int, key: bytes) -> None:
        self._sender, self._telemetry, self._quarantine = sender, telemetry, quarantine
        self._partitions, self._key = partitions, key

    def __call__(self, refused: Sequence[Quarantined], strayed: Sequence[tuple[EventBatch, int]]) -> None:
        messages = [quarantine_message(self._quarantine, one) for one in refused]
        messages += [self._rerouted(batch, row) for batch, row in strayed]
        if messages:
            self._sender.send_all(messages, SEND_WITHIN_S)

    def _rerouted(self, batch: EventBatch, row: int) -> Message:
        device = batch.envelope.text("device_id")
        device_id, value = device.values[device.codes[row]], batch.payloads[row]
        stood = (batch.partition, int(batch.offset[row]), int(batch.index[row]))
        origin = Origin(self._telemetry, *stood, int(batch.broker_ms[row]))
        headers = (_JSON, *sign_origin(origin, value, self._key))
        return Message(self._telemetry, device_id.encode(), value, partition_of(device_id, self._partitions), headers)


def quarantine_message(topic: str, one: Quarantined) -> Message:
    """A refused event as the quarantine topic has it, keyed by its coordinates; original bytes as base64, unless forbidden."""
    body = {
        "tenant": one.tenant,
        "topic": one.topic,
        "partition": one.partition,
        "offset": one.offset,
        "index": one.index,
        "ingest_time": to_text(one.broker_ms),
        "reason": one.reason,
        "detail": one.detail,
        "sha256": one.sha256,
    }
    if one.payload is not None:
        body["payload"] = b64encode(one.payload).decode()
    key = f"{one.topic}/{one.partition}/{one.offset}/{one.index}"
    return Message(topic, key.encode(), json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), headers=(_JSON,))
