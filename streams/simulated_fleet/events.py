"""Cases to events: what device and gateway send of a case, and the heartbeats in between, each with the time it arrives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streams.simulated_fleet.cases import SHIFT_DAY, START_MS, THRESHOLD, Cases
from streams.simulated_fleet.roster import ROSTER, SHIFTED_SITE, Device
from surveillance.times import DAY_MS, HOUR_MS, SECOND_MS, to_text

Document = dict[str, Any]

HEARTBEAT_MS = HOUR_MS
PRODUCT = "chest-triage"
_DELAY_P50_H, _DELAY_SIGMA = 10.0, 0.85
"""Hours until the outcome, log-normal: 95 % within 40.5 h, 99 % within 72.2 h."""
_LABELLED_FLAGGED, _LABELLED_UNFLAGGED = 0.98, 0.91
_ACTED_ON, _OVERRIDDEN = 0.9, 0.13
_ACT_P50_S, _ACT_SIGMA = 90.0, 0.9
_BUFFERED = 0.02
_BUFFER_MS = 1_200 * SECOND_MS


class Sent(NamedTuple):
    """An event and the time it arrives, ms."""

    at_ms: int
    device: Device
    event: Document


@dataclass(frozen=True, slots=True)
class Installed:
    """What the fleet runs: a release, the manifest it was deployed with, and the digests it reports."""

    release_id: str
    manifest_digest: str
    model_digest: str
    preprocessing_digest: str

    @classmethod
    def by(cls, document: Mapping[str, Any], digest: str) -> Installed:
        """What a manifest document says of itself."""
        release = document["release"]
        identities = release["identities"]
        return cls(release["release_id"], digest, identities["model"]["digest"], identities["preprocessing"]["digest"])


def events_of(cases: Cases, installed: Installed, rng: np.random.Generator) -> Iterator[Sent]:
    """Inferences, alert actions and outcomes of a day's cases; outcomes arrive hours to days later."""
    n = len(cases)
    transport = rng.exponential(2 * SECOND_MS, n) + np.where(rng.random(n) < _BUFFERED, rng.random(n) * _BUFFER_MS, 0)
    arrival = cases.at_ms + transport.astype(np.int64)
    alert = cases.score >= THRESHOLD
    labelled = rng.random(n) < np.where(alert, _LABELLED_FLAGGED, _LABELLED_UNFLAGGED)
    reported = cases.at_ms + (rng.lognormal(np.log(_DELAY_P50_H), _DELAY_SIGMA, n) * HOUR_MS).astype(np.int64)
    acted = alert & (rng.random(n) < _ACTED_ON)
    override = rng.random(n) < _OVERRIDDEN
    action = cases.at_ms + (rng.lognormal(np.log(_ACT_P50_S), _ACT_SIGMA, n) * SECOND_MS).astype(np.int64)
    for row in range(n):
        device = ROSTER[cases.device[row]]
        name = f"{device.device_id}-{cases.day:02d}-{row:05d}"
        yield _inference(cases, row, name, int(arrival[row]), installed)
        if alert[row]:
            yield _alert_action(device, name, "delivered", int(arrival[row]) + SECOND_MS, installed)
        if acted[row]:
            kind = "override" if override[row] else "ack"
            yield _alert_action(device, name, kind, int(max(action[row], arrival[row] + 2 * SECOND_MS)), installed)
        if labelled[row]:
            verification = "flagged" if alert[row] else "routine"
            yield _outcome(device, name, bool(cases.diseased[row]), verification, int(reported[row]), installed)


def heartbeats_of(day: int, installed: Installed, rng: np.random.Generator) -> Iterator[Sent]:
    """One an hour of every device, each device at a moment of its own."""
    start_ms = START_MS + (day - 1) * DAY_MS
    beats = DAY_MS // HEARTBEAT_MS
    jitter = rng.integers(0, 5 * SECOND_MS, (len(ROSTER), beats))
    for number, device in enumerate(ROSTER):
        for beat in range(beats):
            at_ms = start_ms + beat * HEARTBEAT_MS + number * 80 * SECOND_MS + int(jitter[number, beat])
            yield _heartbeat(device, day, beat, at_ms, installed)


