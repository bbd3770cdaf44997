"""A fleet that does what the example manifest says of it, as columns that a harm can change before they become telemetry.

Every number is drawn as the manifest's baselines state it: volume by hour of the week, input and score distributions, disease
by the score (so calibration holds), alerts at the operating point, waits, overrides, labels after the stated latency.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr, ndtri

from surveillance.times import DAY_MS, HOUR_MS, SECOND_MS, from_text, to_text

Document = dict[str, Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

MONDAY_MS = from_text("2026-05-11T00:00:00Z")
"""The first Monday after the manifest comes into force."""
THRESHOLD = 0.42
BEAT_MS = 60 * SECOND_MS
UPLOAD_MS = 30 * 60 * SECOND_MS
"""Gateways send what they have each quarter of an hour, the newest first: so few moments to judge at, and a quick test."""


class Device(NamedTuple):
    """One gateway serves each site."""

    device_id: str
    site: str
    vendor: str

    @property
    def gateway(self) -> str:
        return f"gw-{self.site}"


DEVICES = (
    Device("north-1", "north", "VendorA"),
    Device("north-2", "north", "VendorC"),
    Device("south-1", "south", "VendorA"),
    Device("east-1", "east", "VendorB"),
)
SHARES = (0.2, 0.2, 0.41, 0.19)
"""Of the examinations, by device; that of VendorB as in the baseline, which has a reference of its own for it."""
VENDOR_B = 3
AGES = ((18, 45, 0.24), (45, 65, 0.34), (65, 75, 0.2), (75, 95, 0.22))
"""(from, to, share)."""


@dataclass
class Fleet:
    """Examinations in order of time, one row each. NaN = null, or never: a label or acknowledgement that does not come."""

    manifest: Document
    start_ms: int
    at_ms: Ints
    device: Ints
    age: Ints
    emergency: Mask
    px_mean: Floats
    px_sent: Mask
    view: NDArray[np.str_]
    score: Floats
    alert: Mask
    diseased: Mask
    ack_s: Floats
    override: Mask
    label_h: Floats
    clock_ms: Ints
    """What the device's clock is ahead."""
    model_digest: NDArray[np.str_]
    schema_digest: NDArray[np.str_]
    copies: Ints
    """How often the gateway sends the examination again, a second later."""
    at_once: Mask
    """Sent without waiting for the next upload."""
    others: list[tuple[int, Document]] = field(default_factory=list)
    """Events beside examinations: (arrival, ms; event)."""

    def where(self, *, since_h: float = 0, until_h: float = np.inf, site: str | None = None, device: str | None = None) -> Mask:
        """Rows of a site or device from hour `since_h` of the stream to hour `until_h`."""
        hour = (self.at_ms - self.start_ms) / HOUR_MS
        found = (hour >= since_h) & (hour < until_h)
        if site is not None:
            found &= np.isin(self.device, [at for at, one in enumerate(DEVICES) if one.site == site])
        if device is not None:
            found &= self.device == [one.device_id for one in DEVICES].index(device)
        return found

    def take(self, rows: NDArray[Any], moved_ms: Ints | int = 0) -> None:
        """Has these rows (a mask, or indices, of which some may repeat) instead, so much later."""
        moved = self.at_ms[rows] + moved_ms
        order = np.argsort(moved, kind="stable")
        for name, column in vars(self).items():
            if isinstance(column, np.ndarray):
                setattr(self, name, column[rows][order])
        self.at_ms = moved[order]

    def time_ms(self, hour: float) -> int:
        """Time of an hour of the stream."""
        return self.start_ms + round(hour * HOUR_MS)

    def beats(self, device: str, until_h: float, since_h: float = 0, certificate_days: float = 200.0) -> None:
        """Heartbeats at the manifest's interval; the certificate ends so many days after the stream began."""
        one = next(one for one in DEVICES if one.device_id == device)
        ends = to_text(self.start_ms + round(certificate_days * DAY_MS))
        said = {"uptime_s": 1, "inferences_since_last": 0, "errors_since_last": 0, "buffer_depth": 0, "releases": []}
        for number, at_ms in enumerate(range(self.time_ms(since_h), self.time_ms(until_h), BEAT_MS)):
            head = self._head("heartbeat", f"{device}-b{since_h}-{number}", one, at_ms)
            self.others.append((at_ms, head | said | {"cert_not_after": ends}))

    def adverse_event(self, hour: float, seriousness: str, role: str) -> None:
        """A report at an hour of the stream."""
        at_ms, name = self.time_ms(hour), f"ae-{len(self.others)}"
        head = self._head("adverse_event", name, DEVICES[0], at_ms)
        said = {
            "ae_id": name, "reported_at": to_text(at_ms), "awareness_at": to_text(at_ms), "seriousness": seriousness,
            "public_health_threat": False, "suspected_device_role": role, "linked_inference_ids": [], "imdrf": {},
            "narrative_ref": None, "country": "DE", "udi": None,
        }  # fmt: skip
        self.others.append((at_ms, head | said))

    def _head(self, kind: str, event_id: str, device: Device, at_ms: int) -> Document:
        return {
            "schema": f"pms.{kind}", "schema_version": 2, "event_id": event_id, "product": "chest-triage", "site_id": device.site,
            "device_id": device.device_id, "gateway_id": device.gateway, "release_id": self.manifest["release"]["release_id"],
            "event_time": to_text(at_ms),
        }  # fmt: skip

    def lines(self, until_ms: int) -> list[bytes]:
        """What arrives by `until_ms`, in order of arrival."""
        sent = [(at_ms, at_ms, event) for at_ms, event in self.others]
        for row in range(len(self.at_ms)):
            ahead_ms = int(self.clock_ms[row])
            for at_ms, event in self._examination(row):
                uploaded_ms = at_ms if self.at_once[row] else -(-at_ms // UPLOAD_MS) * UPLOAD_MS
                sent.append((uploaded_ms, at_ms, event | {"sent_time": to_text(uploaded_ms + ahead_ms)}))
        sent.sort(key=lambda one: (one[0], -one[1]))
        return [json.dumps(event | {"ingest_time": to_text(at)}).encode() for at, _, event in sent if at <= until_ms]

    def _examination(self, row: int) -> Iterable[tuple[int, Document]]:
        device, name, at_ms = DEVICES[self.device[row]], f"i-{row}", int(self.at_ms[row])
        said_ms, ahead_ms = at_ms + int(self.clock_ms[row]), int(self.clock_ms[row])
        px = self.px_mean[row]
        features: Document = {"px_mean": None if np.isnan(px) else round(float(px), 4)} if self.px_sent[row] else {}
        identities = self.manifest["release"]["identities"]
        inference = self._head("inference", name, device, said_ms) | {
            "inference_id": name, "score": round(float(self.score[row]), 6), "alert_raised": bool(self.alert[row]),
            "threshold_applied": THRESHOLD, "features": features | {"view_position": str(self.view[row])},
            "model_digest": str(self.model_digest[row]), "preprocessing_digest": identities["preprocessing"]["digest"],
            "feature_schema_digest": str(self.schema_digest[row]),
            "threshold_config_digest": identities["threshold_config_digest"],
            "context": {"age_years": int(self.age[row]), "setting": "ED" if self.emergency[row] else "inpatient"},
            "device_context": {"vendor": device.vendor},
        }  # fmt: skip
        for copy in range(1 + int(self.copies[row])):
            yield at_ms + (1 + copy) * SECOND_MS, inference
        if self.alert[row] and not np.isnan(self.ack_s[row]):
            done_ms = at_ms + round(float(self.ack_s[row]) * SECOND_MS)
            for action in ("ack", "override") if self.override[row] else ("ack",):
                acted = {"action_id": f"{name}-{action}", "inference_id": name, "action": action, "actor_role": "radiologist"}
                acted["action_time"] = to_text(done_ms + ahead_ms)
                yield done_ms + SECOND_MS, self._head("alert_action", f"{name}-{action}", device, done_ms + ahead_ms) | acted
        if not np.isnan(self.label_h[row]):
            known_ms = at_ms + round(float(self.label_h[row]) * HOUR_MS) + 2 * SECOND_MS
            told = {"outcome_id": f"{name}-o", "inference_id": name, "label": int(self.diseased[row]), "label_kind": "report"}
            told["label_time"] = to_text(known_ms)
            yield known_ms + SECOND_MS, self._head("outcome", f"{name}-o", device, known_ms + ahead_ms) | told


def healthy(manifest: Document, hours: int, seed: int, start_ms: int = MONDAY_MS) -> Fleet:
    """A fleet in which all is well."""
    rng, baselines, identities = np.random.default_rng(seed), manifest["baselines"], manifest["release"]["identities"]
    week = np.array(baselines["operational"]["expected_volume"]["hour_of_week"]["all"])
    first = (start_ms // HOUR_MS - 4 * 24) % len(week)
    counts = rng.poisson(week[(first + np.arange(hours)) % len(week)])
    n = int(counts.sum())
    at_ms = np.sort(start_ms + np.repeat(np.arange(hours), counts) * HOUR_MS + rng.integers(0, HOUR_MS, n))
    device = rng.choice(len(DEVICES), n, p=SHARES)
    group = rng.choice(len(AGES), n, p=[share for _, _, share in AGES])
    lows, highs = np.array([one[0] for one in AGES]), np.array([one[1] for one in AGES])
    px, view = baselines["features"]
    score = drawn_scores(rng, baselines["score"]["bins"]["probs"], n)
    alert = score >= THRESHOLD
    waits, latency = baselines["operational"]["ack_latency_s"], baselines["label_latency"]
    sigma = np.log(waits["p95"] / waits["p50"]) / ndtri(0.95)
    labelled = rng.random(n) < np.where(alert, latency["verification"]["flagged"], latency["verification"]["unflagged"])
    return Fleet(
        manifest, start_ms, at_ms, device,
        age=rng.integers(lows[group], highs[group]),
        emergency=rng.random(n) < 0.5,
        px_mean=drawn_px_means(rng, px, device == VENDOR_B, SHARES[VENDOR_B]),
        px_sent=np.ones(n, np.bool_),
        view=rng.choice(list(view["probs"]), n, p=list(view["probs"].values())),
        score=score,
        alert=alert,
        diseased=rng.random(n) < score,
        ack_s=rng.lognormal(np.log(waits["p50"]), sigma, n),
        override=rng.random(n) < baselines["operational"]["override_rate"]["value"],
        label_h=np.where(labelled, drawn_label_hours(rng, latency, n), np.nan),
        clock_ms=np.zeros(n, np.int64),
        model_digest=np.full(n, identities["model"]["digest"]),
        schema_digest=np.full(n, identities["feature_schema"]["digest"]),
        copies=np.zeros(n, np.int64),
        at_once=np.zeros(n, np.bool_),
    )  # fmt: skip


def drawn_px_means(rng: np.random.Generator, feature: Document, own: Mask, share: float) -> Floats:
    """Normal within the bins of the reference, so that mean and sd are those stated, too; `own` = the `share` of VendorB."""
    edges, found = np.array(feature["bins"]["edges"]), np.empty(len(own))
    overall = np.array(feature["bins"]["probs"])
    of_vendor_b = np.array(feature["strata"]["scanner_vendor"]["VendorB"]["probs"])
    for rows, probs in ((own, of_vendor_b), (~own, (overall - share * of_vendor_b) / (1 - share))):
        at = rng.choice(len(probs), int(rows.sum()), p=probs / probs.sum())
        found[rows] = ndtri(rng.uniform(ndtr(edges[at]), ndtr(edges[at + 1])))
    return found


def drawn_scores(rng: np.random.Generator, probs: list[float], n: int) -> Floats:
    """By the manifest's bins, low within the first and the flagged one: so the mean score is the prevalence."""
    lows, highs = np.array([0, 0.02, 0.05, 0.1, 0.2, 0.42, 0.7, 0.9]), np.array([0.002, 0.05, 0.1, 0.2, 0.42, 0.46, 0.9, 0.999])
    at = rng.choice(len(probs), n, p=probs)
    return rng.uniform(lows[at], highs[at])


def drawn_label_hours(rng: np.random.Generator, latency: Document, n: int) -> Floats:
    """The manifest's curve: normal quantiles over the logarithm of time, through p50, p95 and p99."""
    known, z = np.log([latency["p50_h"], latency["p95_h"], latency["p99_h"]]), ndtri([0.5, 0.95, 0.99])
    slopes, drawn = np.diff(known) / np.diff(z), rng.normal(size=n)
    upper = np.where(drawn < z[1], known[0] + slopes[0] * (drawn - z[0]), known[1] + slopes[1] * (drawn - z[1]))
    return np.exp(upper)


def stretched(scores: Floats, factor: float) -> Floats:
    """Log odds drawn apart (or together) around the operating point, which stays where it is."""
    centre = logit(THRESHOLD)
    found: Floats = expit(centre + factor * (logit(np.clip(scores, 1e-6, 1 - 1e-6)) - centre))
    return found
