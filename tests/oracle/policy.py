"""What a manifest says, read straight from its parsed document: registrations, axes, windows, minima, references."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .times import DAY_MS, parse_duration, parse_time

Document = dict[str, Any]
Scope = frozenset[tuple[str, str]]

ALWAYS = -(2**62)
LABEL_TYPES = {
    "bernoulli_cusum", "proportion_vs_floor", "auroc", "brier", "spiegelhalter", "observed_expected",
    "calibration_slope", "calibration_intercept", "calibration_error", "label_arrivals_vs_expected", "prevalence", "subgroup_gap",
    "site_outlier",
}  # fmt: skip
FIRST_CROSSING_TYPES = {
    "mismatch_count", "identity_mismatch", "event_count", "heartbeat_gap", "min_value", "run_rule", "cusum", "ewma",
    "bernoulli_cusum", "maxsprt_poisson", "trend_test",
}  # fmt: skip
NO_MINIMUM_TYPES = FIRST_CROSSING_TYPES | {"label_arrivals_vs_expected", "volume_vs_expected"}
LEVELS = ("investigate", "pause", "rollback_or_field_safety")
DEFAULT_TELEMETRY = {
    "allowed_lateness": "PT72H", "retransmit_window": "P7D", "out_of_orderness": "PT1M",
    "max_clock_skew_s": 120, "heartbeat_interval_s": 60,
}  # fmt: skip


def canonical(value: object) -> str:
    """RFC 8785 text of a JSON value (keys in UTF-16 order, numbers as ECMAScript prints them)."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    if isinstance(value, float):
        return _ecmascript(value)
    return json.dumps(value, ensure_ascii=False)


def _ecmascript(number: float) -> str:
    if not math.isfinite(number):
        raise ValueError("JSON has no such number")
    if number == int(number) and abs(number) < 1e21:
        return str(int(number))
    digits, _, exponent = repr(number).partition("e")
    if not exponent:
        return digits
    power = int(exponent)
    if -6 <= power < 0:
        sign, plain = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
        return f"{sign}0.{'0' * (-power - 1)}{plain.replace('.', '')}"
    return f"{digits}e{'+' if power > 0 else '-'}{abs(power)}"


@dataclass(frozen=True)
class Window:
    """`size` and `slide` in ms; `size` 0 is cumulative from the manifest's first event."""

    size: int
    slide: int

    @property
    def cumulative(self) -> bool:
        return self.size == 0

    @property
    def tumbling(self) -> bool:
        return self.size == self.slide


