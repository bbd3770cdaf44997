"""Reads lines in order of arrival and puts each event in exactly one class: quarantined, duplicate, late, counted."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from .policy import Policy, Registry
from .times import DAY_MS, InvalidTime, parse_time

FIELD_USE = ("active", "canary")
ENVELOPE = ("event_id", "product", "site_id", "device_id", "release_id", "event_time")
REQUIRED = {
    "pms.inference": ("inference_id", "score", "alert_raised", "threshold_applied", "features"),
    "pms.outcome": ("outcome_id", "inference_id", "label", "label_kind", "label_time"),
    "pms.alert_action": ("action_id", "inference_id", "action", "action_time", "actor_role"),
    "pms.heartbeat": ("uptime_s", "inferences_since_last", "errors_since_last", "buffer_depth", "releases"),
    "pms.adverse_event": ("ae_id", "reported_at", "awareness_at", "seriousness"),
    "pms.feedback": ("feedback_id", "inference_id"),
    "pms.deployment": (),
    "pms.config_change": (),
    "pms.correction": ("corrects",),
    "pms.withdrawal": ("encounter_token",),
}
WORDS = {
    "mode": ("active", "shadow", "parallel", "canary", "drill"),
    "label_kind": ("reference_standard", "report", "code", "clinician_read"),
    "verification": ("flagged", "random_sample", "routine", "incidental"),
    "action": ("delivered", "displayed", "ack", "override", "dismiss", "escalate", "snooze", "expired"),
}
LONGEST = {"event_id": 64, "inference_id": 64, "product": 128, "site_id": 128, "device_id": 128, "release_id": 128}
TEXTS = (*ENVELOPE[:-1], "inference_id", "outcome_id", "action_id", "gateway_id", "tenant", "encounter_token", "manifest_digest")
TIMES = ("event_time", "sent_time", "ingest_time", "label_time", "action_time")
MUST_HAVE = {"schema", "schema_version", *ENVELOPE, *(name for names in REQUIRED.values() for name in names)}
KIND_RANK = {"reference_standard": 3, "clinician_read": 2, "report": 1, "code": 0}
ACTIONED = ("ack", "override", "dismiss", "escalate")


@dataclass
class Label:
    """One outcome that joined; `arrival_ms` is the broker time of the record that completed the join."""

    position: int
    arrival_ms: int
    value: int
    kind: str
    revision: int
    verification: str

    @property
    def precedence(self) -> tuple[int, int, int]:
        return (KIND_RANK[self.kind], self.revision, -self.position)


@dataclass
class Event:
    """An event that was not quarantined. Inferences gather their labels and actions here; `touched` grows with each change.

    `ack_delay_ms` is that of the first acknowledgement of an alert, `offset_ms` the sender's clock against the broker's.
    """

    position: int
    kind: str
    standing: str
    policy: Policy
    event_ms: int
    broker_ms: int
    document: dict[str, Any]
    touched: int
    encounter: bool = False
    onset: bool = False
    labels: list[Label] = field(default_factory=list)
    actions: set[str] = field(default_factory=set)
    ack_delay_ms: int | None = None
    offset_ms: int = 0

    @property
    def device(self) -> tuple[str, str]:
        return (self.document.get("tenant") or "default", self.document["device_id"])

    @property
    def field_use(self) -> bool:
        return self.document.get("mode", "active") in FIELD_USE

    @property
    def alert(self) -> bool:
        return bool(self.document["alert_raised"])

    @property
    def score(self) -> float:
        return float(self.document["score"])

    @property
    def label(self) -> Label | None:
        return max(self.labels, key=lambda label: label.precedence, default=None)

    @property
    def label_arrival_ms(self) -> int | None:
        return min(self.labels, key=lambda label: label.position).arrival_ms if self.labels else None

    @property
    def actioned(self) -> bool:
        return self.alert and any(action in self.actions for action in ACTIONED)


class Rejected(Exception):
    """The line is quarantined; the argument is the reason code."""


def read_document(line: bytes | str) -> dict[str, Any]:
    """The JSON object of a line, optional nulls left out. Literal NaN and Infinity are read: a score can be named for them."""
    try:
        document = json.loads(line)
    except RecursionError as error:
        raise Rejected("too_deep") from error
    except ValueError as error:
        raise Rejected("not_json") from error
    if not isinstance(document, dict):
        raise Rejected("not_json")
    return {name: value for name, value in document.items() if value is not None or name in MUST_HAVE}


def validate(document: dict[str, Any]) -> None:
    """Raises Rejected with the first reason in the order kind, version, missing, invalid, not finite, time."""
    if "schema" not in document:
        raise Rejected("field_missing:schema")
    if document["schema"] not in REQUIRED:
        raise Rejected("schema_unknown")
    if "schema_version" not in document:
        raise Rejected("field_missing:schema_version")
    if type(document["schema_version"]) is not int:
        raise Rejected("field_invalid:schema_version")
    if document["schema_version"] not in (1, 2):
        raise Rejected("version_unknown")
    for name in (*ENVELOPE, *REQUIRED[document["schema"]]):
        if name not in document:
            raise Rejected(f"field_missing:{name}")
    for name, value in document.items():
        if not _valid(name, value):
            raise Rejected(f"field_invalid:{name}")
    if document["schema"] == "pms.inference":
        _validate_score(document["score"])


def _valid(name: str, value: object) -> bool:
    if name in TEXTS:
        return isinstance(value, str) and len(value) <= LONGEST.get(name, 2**31)
    if name in WORDS:
        return value in WORDS[name]
    if name == "alert_raised":
        return isinstance(value, bool)
    if name in ("score", "threshold_applied"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if name == "features":
        return isinstance(value, dict) and all(_feature_valid(item) for item in value.values())
    if name == "label":
        return value in (0, 1) and not isinstance(value, bool)
    return True


def _feature_valid(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or isinstance(value, str) or (isinstance(value, int | float) and math.isfinite(value))


def _validate_score(score: float) -> None:
    if not math.isfinite(score):
        raise Rejected("score_not_finite")
    if not 0 <= score <= 1:
        raise Rejected("field_invalid:score")


def read_times(document: dict[str, Any]) -> dict[str, int]:
    """Every time of the envelope and kind that was sent, in ms."""
    try:
        return {name: parse_time(document[name]) for name in TIMES if name in document}
    except InvalidTime as error:
        raise Rejected("time_invalid") from error


def broker_time(document: dict[str, Any]) -> int | None:
    """`ingest_time`, else `sent_time`, else `event_time`; None when that one cannot be read."""
    for name in ("ingest_time", "sent_time", "event_time"):
        if name in document:
            try:
                return parse_time(document[name])
            except InvalidTime:
                return None
    return None


class Ledger:
    """Folds lines one at a time. `until_ms`: records that arrive after it are not read."""

    def __init__(self, registry: Registry, until_ms: int | None = None) -> None:
        self.registry = registry
        self.until_ms = until_ms
        self.events: list[Event] = []
        self.clocks: list[Event] = []
        self.summary: Counter[str] = Counter()
        self.quarantined: Counter[str] = Counter()
        self.watermark_ms: int | None = None
        self.partition_ms: int | None = None
        self.touches = 0
        self._position = 0
        self._reading = True
        self._stands: dict[tuple[str, str, str], list[int]] = defaultdict(list)
        self._inferences: dict[tuple[str, str, str], Event] = {}
        self._waiting: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
        self._tokens: dict[tuple[str, str, str], list[Event]] = defaultdict(list)

    def feed(self, line: bytes | str) -> None:
        """One line of input; blank lines are none."""
        if not line.strip():
            return
        self._position += 1
        try:
            document = read_document(line)
        except Rejected as rejected:
            if self._reading:
                self._quarantine(str(rejected))
            return
        broker_ms = broker_time(document)
        self._reading = self._reading if broker_ms is None else self.until_ms is None or broker_ms <= self.until_ms
        if not self._reading:
            return
        if document.get("schema") == "pms.tick":
            self._tick(broker_ms)
            return
        self._move_partition(broker_ms)
        self._read_clock(document)
        try:
            self._admit(document)
        except Rejected as rejected:
            self._quarantine(str(rejected))

    def finish(self) -> None:
        """At the end of the input the watermark moves to the largest ingest time, or to `until`."""
        self._tick(self.partition_ms if self.until_ms is None else self.until_ms)

    def _tick(self, broker_ms: int | None) -> None:
        self._move_partition(broker_ms)
        if broker_ms is not None:
            self.watermark_ms = broker_ms if self.watermark_ms is None else max(self.watermark_ms, broker_ms)

    def _move_partition(self, broker_ms: int | None) -> None:
        if broker_ms is not None:
            self.partition_ms = broker_ms if self.partition_ms is None else max(self.partition_ms, broker_ms)

    def _quarantine(self, reason: str) -> None:
        self.summary["events"] += 1
        self.quarantined[reason] += 1

    def _read_clock(self, document: dict[str, Any]) -> None:
        """What an event says of its sender's clock, whether it will be quarantined or not; stands at its broker time."""
        named = all(isinstance(document.get(name), str) and _valid(name, document[name]) for name in ENVELOPE)
        try:
            times = read_times({name: document[name] for name in ("event_time", "sent_time", "ingest_time") if name in document})
        except Rejected:
            return
        if not named or document.get("schema") not in REQUIRED:
            return
        sent_ms = times.get("sent_time", times["event_time"])
        broker_ms = times.get("ingest_time", sent_ms)
        policy = self.registry.resolve(document, broker_ms)
        if not isinstance(policy, str):
            offset_ms = sent_ms - broker_ms
            clock = Event(self._position, "clock", "clock", policy, broker_ms, broker_ms, document, 0, offset_ms=offset_ms)
            self.clocks.append(clock)

    def _admit(self, document: dict[str, Any]) -> None:
        validate(document)
        times = read_times(document)
        event_ms = times["event_time"]
        broker_ms = times.get("ingest_time", times.get("sent_time", event_ms))
        policy = self.registry.resolve(document, broker_ms)
        if isinstance(policy, str):
            raise Rejected(policy)
        if event_ms > broker_ms + policy.telemetry_ms("max_clock_skew_s"):
            raise Rejected("clock_skew")
        self.touches += 1
        event = Event(self._position, document["schema"], "counted", policy, event_ms, broker_ms, document, self.touches)
        event.standing = self._standing(event)
        self._stands[(*event.device, document["event_id"])].append(broker_ms)
        self.events.append(event)
        self.summary["events"] += 1
        self.summary[event.standing] += 1
        if event.standing == "counted":
            self._count(event)

    def _standing(self, event: Event) -> str:
        window_ms = event.policy.telemetry_ms("retransmit_window")
        earlier = self._stands[(*event.device, event.document["event_id"])]
        if any(abs(event.broker_ms - stood_ms) <= window_ms for stood_ms in earlier):
            return "duplicates"
        late = event.event_ms < event.broker_ms - event.policy.telemetry_ms("allowed_lateness")
        return "late" if late else "counted"

    def _count(self, event: Event) -> None:
        reached = min(event.event_ms, event.broker_ms) - self.registry.out_of_orderness_ms(event.broker_ms)
        self.watermark_ms = reached if self.watermark_ms is None else max(self.watermark_ms, reached)
        if event.kind == "pms.inference":
            self._count_inference(event)
        elif event.kind in ("pms.outcome", "pms.alert_action") and event.field_use:
            self._join(event)

    def _count_inference(self, event: Event) -> None:
        if event.field_use:
            event.encounter, event.onset = self._encounter(event)
        key = (*event.device, event.document["inference_id"])
        if key not in self._inferences:
            self._inferences[key] = event
            for waiting in self._waiting.pop(key, []):
                self._apply(waiting, event, event.broker_ms)

    def _encounter(self, event: Event) -> tuple[bool, bool]:
        token = event.document.get("encounter_token")
        if token is None:
            return True, event.alert
        known = self._tokens[(*event.device, token)]
        preceding = [other for other in known if 0 <= event.event_ms - other.event_ms <= DAY_MS]
        known.append(event)
        previous = max(preceding, key=lambda other: (other.event_ms, other.position), default=None)
        return previous is None, event.alert and (previous is None or not previous.alert)

    def _join(self, event: Event) -> None:
        key = (*event.device, event.document["inference_id"])
        if key in self._inferences:
            self._apply(event, self._inferences[key], event.broker_ms)
        else:
            self._waiting[key].append(event)

    def _apply(self, event: Event, inference: Event, arrival_ms: int) -> None:
        self.touches += 1
        inference.touched = self.touches
        if event.kind == "pms.alert_action":
            inference.actions.add(event.document["action"])
            if event.document["action"] == "ack" and inference.ack_delay_ms is None:
                waited_ms = event.document.get("latency_from_alert_ms", event.event_ms - inference.event_ms)
                inference.ack_delay_ms = max(0, waited_ms)
            return
        default = inference.policy.latency.get("verification_default", "incidental")
        document = event.document
        verification = document.get("verification") or default
        revision = document.get("revision", 1)
        label = Label(event.position, arrival_ms, document["label"], document["label_kind"], revision, verification)
        inference.labels.append(label)
