"""Telemetry of a made-up fleet of 64 devices: the same events one by one as JSON, in JSON batches, and as Arrow batches.

Of ten events seven are inferences with eight features, two are outcomes, and one is an alert action or a heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from streams.producer import Message
from surveillance.events.partitioning import partition_of
from surveillance.manifest.parse import load_manifest
from surveillance.panes.plan import Plan, plan_of
from surveillance.times import MINUTE_MS, to_text

MANIFEST = Path(__file__).with_name("fleet.manifest.yaml")
PARTITIONS = 8
BATCH = 500
DEVICES, SITES, FEATURES = 64, 12, 8
_SPREAD_MS = 30 * MINUTE_MS
"""The events happened within this time before they are sent."""
_VENDORS, _SETTINGS = ("VendorA", "VendorB", "VendorC", "VendorD"), ("ED", "inpatient", "outpatient")
_JSON = (("content-type", b"application/json"),)
_JSON_BATCH = (("content-type", b"application/json-batch"),)
_ARROW = (("content-type", b"application/vnd.apache.arrow.stream"),)


def fleet_plan() -> Plan:
    """The plan of the manifest that the fleet runs."""
    manifest, _, digest = load_manifest(MANIFEST)
    return plan_of(manifest, digest)


@dataclass(frozen=True)
class Fleet:
    """`now_ms` = when the events are sent; ids begin with `name`."""

    name: str
    now_ms: int
    seed: int = 1

    def single(self, topic: str, events: int) -> Iterator[Message]:
        """One event per record."""
        encode = msgspec.json.Encoder().encode
        for event in self._events(events):
            yield _message(topic, event["device_id"], encode(event), _JSON)

    def json_batches(self, topic: str, events: int) -> Iterator[Message]:
        """Records of 500 events of one device."""
        encode = msgspec.json.Encoder().encode
        for device, some in self._by_device(self._events(events)):
            yield _message(topic, device, encode(some), _JSON_BATCH)

    def arrow_batches(self, topic: str, events: int) -> Iterator[Message]:
        """Records of 500 inferences of one device, dictionary-encoded where texts repeat."""
        for device, some in self._by_device(self._inferences(events)):
            yield _message(topic, device, arrow_stream(some), _ARROW)

    def _by_device(self, events: Iterator[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        gathered: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            mine = gathered.setdefault(event["device_id"], [])
            mine.append(event)
            if len(mine) == BATCH:
                yield event["device_id"], gathered.pop(event["device_id"])

    def _inferences(self, events: int) -> Iterator[dict[str, Any]]:
        kept = (one for one in self._events(2 * events + 20 * BATCH * DEVICES) if one["schema"] == "pms.inference")
        return islice(kept, events + BATCH * DEVICES)

    @cached_property
    def _digest(self) -> str:
        return fleet_plan().digest

    def _events(self, events: int) -> Iterator[dict[str, Any]]:
        rng = np.random.default_rng(self.seed)
        waiting: list[tuple[int, str]] = []
        block = 10_000
        for start in range(0, events, block):
            n = min(block, events - start)
            chance, score = rng.random(n), np.round(rng.random(n), 5)
            features = np.round(np.clip(rng.standard_normal((n, FEATURES)), -5, 5), 4)
            people, device_of = rng.integers(0, 10**6, n), rng.integers(0, DEVICES, n)
            for at in range(n):
                number = start + at
                ms = self.now_ms - _SPREAD_MS + _SPREAD_MS * number // events
                device, name = int(device_of[at]), f"{self.name}-{number:08d}"
                if chance[at] < 0.7 or not waiting:
                    waiting.append((device, name))
                    yield self._inference(device, name, ms, float(score[at]), features[at], int(people[at]))
                elif chance[at] < 0.95:
                    device, about = waiting.pop(int(people[at]) % len(waiting))
                    yield self._about(device, name, ms, about, int(people[at]))
                else:
                    yield self._heartbeat(device, name, ms)

    def _envelope(self, kind: str, device: int, name: str, ms: int) -> dict[str, Any]:
        return {
            "schema": f"pms.{kind}", "schema_version": 2, "event_id": name, "product": "benchmark",
            "site_id": f"site-{device % SITES:02d}", "device_id": f"device-{device:03d}", "release_id": "benchmark-1",
            "event_time": to_text(ms), "sent_time": to_text(ms), "manifest_digest": self._digest,
        }  # fmt: skip

    def _inference(self, device: int, name: str, ms: int, score: float, features: np.ndarray, person: int) -> dict[str, Any]:
        return self._envelope("inference", device, name, ms) | {
            "inference_id": name, "score": score, "alert_raised": score >= 0.5, "threshold_applied": 0.5,
            "features": {f"f{number}": value for number, value in enumerate(features.tolist())},
            "context": {"age_years": 18 + person % 80, "sex": "FM"[person % 2], "setting": _SETTINGS[person % 3]},
            "device_context": {"vendor": _VENDORS[device % 4], "firmware": "7.1.4"},
        }  # fmt: skip

    def _about(self, device: int, name: str, ms: int, about: str, person: int) -> dict[str, Any]:
        if person % 5 == 0:
            return self._envelope("alert_action", device, name, ms) | {
                "action_id": name, "inference_id": about, "action": "ack", "action_time": to_text(ms), "actor_role": "reader",
            }  # fmt: skip
        return self._envelope("outcome", device, name, ms) | {
            "outcome_id": name, "inference_id": about, "label": person % 2, "label_kind": "report", "label_time": to_text(ms),
            "verification": "routine",
        }  # fmt: skip

    def _heartbeat(self, device: int, name: str, ms: int) -> dict[str, Any]:
        return self._envelope("heartbeat", device, name, ms) | {
            "uptime_s": 1, "inferences_since_last": 0, "errors_since_last": 0, "buffer_depth": 0, "releases": [],
        }  # fmt: skip


def arrow_stream(events: Sequence[dict[str, Any]]) -> bytes:
    """Inferences as an Arrow IPC stream of one record batch with dotted columns."""
    columns: dict[str, list[Any]] = {}
    for event in events:
        for name, value in _leaves(event):
            columns.setdefault(name, []).append(value)
    unique = {"event_id", "inference_id"}
    arrays = {}
    for name, values in columns.items():
        array = pa.array(values)
        if name.endswith("_time"):
            array = array.cast(pa.timestamp("ms", tz="UTC"))
        elif pa.types.is_string(array.type) and name not in unique:
            array = array.dictionary_encode()
        arrays[name] = array
    batch = pa.RecordBatch.from_pydict(arrays)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _leaves(event: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in event.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield before + name, value


def _message(topic: str, device: str, value: bytes, headers: tuple[tuple[str, bytes], ...]) -> Message:
    return Message(topic, device.encode(), value, partition_of(device, PARTITIONS), headers)
