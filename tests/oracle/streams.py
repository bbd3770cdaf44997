"""Seeded telemetry that is hostile but valid, and small manifests that hold every monitor type the oracle knows."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .policy import Document, Policy
from .times import DAY_MS, format_time, parse_time

START_MS = parse_time("2026-03-02T00:00:00Z")
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
HEARTBEAT_COUNTS = ("uptime_s", "inferences_since_last", "errors_since_last", "buffer_depth")


@dataclass(frozen=True)
class Hostility:
    """Shares of events (0 to 1) with which something goes wrong; 0 switches a trouble off, to find which one matters."""

    duplicate: float = 0.06
    late: float = 0.02
    delayed: float = 0.08
    early_outcome: float = 0.08
    revised_outcome: float = 0.15
    other_mode: float = 0.08
    unreadable: float = 0.04
    unknown_release: float = 0.02
    clock_skew: float = 0.02
    wrong_identity: float = 0.03
    missing_value: float = 0.08
    silence: float = 0.1


CALM = Hostility(*([0.0] * 12))


@dataclass(frozen=True)
class Scenario:
    """What a replay is given: parsed manifests, lines in order of arrival, and `until` (RFC 3339 or None)."""

    manifests: list[Document]
    lines: list[bytes]
    until: str | None


def monitors() -> list[Document]:
    """One monitor of every type, over axes, two-way axes and each kind of window."""
    return [
        _monitor("drift.px", {"type": "psi", "feature": "px"}, "w6h", {"p": 0.01, "effect_min": 0.05}, by=["site", "vendor"]),
        _monitor("drift.view", {"type": "psi", "feature": "view"}, "w1h", {"p": 0.01}),
        _monitor("drift.score", {"type": "psi", "feature": "score"}, "w1d", {"p": 0.001}, by=["site"]),
        _monitor(
            "dq.missing", {"type": "missing_rate", "feature": "*"}, "w6h", {"ratio_to_baseline": 3, "abs_min": 0.01}, by=["site"]
        ),
        _monitor("dq.missing.abs", {"type": "missing_rate", "feature": "px"}, "w1h", {"abs": 0.1}),
        _monitor("out.high", {"type": "saturation_share", "side": "high"}, "w1h", {"ratio_to_baseline": 2}, by=["site"]),
        _monitor(
            "identity", {"type": "identity_mismatch", "fields": ["model_digest", "threshold_config_digest"]}, "w1h", {"ge": 1}
        ),
        _monitor("identity.total", {"type": "identity_mismatch", "fields": ["model_digest"]}, "cumulative", {"ge": 3}),
        _monitor("schema", {"type": "mismatch_count", "field": "feature_schema_digest"}, "w1h", {"ge": 1}, by=["site"]),
        _monitor(
            "sens",
            {"type": "proportion_vs_floor", "event": "sensitivity"},
            "w1d",
            {"ci_upper_below": 0.7},
            by=["age", "vendor*age"],
        ),
        _monitor("spec", {"type": "proportion_vs_floor", "event": "specificity"}, "w6h", {"ci_upper_below": 0.9}, by=["site"]),
        _monitor("ppv", {"type": "proportion_vs_floor", "event": "ppv", "require_mature": True}, "w6h", {"ci_upper_below": 0.6}),
        _monitor("npv", {"type": "proportion_vs_floor", "event": "npv"}, "cumulative", {"ci_upper_below": 0.9}),
        _monitor("auroc", {"type": "auroc"}, "w1d", {"ci_upper_below": 0.8}),
        _monitor("brier", {"type": "brier"}, "w6h", {"ci_lower_above": 0.15}, by=["site"]),
        _monitor("oe", {"type": "observed_expected"}, "w1d", {"outside": [0.8, 1.25]}, by=["site"]),
        _monitor("slope", {"type": "calibration_slope", "require_mature": True}, "w1d", {"outside": [0.8, 1.25]}),
        _monitor(
            "burden",
            {"type": "poisson_rate_ratio", "numerator": "alert_onsets", "exposure": "encounters"},
            "w6h",
            {"rr_ci_lower_above": 1.1},
            by=["site"],
        ),
        _monitor(
            "override",
            {"type": "rate", "numerator": "overrides", "denominator": "actioned_alerts"},
            "w6h",
            {"ci_lower_above": 0.2},
        ),
        _monitor(
            "abstain", {"type": "rate", "numerator": "abstained", "denominator": "inferences"}, "w1h", {"ci_lower_above": 0.05}
        ),
        _monitor(
            "silent", {"type": "heartbeat_gap"}, None, {"missed": 3}, {"missed": 4, "gateways": 2}, by=["gateway", "device"]
        ),
        _monitor("dup", {"type": "duplicate_rate"}, "w1h", {"above": 0.05}, by=["gateway"]),
        _monitor(
            "labels", {"type": "label_arrivals_vs_expected"}, "w6h", {"p": 0.001}, {"coverage_mature_below": 0.6}, by=["site"]
        ),
        _monitor("cusum.miss", {**_cusum("miss", 0.1, 0.3), "verification_correction": "begg_greenes"}, "per_label", {"h": 2.5}),
        _monitor(
            "cusum.false", {**_cusum("false_alert", 0.1, 0.25), "require_mature": False}, "per_label", {"h": 2.5}, by=["site"]
        ),
    ]


def _cusum(event: str, p0: float, p1: float) -> Document:
    return {"type": "bernoulli_cusum", "event": event, "p0": p0, "p1": p1, "require_mature": True}


def _monitor(
    name: str,
    metric: Document,
    window: str | None,
    investigate: Document,
    pause: Document | None = None,
    by: list[str] | None = None,
) -> Document:
    found: Document = {"id": name, "hazard_id": "HZ-1", "metric": metric, "playbook": "PB-1"}
    found["limits"] = {"investigate": investigate, "pause": pause, "rollback_or_field_safety": None}
    return found | ({} if window is None else {"window": window}) | ({} if by is None else {"by": by})


def manifest(
    manifest_id: str,
    revision: int,
    release_id: str,
    effective_from: str | None = None,
    below_min: str | None = "accumulate",
    watched: list[Document] | None = None,
) -> Document:
    """A complete manifest with every section that replay requires."""
    strata: Document = {
        "axes": [
            {"id": "site", "source": "site_id"},
            {"id": "vendor", "source": "device_context.vendor", "values": ["Alpha", "Beta"]},
            {"id": "age", "source": "context.age_years", "bins": [18, 45, 75, 200], "labels": ["18-44", "45-74", "75+"]},
        ],
        "min_sample": {"inferences": 12, "labelled": 6, "positives": 3},
        "multiplicity": {"method": "benjamini_hochberg", "family": "per_window"},
    }
    surveillance: Document = {
        "telemetry": {
            "heartbeat_interval_s": 600, "allowed_lateness": "PT6H", "out_of_orderness": "PT1M", "max_clock_skew_s": 120,
            "dedupe_key": "event_id", "retransmit_window": "P1D",
        },
        "windows": [
            {"id": "w1h", "size": "PT1H"},
            {"id": "w6h", "size": "PT6H", "slide": "PT1H"},
            {"id": "w1d", "size": "P1D"},
        ],
        "levels": {
            "investigate": {"ack_within": "PT4H", "decide_within": "PT72H", "owner": "safety_officer"},
            "pause": {"ack_within": "PT30M", "decide_within": "PT4H", "owner": "safety_officer"},
        },
        "persistence_default": {"k": 2, "of": 3, "clear_after": 3, "cooldown": "PT6H"},
        "monitors": monitors() if watched is None else watched,
    }  # fmt: skip
    if below_min is not None:
        strata["below_min"] = below_min
    if effective_from is not None:
        surveillance["effective_from"] = effective_from
    return {
        "api_version": "pms.manifest/v1", "kind": "ReleaseManifest", "manifest_id": manifest_id, "revision": revision,
        "release": {
            "release_id": release_id,
            "identities": {
                "model": {"id": "m", "digest": _digest(1)}, "feature_schema": {"id": "f", "digest": _digest(2)},
                "threshold_config_digest": _digest(3),
            },
            "datasets": {"monitoring_baseline": {"id": "base", "n": 20000}},
        },
        "strata": strata, "baselines": _baselines(), "surveillance": surveillance,
        "hazards": [{"id": "HZ-1", "text": "harm", "severity": "serious"}],
        "owners": {"safety_officer": {"primary": "user-1"}}, "playbooks": {"PB-1": {"steps": ["decide"]}},
    }  # fmt: skip


def _digest(number: int) -> str:
    return f"sha256:{number:064x}"


def _baselines() -> Document:
    return {
        "features": [
            {
                "name": "px", "kind": "continuous", "n": 20000, "missing": 0.02, "range": [-4, 4], "sentinels": [-9],
                "bins": {"edges": [-4, -1, -0.3, 0.3, 1, 4], "probs": [0.16, 0.22, 0.24, 0.22, 0.16]}, "mean": 0.0, "sd": 1.0,
                "strata": {"vendor": {"Beta": {"n": 5000, "probs": [0.1, 0.2, 0.25, 0.25, 0.2]}}},
            },
            {"name": "view", "kind": "categorical", "n": 20000, "missing": 0.01, "probs": {"PA": 0.6, "AP": 0.38, "other": 0.02}},
        ],
        "score": {
            "bins": {"edges": [0, 0.1, 0.25, 0.5, 0.75, 1], "probs": [0.3, 0.25, 0.2, 0.15, 0.1]}, "n": 20000,
            "saturation_share": {"low_eps": 0.001, "high_eps": 0.001, "low": 0.01, "high": 0.01},
        },
        "operational": {"alerts_per_100_encounters": {"value": 25}, "alert_onsets_per_100_encounters": {"value": 20, "n": 5000}},
        "label_latency": {
            "p50_h": 2, "p95_h": 8, "p99_h": 16, "expected_coverage": 0.85, "verification": {"flagged": 0.95, "unflagged": 0.8},
            "verification_default": "routine", "dispersion": 1.5, "maturity": {"coverage_min": 0.8, "or_age": "PT18H"},
        },
    }  # fmt: skip


@dataclass
class _Device:
    device_id: str
    site_id: str
    gateway_id: str
    vendor: str | None
    release_id: str
    digest: str | None
    token: int = 0
    sent: int = 0


@dataclass
class _Fleet:
    """Gathers (arrival, line) pairs; `rng` is the only source of chance."""

    rng: random.Random
    trouble: Hostility
    devices: list[_Device]
    arrivals: list[tuple[int, int, bytes]] = field(default_factory=list)

    def happens(self, share: float) -> bool:
        return self.rng.random() < share

    def send(self, document: Document, broker_ms: int) -> None:
        """One event and, now and then, its retransmission."""
        line = json.dumps({**document, "ingest_time": format_time(broker_ms)}).encode()
        self.arrivals.append((broker_ms, len(self.arrivals), line))
        if self.happens(self.trouble.duplicate):
            again_ms = broker_ms + self.rng.choice([0, 1000, 5 * MINUTE_MS, 2 * HOUR_MS])
            again = json.dumps({**document, "attempt": 2, "ingest_time": format_time(again_ms)}).encode()
            self.arrivals.append((again_ms, len(self.arrivals), again))

    def raw(self, line: bytes, broker_ms: int) -> None:
        self.arrivals.append((broker_ms, len(self.arrivals), line))

    def envelope(self, device: _Device, schema: str, event_ms: int) -> Document:
        device.sent += 1
        found: Document = {
            "schema": schema, "schema_version": 1 if device.digest is None else 2,
            "event_id": f"{device.device_id}-{device.sent}", "product": "cxr", "site_id": device.site_id,
            "device_id": device.device_id, "release_id": device.release_id, "event_time": format_time(event_ms),
            "gateway_id": device.gateway_id,
        }  # fmt: skip
        if device.digest is not None:
            found["manifest_digest"] = device.digest
            if self.happens(self.trouble.other_mode):
                found["mode"] = self.rng.choice(["shadow", "parallel", "canary", "drill"])
        return found


def generate(
    seed: int,
    inferences: int = 400,
    hours: int = 48,
    trouble: Hostility | None = None,
    below_min: str = "accumulate",
    watched: list[Document] | None = None,
    amend: Callable[[Document], None] | None = None,
) -> Scenario:
    """A fleet of six devices over `hours`: revision 2 of the first release comes into force at the second midnight.

    `watched` = the monitors, by default one of every type; `amend` may change each manifest before its digest is taken.
    """
    rng = random.Random(seed)
    manifests = _manifests(below_min, monitors() if watched is None else watched)
    if amend is not None:
        for document in manifests:
            amend(document)
    fleet = _Fleet(rng, Hostility() if trouble is None else trouble, _devices(Policy(0, manifests[0]).digest))
    span_ms = hours * HOUR_MS
    for _ in range(inferences):
        event_ms = START_MS + rng.randrange(span_ms)
        _inference(fleet, rng.choice(fleet.devices), event_ms, drifted=event_ms > START_MS + 2 * span_ms // 3)
        if fleet.happens(fleet.trouble.unreadable):
            _unreadable(fleet, event_ms)
    for device in fleet.devices:
        _heartbeats(fleet, device, span_ms)
    until = format_time(START_MS + span_ms + rng.choice([0, 90 * MINUTE_MS, 30 * HOUR_MS])) if rng.random() < 0.7 else None
    return Scenario(manifests, [line for _, _, line in sorted(fleet.arrivals)], until)


def _manifests(below_min: str, watched: list[Document]) -> list[Document]:
    first, second, other = (
        manifest(manifest_id, revision, release_id, below_min=below_min, watched=copy.deepcopy(watched))
        for manifest_id, revision, release_id in (("rm-a", 1, "rel-a"), ("rm-a", 2, "rel-a"), ("rm-b", 1, "rel-b"))
    )
    second["surveillance"]["effective_from"] = format_time(START_MS + DAY_MS)
    for monitor in second["surveillance"]["monitors"]:
        if monitor["id"] == "sens":
            monitor["limits"]["investigate"] = {"ci_upper_below": 0.75}
    second["surveillance"]["levels"]["investigate"]["ack_within"] = "PT2H"  # another document, whatever is watched
    return [first, second, other]


def _devices(digest: str) -> list[_Device]:
    return [
        _Device("dev-1", "site-1", "gw-1", "Alpha", "rel-a", digest),
        _Device("dev-2", "site-1", "gw-1", "Beta", "rel-a", digest),
        _Device("dev-3", "site-2", "gw-2", "Beta", "rel-a", digest),
        _Device("dev-4", "site-2", "gw-2", "Gamma", "rel-a", digest),
        _Device("dev-5", "site-3", "gw-3", None, "rel-b", None),
        _Device("dev-6", "site&3=x", "gw-3", None, "rel-b", None),
    ]


def _inference(fleet: _Fleet, device: _Device, event_ms: int, drifted: bool) -> None:
    rng = fleet.rng
    document = fleet.envelope(device, "pms.inference", event_ms)
    score = round(rng.betavariate(1.2, 3.0), 6) if rng.random() > 0.02 else rng.choice([0.0, 1.0])
    inference_id = f"i-{device.sent}"
    document |= {
        "inference_id": inference_id, "score": score, "alert_raised": score >= 0.42, "threshold_applied": 0.42,
        "features": _features(fleet, drifted and device.site_id == "site-2"),
        "context": {"age_years": rng.choice([5, 18, 30, 44, 45, 60, 75, 80, 200, None])},
    }  # fmt: skip
    _decorate(fleet, device, document)
    broker_ms = _arrival(fleet, document, event_ms)
    if broker_ms is None:
        return
    fleet.send(document, broker_ms)
    _outcomes(fleet, device, document, event_ms, broker_ms, drifted)
    _actions(fleet, device, document, event_ms, broker_ms)


def _features(fleet: _Fleet, drifted: bool) -> dict[str, Any]:
    rng = fleet.rng
    features: dict[str, Any] = {
        "px": round(rng.gauss(1.2 if drifted else 0, 1), 4),
        "view": rng.choice(["PA", "PA", "AP", "LAT"]),
    }
    if fleet.happens(fleet.trouble.missing_value):
        features["px"] = rng.choice([None, -9, None])
    if fleet.happens(fleet.trouble.missing_value):
        features.pop("view")
    return features


def _decorate(fleet: _Fleet, device: _Device, document: Document) -> None:
    rng = fleet.rng
    if rng.random() < 0.6:
        device.token += rng.random() < 0.3
        document["encounter_token"] = f"tok-{device.device_id}-{device.token}"
    wrong = fleet.happens(fleet.trouble.wrong_identity)
    document["model_digest"] = _digest(9 if wrong else 1)
    if device.vendor is not None:
        document["device_context"] = {"vendor": device.vendor}
    if device.digest is None:
        return
    document["feature_schema_digest"] = _digest(8 if fleet.happens(fleet.trouble.wrong_identity) else 2)
    document["abstained"] = rng.random() < 0.05
    if fleet.happens(fleet.trouble.wrong_identity):
        document["release_id"] = "rel-b"


def _arrival(fleet: _Fleet, document: Document, event_ms: int) -> int | None:
    """Broker time of an inference; None where the event was sent in a state in which it can only be quarantined."""
    trouble, rng = fleet.trouble, fleet.rng
    if fleet.happens(trouble.clock_skew):
        fleet.send(document, event_ms - 10 * MINUTE_MS)
        return None
    if fleet.happens(trouble.unknown_release):
        unknown = {"manifest_digest": _digest(77)} if "manifest_digest" in document else {"release_id": "rel-x"}
        fleet.send({**document, **unknown}, event_ms + 1000)
        return None
    if fleet.happens(trouble.late):
        return event_ms + 6 * HOUR_MS + rng.choice([1, 60_000, HOUR_MS])
    if fleet.happens(trouble.delayed):
        return event_ms + rng.randrange(MINUTE_MS, 6 * HOUR_MS)
    return event_ms + rng.randrange(20_000)


def _outcomes(fleet: _Fleet, device: _Device, inference: Document, event_ms: int, broker_ms: int, drifted: bool) -> None:
    rng = fleet.rng
    if rng.random() < (0.08 if inference["alert_raised"] else 0.2):
        return
    risk = inference["score"] * (0.6 if drifted else 1.0)
    arrival_ms = broker_ms + int(rng.lognormvariate(0.7, 0.8) * HOUR_MS)
    if fleet.happens(fleet.trouble.early_outcome):
        arrival_ms = max(event_ms, broker_ms - rng.randrange(HOUR_MS))
    label = int(rng.random() < risk)
    kind = rng.choice(["report", "code", "clinician_read"])
    _outcome(fleet, device, inference, arrival_ms, {"label": label, "label_kind": kind})
    if fleet.happens(fleet.trouble.revised_outcome):
        revised = {"label": 1 - label, "label_kind": rng.choice([kind, "reference_standard", "code"]), "revision": 2}
        _outcome(fleet, device, inference, arrival_ms + rng.randrange(10 * HOUR_MS), revised)


def _outcome(fleet: _Fleet, device: _Device, inference: Document, arrival_ms: int, label: Document) -> None:
    document = fleet.envelope(device, "pms.outcome", arrival_ms - 1000)
    document |= {
        "outcome_id": f"o-{device.sent}",
        "inference_id": inference["inference_id"],
        "label_time": document["event_time"],
    }
    if device.digest is None:
        label = {key: value for key, value in label.items() if key != "revision"}
    elif fleet.happens(0.3):
        document["verification"] = fleet.rng.choice(["incidental", "random_sample", "flagged"])
    if device.digest is not None and device.sent % 5 == 0:
        document["treated_before_label"] = True
    fleet.send(document | label, arrival_ms)


def _actions(fleet: _Fleet, device: _Device, inference: Document, event_ms: int, broker_ms: int) -> None:
    for action, share in (("delivered", 0.9), ("ack", 0.7), ("override", 0.25), ("dismiss", 0.1)):
        if inference["alert_raised"] and fleet.happens(share):
            at_ms = event_ms + fleet.rng.randrange(1000, 20 * MINUTE_MS)
            document = fleet.envelope(device, "pms.alert_action", at_ms)
            document |= {"action_id": f"a-{device.sent}", "inference_id": inference["inference_id"], "action": action}
            document |= {"action_time": document["event_time"], "actor_role": "clinician"}
            fleet.send(document, max(at_ms, min(broker_ms, at_ms + HOUR_MS)) + 500)


def _heartbeats(fleet: _Fleet, device: _Device, span_ms: int) -> None:
    at_ms = START_MS + fleet.rng.randrange(10 * MINUTE_MS)
    while at_ms < START_MS + span_ms:
        document = fleet.envelope(device, "pms.heartbeat", at_ms)
        document |= dict.fromkeys(HEARTBEAT_COUNTS, 0) | {"releases": []}
        fleet.send(document, at_ms + 200)
        silent = fleet.happens(fleet.trouble.silence / 10)
        at_ms += (fleet.rng.randrange(2, 12) * 30 if silent else 10) * MINUTE_MS


def _unreadable(fleet: _Fleet, event_ms: int) -> None:
    device = fleet.rng.choice(fleet.devices)
    document = fleet.envelope(device, "pms.heartbeat", event_ms) | {"ingest_time": format_time(event_ms)}
    inference = document | {"schema": "pms.inference", "inference_id": "bad", "alert_raised": False, "threshold_applied": 0.5}
    broken: list[bytes] = [
        b'{"schema": "pms.inf',
        b"[1, 2]",
        json.dumps(document).encode(),
        json.dumps(document | {"schema": "pms.other"}).encode(),
        json.dumps(document | {"schema_version": 3}).encode(),
        json.dumps(document | {"event_time": "yesterday"} | dict.fromkeys(HEARTBEAT_COUNTS, 0) | {"releases": []}).encode(),
        json.dumps(inference | {"features": {}, "score": 1.5}).encode(),
        json.dumps(inference | {"features": {}, "score": 0.5, "event_id": "x" * 65}).encode(),
    ]
    fleet.raw(fleet.rng.choice(broken), event_ms)