def firmware_of(device: Device, day: int) -> str:
    """Version of the scanner's firmware: the shifted site is the first to get the new one."""
    return "7.2.0" if device.site_id == SHIFTED_SITE and day >= SHIFT_DAY else "7.1.4"


def _envelope(schema: str, event_id: str, device: Device, event_ms: int, sent_ms: int, installed: Installed) -> Document:
    event: Document = {
        "schema": schema,
        "schema_version": device.schema_version,
        "event_id": event_id,
        "product": PRODUCT,
        "site_id": device.site_id,
        "device_id": device.device_id,
        "release_id": installed.release_id,
        "event_time": to_text(event_ms),
        "gateway_id": device.gateway_id,
        "sent_time": to_text(sent_ms),
    }
    if device.schema_version == 2:
        event["manifest_digest"] = installed.manifest_digest
    return event


def _inference(cases: Cases, row: int, name: str, arrival_ms: int, installed: Installed) -> Sent:
    device, score, px_mean = ROSTER[cases.device[row]], float(cases.score[row]), float(cases.px_mean[row])
    event = _envelope("pms.inference", f"{name}-inf", device, int(cases.at_ms[row]), arrival_ms, installed)
    event |= {
        "inference_id": name,
        "score": score,
        "alert_raised": score >= THRESHOLD,
        "threshold_applied": THRESHOLD,
        "features": {"px_mean": None if np.isnan(px_mean) else px_mean, "view_position": str(cases.view[row])},
        "model_digest": installed.model_digest,
        "context": {
            "age_years": int(cases.age[row]),
            "sex": "F" if cases.female[row] else "M",
            "setting": "ED" if cases.emergency[row] else "inpatient",
        },
    }
    if device.schema_version == 2:
        protocol = "low-dose" if cases.low_dose[row] else "standard"
        event["preprocessing_digest"] = installed.preprocessing_digest
        event["device_context"] = {
            "vendor": device.vendor,
            "firmware": firmware_of(device, cases.day),
            "protocol": protocol,
        }
    return Sent(arrival_ms, device, event)


def _outcome(device: Device, name: str, diseased: bool, verification: str, at_ms: int, installed: Installed) -> Sent:
    arrival_ms = at_ms + 30 * SECOND_MS
    event = _envelope("pms.outcome", f"{name}-out", device, at_ms, arrival_ms, installed)
    event |= {
        "outcome_id": f"{name}-out",
        "inference_id": name,
        "label": int(diseased),
        "label_kind": "report",
        "label_time": to_text(at_ms),
        "verification": verification,
    }
    return Sent(arrival_ms, device, event)


def _alert_action(device: Device, name: str, action: str, at_ms: int, installed: Installed) -> Sent:
    event = _envelope("pms.alert_action", f"{name}-{action}", device, at_ms, at_ms + SECOND_MS, installed)
    event |= {
        "action_id": f"{name}-{action}",
        "inference_id": name,
        "action": action,
        "action_time": to_text(at_ms),
        "actor_role": "worklist" if action == "delivered" else "radiologist",
    }
    return Sent(at_ms + SECOND_MS, device, event)


def _heartbeat(device: Device, day: int, beat: int, at_ms: int, installed: Installed) -> Sent:
    event = _envelope(
        "pms.heartbeat", f"{device.device_id}-{day:02d}-beat-{beat:02d}", device, at_ms, at_ms + SECOND_MS, installed
    )
    model = {"component": "model", "release_id": installed.release_id, "digest": installed.model_digest, "state": "active"}
    event |= {
        "uptime_s": (day - 1) * 86_400 + beat * 3_600,
        "inferences_since_last": 0,
        "errors_since_last": 0,
        "buffer_depth": 0,
        "releases": [model],
    }
    if device.schema_version == 2:
        event["firmware"] = firmware_of(device, day)
    return Sent(at_ms + SECOND_MS, device, event)
