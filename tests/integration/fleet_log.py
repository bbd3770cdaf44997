"""A log made up for the kill test, with the truth about each event in it: as sets of ids, known without any of our code.

Forty devices send inferences, outcomes (some before their inference), alert actions and heartbeats; some events come again,
some late, some cannot be read, some stand in another device's partition, some five hundred in one record.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from streams.producer import Message
from surveillance.events.partitioning import partition_of
from tests.oracle.streams import manifest, monitors
from tests.oracle.times import format_time, parse_time

START_MS = parse_time("2026-03-02T00:00:00Z")
STEP_MS = 4_000
LATE_BY_MS = 7 * 3_600_000
"""The manifest allows six hours."""
BATCH = 500
RELEASE = "kill-1"
WATCHED = ("drift.score", "sens", "burden", "silent", "dup", "cusum.miss")
_NO_SCORE = {"inference_id": "x", "features": {}, "alert_raised": True, "threshold_applied": 0.5}
EventId = tuple[str, str]
"""(device, event id)"""


def kill_manifest() -> dict[str, Any]:
    """A few monitors of each kind of statistic: what is tested is who counts, not how much."""
    return manifest("rm-kill", 1, RELEASE, watched=[one for one in monitors() if one["id"] in WATCHED])


@dataclass
class Truth:
    """What must become of the events: ids that count once, ids that are late, how many repeat, how many are refused."""

    counted: set[EventId] = field(default_factory=set)
    late: set[EventId] = field(default_factory=set)
    duplicates: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    produced: int = 0


class FleetLog:
    """Gives the log chunk by chunk; the same seed gives the same log."""

    def __init__(self, topic: str, partitions: int, seed: int) -> None:
        self.truth = Truth()
        self.topic, self._partitions, self._rng = topic, partitions, random.Random(seed)
        self._sent = Counter[str]()
        self._sendable: list[tuple[str, bytes]] = []
        self._unlabelled: dict[str, list[str]] = {}
        self._made: list[EventId] = []
        self.last_ms = START_MS

    def chunks(self, events: int, chunk: int) -> Iterator[list[Message]]:
        """Records of about `chunk` events each, `events` in all."""
        while self.truth.produced < events:
            goal = min(events, self.truth.produced + chunk)
            messages: list[Message] = []
            while self.truth.produced < goal:
                if goal - self.truth.produced > BATCH and self._rng.random() < 0.0004:
                    messages.append(self._batch())
                else:
                    messages += self._one()
            yield messages

    def _one(self) -> list[Message]:
        device = f"dev-{self._rng.randrange(40):02d}"
        chance = self._rng.random()
        self.last_ms = START_MS + self.truth.produced * STEP_MS
        if chance < 0.03 and len(self._sendable) > 10:
            device, line = self._rng.choice(self._sendable[-1_000:])
            self.truth.produced += 1
            self.truth.duplicates += 1
            return [self._message(device, line)]
        if chance < 0.04:
            return [self._unreadable(device)]
        is_late = chance < 0.055
        lines = self._event(device, self.last_ms - (LATE_BY_MS if is_late else 0), is_late)
        return [self._message(device, line) for line in lines]

    def _batch(self) -> Message:
        device = f"dev-{self._rng.randrange(40):02d}"
        self.last_ms = START_MS + self.truth.produced * STEP_MS
        lines = [self._inference(device, self.last_ms)[1] for _ in range(BATCH)]
        self._note()
        return self._message(device, b"[" + b",".join(lines) + b"]", b"application/json-batch")

    # one event ----------------------------------------------------------------------------------------------
    def _event(self, device: str, event_ms: int, is_late: bool) -> list[bytes]:
        """One line; or an outcome followed by the inference it belongs to."""
        chance, waiting = self._rng.random(), self._unlabelled.setdefault(device, [])
        if chance < 0.70 or is_late:
            name, line = self._inference(device, event_ms)
            made = [line]
            if not is_late and chance < 0.02:
                outcome = self._outcome(device, event_ms, name)
                made = [outcome, line]
            elif not is_late:
                waiting.append(name)
        elif chance < 0.88 and waiting:
            made = [self._outcome(device, event_ms, waiting.pop(self._rng.randrange(len(waiting))))]
        elif chance < 0.94 and waiting:
            action = {"action_id": "a", "inference_id": waiting[-1], "action": "ack", "action_time": format_time(event_ms)}
            made = [self._line(device, "pms.alert_action", event_ms, action | {"actor_role": "reader"})]
        else:
            beat = {"uptime_s": 1, "inferences_since_last": 1, "errors_since_last": 0, "buffer_depth": 0, "releases": []}
            made = [self._line(device, "pms.heartbeat", event_ms, beat)]
        self._sendable += [(device, line) for line in made]
        self._note(late=is_late)
        return made

    def _note(self, *, late: bool = False) -> None:
        """The events made since the last call count, or are late."""
        (self.truth.late if late else self.truth.counted).update(self._made)
        self.truth.produced += len(self._made)
        self._made.clear()

    def _line(self, device: str, schema: str, event_ms: int, body: dict[str, Any]) -> bytes:
        self._sent[device] += 1
        event_id = f"e{self._sent[device]}"
        self._made.append((device, event_id))
        envelope = {
            "schema": schema, "schema_version": 1, "event_id": event_id, "product": "cxr", "site_id": f"site-{device[-1]}",
            "device_id": device, "release_id": RELEASE, "event_time": format_time(event_ms), "gateway_id": f"gw-{device[-2]}",
        }  # fmt: skip
        return json.dumps(envelope | body, separators=(",", ":")).encode()

    def _inference(self, device: str, event_ms: int) -> tuple[str, bytes]:
        name, score = f"i{self._sent[device]}", round(self._rng.random(), 4)
        body = {
            "inference_id": name, "score": score, "alert_raised": score > 0.7, "threshold_applied": 0.7,
            "features": {"px": round(self._rng.gauss(0, 1), 3), "view": "PA"},
            "context": {"age_years": self._rng.randrange(18, 95)}, "encounter_token": f"t{self._sent[device] // 3}",
        }  # fmt: skip
        return name, self._line(device, "pms.inference", event_ms, body)

    def _outcome(self, device: str, event_ms: int, inference: str) -> bytes:
        body = {
            "outcome_id": "o", "inference_id": inference, "label": int(self._rng.random() < 0.3), "label_kind": "report",
            "label_time": format_time(event_ms),
        }  # fmt: skip
        return self._line(device, "pms.outcome", event_ms, body)

    def _unreadable(self, device: str) -> Message:
        line = self._line(device, "pms.inference", self.last_ms, _NO_SCORE)
        self._made.clear()
        self.truth.produced += 1
        reason, value = self._rng.choice([
            ("not_json", b'{"schema": "pms.inf'),
            ("field_missing:score", line),
            ("release_unknown", line.replace(RELEASE.encode(), b"never-registered").replace(b'"x"', b'"x","score":0.5')),
            ("schema_unknown", line.replace(b"pms.inference", b"pms.unheard")),
        ])  # fmt: skip
        self.truth.quarantined[reason] += 1
        return self._message(device, value)

    def _message(self, device: str, value: bytes, kind: bytes = b"application/json") -> Message:
        home = partition_of(device, self._partitions)
        partition = (home + 1) % self._partitions if self._rng.random() < 0.002 else home
        headers = (("content-type", kind), ("pms-ingest-time", format_time(self.last_ms).encode()))
        return Message(self.topic, device.encode(), value, partition, headers)