class Policy:
    """One manifest with the answers the oracle asks of it."""

    def __init__(self, index: int, document: Document) -> None:
        self.index = index
        self.document = document
        self.digest = "sha256:" + hashlib.sha256(canonical(document).encode()).hexdigest()
        self.manifest_id: str = document["manifest_id"]
        self.revision: int = document["revision"]
        self.release: Document = document["release"]
        self.strata: Document = document["strata"]
        self.baselines: Document = document["baselines"]
        self.surveillance: Document = document["surveillance"]
        self.latency: Document = document.get("label_latency") or self.baselines.get("label_latency") or {}
        starts = self.surveillance.get("effective_from")
        self.from_ms = ALWAYS if starts is None else parse_time(starts)
        self.monitors: list[Document] = self.surveillance.get("monitors", [])
        self.axes = {axis["id"]: axis for axis in self.strata.get("axes", [])}

    def telemetry(self, key: str) -> Any:
        return self.surveillance.get("telemetry", {}).get(key, DEFAULT_TELEMETRY[key])

    def telemetry_ms(self, key: str) -> int:
        setting = self.telemetry(key)
        return int(setting * 1000) if key.endswith("_s") else parse_duration(setting)

    @cached_property
    def base_pane_ms(self) -> int:
        """The largest width that divides every window and slide, at most five minutes."""
        whole = 0
        for window in self.surveillance.get("windows", []):
            whole = math.gcd(whole, parse_duration(window["size"]), parse_duration(window.get("slide", window["size"])))
        if whole == 0:
            return 300_000
        return next(whole // parts for parts in range(1, whole + 1) if whole % parts == 0 and whole // parts <= 300_000)

    def window(self, monitor: Document) -> Window:
        name = monitor.get("window", "cumulative")
        if name in ("cumulative", "per_label"):
            return Window(0, self.base_pane_ms)
        entry = next(window for window in self.surveillance["windows"] if window["id"] == name)
        size = parse_duration(entry["size"])
        return Window(size, parse_duration(entry["slide"]) if "slide" in entry else size)

    def needed(self, monitor: Document, governed_by: str) -> int:
        """The smallest n at which the monitor may conclude; `governed_by` names the key of min_sample."""
        if "min_n" in monitor:
            return int(monitor["min_n"])
        if monitor["metric"]["type"] in NO_MINIMUM_TYPES:
            return 0
        return int(self.strata.get("min_sample", {}).get(governed_by, 0))

    def persistence(self, monitor: Document, level: str | None = None) -> Document:
        chosen: Document = {"k": 1, "of": 1, "clear_after": 1, "cooldown": "PT0S"}
        chosen |= self.surveillance.get("persistence_default", {})
        if monitor["metric"]["type"] in FIRST_CROSSING_TYPES:
            chosen |= {"k": 1, "of": 1}
        chosen |= monitor.get("persistence", {})
        if level is not None:
            chosen |= (monitor["limits"].get(level) or {}).get("persistence", {})
        return chosen

    @property
    def or_age_ms(self) -> int | None:
        age = self.latency.get("maturity", {}).get("or_age")
        return None if age is None else parse_duration(age)

    @property
    def coverage_min(self) -> float:
        return float(self.latency.get("maturity", {}).get("coverage_min", math.inf))

    def level(self, event: Document, axis: str) -> str:
        """The stratum of an event on one axis: `unknown` when not sent, `other` outside the declared values."""
        declared = self.axes.get(axis) or {"source": {"device": "device_id", "gateway": "gateway_id"}.get(axis, axis)}
        value: Any = event
        for part in declared["source"].split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            return "unknown"
        if "bins" in declared:
            return _binned(value, declared["bins"], declared["labels"])
        if "values" in declared and value not in declared["values"]:
            return "other"
        return str(value)

    def declared(self, axis: str) -> int:
        """How many values an axis declares; 0 = it takes whatever is sent."""
        entry = self.axes.get(axis, {})
        return len(entry.get("labels") or entry.get("values") or entry.get("bins", [0])[1:])

    def scope(self, event: Document, by: str) -> Scope:
        return frozenset((axis, self.level(event, axis)) for axis in by.split("*") if by)

    def reference(self, entry: Document | None, scope: Scope) -> Document | None:
        """The scope's own reference (one axis only), else the overall one."""
        axes = {(axis, level) for axis, level in scope if axis != "feature"}
        if entry is not None and len(axes) == 1:
            axis, level = next(iter(axes))
            own = entry.get("strata", {}).get(axis, {}).get(level)
            if own is not None:
                outer = {key: value for key, value in entry.items() if key not in ("n", "strata")}
                bins = {**entry.get("bins", {}), **({"probs": own["probs"]} if "probs" in own else {})}
                return {**outer, **own, "bins": bins}
        return entry

    def reference_n(self, reference: Document) -> float | None:
        fallback: float | None = self.release.get("datasets", {}).get("monitoring_baseline", {}).get("n")
        return reference.get("n", fallback)

    def feature(self, name: str) -> Document | None:
        if name in ("score", "output_class"):
            return self.baselines.get(name)
        return next((entry for entry in self.baselines.get("features", []) if entry["name"] == name), None)


def _binned(value: Any, edges: list[float], labels: list[str]) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "other"
    if value == edges[-1]:
        return labels[-1]
    for low, high, label in zip(edges, edges[1:], labels, strict=False):
        if low <= value < high:
            return label
    return "other"


class Registry:
    """All manifests of the run; in replay each is in force from `effective_from`, else from the start."""

    def __init__(self, documents: list[Document]) -> None:
        self.policies = [Policy(index, document) for index, document in enumerate(documents)]

    def in_force(self, broker_ms: int) -> list[Policy]:
        return [policy for policy in self.policies if policy.from_ms <= broker_ms]

    def resolve(self, event: Document, broker_ms: int) -> Policy | str:
        """The policy under which an event counts, or the reason it is quarantined."""
        candidates = self.in_force(broker_ms)
        digest = event.get("manifest_digest")
        if digest is None:
            named = [p for p in candidates if p.release["release_id"] == event["release_id"]]
            return max(named, key=lambda p: (p.revision, p.from_ms, p.manifest_id)) if named else "release_unknown"
        carried = next((p for p in candidates if p.digest == digest), None)
        if carried is None:
            return "manifest_unknown"
        return max((p for p in candidates if p.manifest_id == carried.manifest_id), key=lambda p: p.revision)

    def out_of_orderness_ms(self, broker_ms: int) -> int:
        allowed = [policy.telemetry_ms("out_of_orderness") for policy in self.in_force(broker_ms)]
        return max(allowed, default=60_000)

    def superseded_ms(self, policy: Policy) -> int | None:
        """When a higher revision of the same manifest_id comes into force; None = never."""
        higher = [p.from_ms for p in self.policies if p.manifest_id == policy.manifest_id and p.revision > policy.revision]
        return min(higher, default=None)

    def last_end_ms(self, policy: Policy, monitor: Document) -> float:
        """The latest window end that is judged under a policy."""
        superseded = self.superseded_ms(policy)
        if superseded is None:
            return math.inf
        if monitor["metric"]["type"] not in LABEL_TYPES:
            return superseded
        if policy.or_age_ms is None:
            return math.inf
        if monitor["metric"]["type"] == "bernoulli_cusum":  # the pane in which the last day of its inferences matures by age
            return -(-superseded // DAY_MS) * DAY_MS + policy.or_age_ms + policy.base_pane_ms
        return superseded + policy.or_age_ms
